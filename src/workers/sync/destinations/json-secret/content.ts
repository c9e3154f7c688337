/**
 * What goes into a JSON secret: which keys are set, which stay as they are, and what of it is
 * journalled.
 */
import { changeDocument, type Document, memberValue, printDocument } from '../../../../domain/sync/document.ts';
import {
  type EntrySettings,
  type InFlight,
  isLater,
  isOwned,
  type LedgerEntry,
} from '../../../../domain/sync/ledger.ts';
import { isDecided } from '../../../../domain/sync/plan.ts';
import { SECRET_MAX_BYTES } from '../../../../domain/destinations/secrets-manager.ts';
import { byteLength } from '../../../../domain/sync/rules.ts';
import type { NextWrite } from '../journal.ts';
import { fingerprintOf } from '../../values.ts';
import type { SyncJob } from '../../job.ts';

export interface KeyWrite {
  readonly documentKey: string;
  readonly value: string;
  readonly revision: number;
  readonly fingerprint: string;
  /** The key's row, as stored or new. */
  readonly entry: LedgerEntry;
  /** Whether the plan wants it written; the others only complete the document. */
  readonly isWanted: boolean;
}

export interface DocumentWrite {
  readonly remoteName: string;
  /** The row of the secret as a whole. */
  readonly whole: LedgerEntry;
  readonly settings: EntrySettings;
  /** All of the sync's keys whose values are known. */
  readonly keys: readonly KeyWrite[];
  /** Rows of keys that are to go, with the names they have in the document. */
  readonly removals: readonly { readonly documentKey: string; readonly entry: LedgerEntry }[];
  /** Keys that are ours but whose value is not known now: what the secret holds of them stays. */
  readonly hasUnknownKeys: boolean;
  /** Names in the secret that a deleted sync of this folder left. */
  readonly leftKeys?: ReadonlySet<string>;
  /** The role may move version stages. */
  readonly canPromote: boolean;
  readonly turns?: readonly NextWrite[];
}

/** Keys that were left as they are, and why. */
export type Untouched = ReadonlyMap<string, 'foreign' | 'changed' | 'missing'>;
export const nothing: Untouched = new Map();

/** The document as it is at AWS, or as it must be by the ledger. */
export interface Base {
  readonly version: string;
  readonly document: Document;
}

/**
 * The name that one of the sync's keys has in the document by the ledger; undefined while it has
 * none.
 */
function writtenName({ entry, documentKey }: { readonly entry: LedgerEntry; readonly documentKey: string }) {
  return isOwned(entry) ? (entry.observed.documentKey ?? documentKey) : undefined;
}

/** The document with the sync's keys in it. */
export function changeOf(writing: DocumentWrite, document: Document, untouched: Untouched): Document {
  const written = writing.keys.filter((key) => !untouched.has(key.documentKey));
  const set = new Map(written.map((key) => [key.documentKey, key.value]));
  // A renamed key leaves its old name.
  const oldNames = written.flatMap((key) => writtenName(key) ?? []).filter((name) => !set.has(name));
  const gone = writing.removals.map((one) => one.documentKey).filter((key) => !untouched.has(key));
  return changeDocument(document, { set, remove: new Set([...oldNames, ...gone]) });
}

/**
 * Keys that are not in the ledger and may not be taken over, and keys of the sync that somebody
 * else changed and that may not be overwritten.
 */
export function findUntouched(job: SyncJob, writing: DocumentWrite, { version, document }: Base): Untouched {
  const { onExisting } = job.planOptions;
  const isForeignWrite = isOwned(writing.whole) && version !== writing.whole.remoteVersion;
  const untouched = new Map<string, 'foreign' | 'changed' | 'missing'>();
  const ours = new Set([...writing.keys, ...writing.removals].flatMap((key) => writtenName(key) ?? []));
  for (const key of [...writing.keys, ...writing.removals]) {
    const { documentKey, entry } = key;
    const oldName = writtenName(key);
    const isTaken = !ours.has(documentKey) && document.has(documentKey);
    const isRefused = onExisting === 'fail' && writing.leftKeys?.has(documentKey) !== true;
    if (isTaken && isRefused) untouched.set(documentKey, 'foreign');
    else if (oldName !== undefined && (isForeignWrite || entry.drift !== null) && isKept(job, entry)) {
      const value = memberValue(document, oldName);
      if (!isAsWritten(job, entry, value)) untouched.set(documentKey, value === undefined ? 'missing' : 'changed');
    }
  }
  return untouched;
}

/** Somebody's change that this run does not overwrite. */
function isKept({ planOptions }: SyncJob, entry: LedgerEntry): boolean {
  return isLater(entry.drift) ? !isDecided(planOptions, entry) : !planOptions.overwritesDrift;
}

export function isAsWritten(job: SyncJob, entry: LedgerEntry, value: string | undefined): boolean {
  return value !== undefined && fingerprintOf(job, entry, { value, settings: entry.settings }) === entry.fingerprint;
}

export function print(document: Document): { readonly text: string; readonly problem?: string } {
  const text = printDocument(document);
  const bytes = byteLength(text);
  if (bytes <= SECRET_MAX_BYTES) return { text };
  return {
    text,
    problem: `The JSON of ${document.size} keys has ${bytes} bytes; Secrets Manager allows ${SECRET_MAX_BYTES}. Use one-to-one, or split the folder.`,
  };
}

export function isEqual(a: Document, b: Document): boolean {
  return a.size === b.size && [...b.keys()].every((key) => memberValue(a, key) === memberValue(b, key));
}

/** What was left as it is counts as somebody else's: the next write must read the document, too. */
export function hasForeignKeys(writing: DocumentWrite, document: Document, untouched: Untouched): boolean {
  const ours = new Set(writing.keys.map((key) => key.documentKey).filter((key) => !untouched.has(key)));
  return [...document.keys()].some((key) => !ours.has(key));
}

/** What of the job is really written: a recovery must not take over what was left as it is. */
export function toReplacement(writing: DocumentWrite, base: Base, untouched: Untouched) {
  const isWritten = ({ documentKey }: { readonly documentKey: string }) => !untouched.has(documentKey);
  const written = { ...writing, keys: writing.keys.filter(isWritten), removals: writing.removals.filter(isWritten) };
  const left = [...writing.keys, ...writing.removals].flatMap(({ documentKey, entry }) => {
    const reason = untouched.get(documentKey);
    return reason === undefined || reason === 'foreign' ? [] : [[entry.key, reason] as const];
  });
  return {
    ...toInFlight(written, 'update', base.version),
    left: Object.fromEntries(left),
    hasForeignKeys: hasForeignKeys(writing, changeOf(writing, base.document, untouched), untouched),
  };
}

export function toInFlight(writing: DocumentWrite, operation: InFlight['operation'], baseVersion: string | null) {
  const set = writing.keys.map(
    ({ entry, fingerprint, revision, documentKey }) => [entry.key, { fingerprint, revision, documentKey }] as const,
  );
  const removed = writing.removals.map(({ entry }) => [entry.key, null] as const);
  return {
    operation,
    baseVersion,
    token: crypto.randomUUID(),
    settings: writing.settings,
    keys: Object.fromEntries([...set, ...removed]),
  };
}
