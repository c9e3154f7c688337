/**
 * How one row of the ledger changes. Every function gives the row that is stored next:
 *
 *   (none) ── begun (in flight) ──► written ──► begun … written ──► begun (delete) ──► removed
 *                │ AWS refuses             ▲
 *                ├──► failed / conflicting │ resolved by a read of AWS
 *                └──► stays in flight ─────┘ (the answer was lost)
 */
import type { JobError } from '../../errors.ts';
import { errorTable } from '../../errors.ts';
import {
  type DriftKind,
  type EntrySettings,
  type InFlight,
  isOwned,
  type LedgerEntry,
  type ObservedObject,
  type AwsLocation,
  isLater,
  WHOLE_SECRET,
} from './ledger.ts';
import { describeDrift } from './plan.ts';
import type { EntryProblem } from './rules.ts';
import { conflictNextStep } from './takeover.ts';

export interface EntryOrigin {
  readonly id: string;
  readonly syncId: string;
  readonly connectionId: string;
  readonly folderId: string;
  readonly place: AwsLocation;
}

export function newEntry(
  origin: EntryOrigin,
  name: { readonly remoteName: string; readonly key: string; readonly settings: EntrySettings },
): LedgerEntry {
  const { id, syncId, connectionId, folderId, place } = origin;
  return {
    id,
    syncId,
    connectionId,
    folderId,
    partition: place.partition,
    accountId: place.accountId,
    region: place.region,
    service: place.service,
    remoteName: name.remoteName,
    key: name.key,
    settings: name.settings,
    isClaim: false,
    remoteVersion: null,
    fingerprint: null,
    inFlight: null,
    status: 'failed',
    errorCode: null,
    errorMessage: null,
    observed: {},
    drift: null,
    writtenAt: null,
    deletedAt: null,
    checkedAt: null,
    tagsCheckedAt: null,
    syncedRevision: null,
    pace: null,
  };
}

/** Before the call. A row that was never written, or deleted, holds its name from here on. */
export function begun(entry: LedgerEntry, inFlight: InFlight): LedgerEntry {
  if (entry.status === 'synced' && entry.deletedAt === null) return { ...entry, inFlight };
  return {
    ...entry,
    inFlight,
    isClaim: true,
    status: 'failed',
    deletedAt: null,
    remoteVersion: entry.deletedAt === null && entry.status === 'failed' ? entry.remoteVersion : null,
    errorCode: null,
    errorMessage: 'A write was started; its answer is not recorded yet.',
  };
}

export interface Written {
  readonly version: string;
  readonly fingerprint: string;
  readonly revision: number;
  readonly settings: EntrySettings;
  readonly folderId: string;
  readonly observed?: ObservedObject;
  readonly at: Date;
}

export function written(entry: LedgerEntry, by: Written): LedgerEntry {
  return {
    ...inOrder(entry),
    isClaim: true,
    remoteVersion: by.version,
    fingerprint: by.fingerprint,
    syncedRevision: by.revision,
    folderId: by.folderId,
    settings: by.settings,
    observed: {
      ...entry.observed,
      lastModified: undefined,
      clockAheadMs: undefined,
      lost: undefined,
      waits: undefined,
      notBefore: undefined,
      areReplicasInSync: undefined,
      wasOurs: undefined,
      ...by.observed,
    },
    writtenAt: by.at,
    deletedAt: null,
  };
}

/** A read of AWS found no trace of the write. */
export function notLanded(entry: LedgerEntry): LedgerEntry {
  const { token, fingerprint } = entry.inFlight ?? {};
  const lost = token === undefined || fingerprint === undefined ? undefined : { token, fingerprint };
  // It may still arrive, and a takeover sets the ownership tag before the value.
  const { operation } = entry.inFlight ?? {};
  const wasOurs = operation === 'create' || operation === 'adopt' || entry.observed.wasOurs;
  const observed = { ...entry.observed, lost, ...(wasOurs === true ? { wasOurs } : {}) };
  return { ...entry, inFlight: null, isClaim: entry.remoteVersion !== null, observed };
}

/** A read of AWS found the write: what was journalled is what is there. */
export function landed(
  entry: LedgerEntry,
  version: string,
  seen: { readonly folderId: string; readonly lastModified?: number },
): LedgerEntry {
  const { inFlight } = entry;
  return written(entry, {
    version,
    fingerprint: inFlight?.fingerprint ?? '',
    revision: inFlight?.revision ?? 0,
    settings: inFlight?.settings ?? entry.settings,
    folderId: seen.folderId,
    observed: seen.lastModified === undefined ? {} : { lastModified: seen.lastModified },
    at: new Date(inFlight?.at ?? 0),
  });
}

/** Nothing wrong with it any more. */
export function inOrder(entry: LedgerEntry): LedgerEntry {
  return { ...entry, inFlight: null, status: 'synced', errorCode: null, errorMessage: null, drift: null };
}

export function removed(entry: LedgerEntry, at: Date): LedgerEntry {
  const observed = { ...entry.observed, notBefore: undefined };
  return { ...inOrder(entry), observed, deletedAt: at, syncedRevision: null };
}

/** The row waits; until then no slice tries it. */
export function deferred(entry: LedgerEntry, until: Date): LedgerEntry {
  return { ...entry, observed: { ...entry.observed, notBefore: until.toISOString() } };
}

/** Until when the row waits; undefined when it may be tried now. */
export function waitsUntil(entry: LedgerEntry, now: Date): Date | undefined {
  const until = new Date(entry.observed.notBefore ?? 0);
  return until > now ? until : undefined;
}

/** The row as it was, with what went wrong. */
export function failed(
  entry: LedgerEntry,
  problem: { readonly code: string; readonly message: string },
  at: Date,
): LedgerEntry {
  return {
    ...entry,
    inFlight: null,
    status: 'failed',
    errorCode: problem.code,
    errorMessage: problem.message,
    checkedAt: at,
  };
}

/** A foreign object has the name; the row gives it up. */
export function conflicting(entry: LedgerEntry, message: string, at: Date): LedgerEntry {
  const given = { isClaim: false, remoteVersion: null, fingerprint: null, drift: null };
  return {
    ...entry,
    ...given,
    observed: isOwned(entry) ? { ...entry.observed, wasOurs: true } : entry.observed,
    inFlight: null,
    status: 'conflict',
    errorCode: 'SYNC_CONFLICT',
    errorMessage: message,
    checkedAt: at,
  };
}

/** The object stays where it is: nobody can reach it any more. */
export function leftBehind(entry: LedgerEntry, message: string, at: Date): LedgerEntry {
  return {
    ...entry,
    inFlight: null,
    status: 'skipped',
    isClaim: false,
    errorCode: null,
    errorMessage: message,
    checkedAt: at,
  };
}

/**
 * Owned, but changed by somebody else. What only a person decides stays so, whatever a later check
 * finds.
 */
export function drifted(entry: LedgerEntry, found: DriftKind, at: Date): LedgerEntry {
  const drift = isLater(entry.drift) && isOfValue(found) ? (entry.drift ?? found) : found;
  return { ...entry, drift, checkedAt: at, errorCode: 'SYNC_DRIFTED', errorMessage: driftMessage(entry, drift) };
}

function isOfValue(drift: DriftKind): boolean {
  return drift === 'changed' || drift === 'missing' || drift === 'scheduled-for-deletion';
}

const LATER_NEXT_STEP =
  'To keep what AWS holds, run the sync with `acceptDestination: true`; to write the folder’s value, run the sync with `acceptSource: true`.';

const CREATED_NEXT_STEP =
  'To import it, run the sync with `acceptDestination: true`; to delete it, run the sync with `acceptSource: true`.';

export function driftMessage(entry: { readonly key: string; readonly remoteName: string }, drift: DriftKind): string {
  return `${nameOf(entry)} ${describeDrift(drift)}. ${nextStepOf(entry, drift)}`;
}

/** A JSON secret is not deleted as a whole: it may hold members of others. */
function nextStepOf({ key }: { readonly key: string }, drift: DriftKind): string {
  if (drift === 'later-create' && key !== WHOLE_SECRET) return CREATED_NEXT_STEP;
  return isLater(drift) ? LATER_NEXT_STEP : errorTable.SYNC_DRIFTED.nextStep;
}

export function conflictMessage(entry: { readonly key: string; readonly remoteName: string }, reason: string): string {
  return `${nameOf(entry)} ${reason}. ${conflictNextStep(reason)}`;
}

export function problemMessage(
  entry: { readonly key: string; readonly remoteName: string },
  problem: EntryProblem,
): string {
  return `${nameOf(entry)}: ${problem.message}`;
}

/** AWS reports two contradictory things about one name, for longer than lag explains. */
export function contradictionMessage(
  entry: { readonly key: string; readonly remoteName: string },
  contradiction: string,
): string {
  return `${nameOf(entry)}: ${contradiction}. The next run tries again; choose another name if it stays so.`;
}

/** Names the entry, what AWS said with its request id, and the remedy. */
export function failureMessage(entry: { readonly key: string; readonly remoteName: string }, error: JobError): string {
  return `${nameOf(entry)}: ${error.publicMessage} ${errorTable[error.code].nextStep}`;
}

function nameOf(entry: { readonly key: string; readonly remoteName: string }): string {
  return entry.key === WHOLE_SECRET || entry.key === entry.remoteName
    ? entry.remoteName
    : `${entry.key} (${entry.remoteName})`;
}
