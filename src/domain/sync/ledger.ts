/**
 * What the ledger remembers of one remote object: what was written, where, and which write is still
 * without an answer. It alone decides what may be updated or deleted. Pure data; the rows are kept
 * by `db/sync/entries.ts`.
 */
import type { DestinationService } from '../destinations/names.ts';

export interface AwsLocation {
  readonly partition: string;
  readonly accountId: string;
  readonly region: string;
  readonly service: DestinationService;
}

/** What was asked of AWS besides the value; part of the fingerprint. */
export interface EntrySettings {
  /** Null: the service's own key. */
  readonly keyId: string | null;
  readonly tier?: 'standard' | 'advanced' | 'intelligent';
  /** Without the ownership tag, which every object carries. */
  readonly tags: Readonly<Record<string, string>>;
  readonly replicaRegions?: readonly string[];
  /** By region; those without are encrypted under `aws/secretsmanager`. Absent instead of empty. */
  readonly replicaKeys?: Readonly<Record<string, string>>;
}

/** Last state that AWS reported; drift checks compare against it. */
export interface ObservedObject {
  readonly tier?: string;
  /** Milliseconds since the epoch, as AWS reported it after keyferry's write. */
  readonly lastModified?: number;
  /** How far AWS's clock was ahead of the worker's at that write, to the second. */
  readonly clockAheadMs?: number;
  /**
   * False for an object that existed before and was taken over: its keys are removed, it is not
   * deleted as a whole.
   */
  readonly isCreated?: boolean;
  /** The round of slices in which it was refused: that round does not try it again. */
  readonly refusedIn?: string;
  /**
   * The token of a write that did not seem to arrive: used again for the same content, so that a
   * late arrival makes no second version.
   */
  readonly lost?: { readonly token: string; readonly fingerprint: string };
  /** How often in a row AWS called the name taken or busy without returning an object. */
  readonly waits?: number;
  /** ISO 8601. Before this time AWS takes no write to it, or reads of it are not reliable yet. */
  readonly notBefore?: string;
  /**
   * A write of this sync may have created an object of this name, or owned one before: an ownership
   * tag on it is trusted.
   */
  readonly wasOurs?: boolean;
  /** The name that a key has inside a many-to-one secret. */
  readonly documentKey?: string;
  /** Whether a many-to-one secret holds keys of others. */
  readonly hasForeignKeys?: boolean;
  /** ISO 8601: `deletedAt` of the deletion that a person confirmed. */
  readonly confirmedDeletion?: string;
  /** Every replica was seen complete since the last write. */
  readonly areReplicasInSync?: boolean;
  /**
   * Regions whose replica this sync made, noted before AWS is asked for it. Absent in rows of
   * earlier versions.
   */
  readonly ownReplicas?: readonly string[] | undefined;
}

export type WriteOperation = 'create' | 'update' | 'adopt' | 'restore' | 'delete';

/** A write whose answer is not recorded yet. Journalled before the call. */
export interface InFlight {
  readonly operation: WriteOperation;
  readonly runId: string;
  /** ISO 8601. */
  readonly at: string;
  /** The version before the write; null when there was none. */
  readonly baseVersion: string | null;
  /** Secrets Manager's ClientRequestToken, which becomes the version's id. */
  readonly token?: string;
  readonly fingerprint?: string;
  /** The secret's revision whose value is being written. */
  readonly revision?: number;
  readonly settings?: EntrySettings;
  /**
   * Many-to-one: what is being written of each of the sync's keys; null for one that is being
   * removed.
   */
  readonly keys?: Readonly<Record<string, KeyInFlight | null>>;
  /** Many-to-one: keys of the sync that the write leaves as somebody else changed them. */
  readonly left?: Readonly<Record<string, 'changed' | 'missing'>>;
  /** Many-to-one: whether the document being written holds keys of others. */
  readonly hasForeignKeys?: boolean;
}

export interface KeyInFlight {
  readonly fingerprint: string;
  readonly revision: number;
  /** The name inside the secret; absent in rows of earlier versions. */
  readonly documentKey?: string;
}

export type DriftKind =
  | 'changed'
  | 'missing'
  | 'scheduled-for-deletion'
  | 'type'
  | 'key'
  | 'tags'
  | 'replica'
  | 'foreign'
  // Found after a restore: keyferry itself wrote or deleted it later than this database knows.
  | 'later-write'
  | 'later-delete'
  // As before, and neither folder nor ledger knows the object.
  | 'later-create';

/** Only a person decides what becomes of it. */
export const isLater = (drift: DriftKind | null | undefined): boolean =>
  drift === 'later-write' || drift === 'later-delete' || drift === 'later-create';

/**
 * Whether such a difference persists after a read that found `seen`. A row without a fingerprint
 * agrees with every read: keyferry only knows that the object exists.
 */
export function staysLater(
  { drift, fingerprint }: Pick<LedgerEntry, 'drift' | 'fingerprint'>,
  seen: DriftKind | null | undefined,
): boolean {
  if (!isLater(drift)) return false;
  return seen ? seen !== 'foreign' : fingerprint === null;
}

/** Drift of the object's settings: its value is still the one that was written. */
export function isOfSettings(drift: DriftKind | null | undefined): boolean {
  return drift === 'tags' || drift === 'key' || drift === 'replica';
}

export interface LedgerEntry extends AwsLocation {
  readonly id: string;
  readonly syncId: string;
  readonly remoteName: string;
  /** The secret's key; empty for the one row that stands for a many-to-one secret as a whole. */
  readonly key: string;
  readonly connectionId: string;
  readonly folderId: string | null;
  /**
   * False for what was never claimed: the keys inside a many-to-one secret, and names that break a
   * rule.
   */
  readonly isClaim: boolean;
  /** Null while nothing was written. */
  readonly remoteVersion: string | null;
  readonly fingerprint: string | null;
  readonly inFlight: InFlight | null;
  /** As the last answer left it; `stateOf` distinguishes its four values. */
  readonly status: 'synced' | 'failed' | 'conflict' | 'skipped';
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly settings: EntrySettings;
  readonly observed: ObservedObject;
  readonly drift: DriftKind | null;
  readonly writtenAt: Date | null;
  readonly deletedAt: Date | null;
  readonly checkedAt: Date | null;
  readonly tagsCheckedAt: Date | null;
  /** The revision of the secret whose value was written. */
  readonly syncedRevision: number | null;
  /** Token bucket of the writes to one secret. */
  readonly pace: { readonly tokens: number; readonly at: string } | null;
}

/**
 * What a row says, in one word: `new` was never written nor refused, `writing` has a write without
 * an answer, `imported` was read from an object of somebody else, `left-behind` is an object that
 * the sync no longer reaches.
 */
export type EntryState = 'new' | 'writing' | 'synced' | 'failed' | 'conflict' | 'imported' | 'left-behind' | 'deleted';

/** The same rule as the column `sync_entries.state`, which a test compares with it. */
export function stateOf(
  entry: Pick<LedgerEntry, 'status' | 'inFlight' | 'checkedAt' | 'deletedAt' | 'remoteVersion' | 'errorCode'>,
): EntryState {
  const { status } = entry;
  const isRefused = status === 'failed' && entry.errorCode !== null;
  if (entry.inFlight !== null && !isRefused) return 'writing';
  if (status === 'skipped') return entry.checkedAt === null ? 'imported' : 'left-behind';
  if (entry.deletedAt !== null) return 'deleted';
  if (status === 'failed' && entry.remoteVersion === null && !isRefused) return 'new';
  return status;
}

/** What people see: for an object that drifted, that it was once written does not help them. */
export function shownState({ status, drift }: { readonly status: EntryState; readonly drift: string | null }): string {
  return status === 'synced' && drift !== null ? 'drifted' : status;
}

/** The key of the row that stands for a many-to-one secret as a whole. */
export const WHOLE_SECRET = '';

/** Whether this sync owns the object at AWS: written, answered, and not deleted. */
export function isOwned(entry: LedgerEntry): boolean {
  return (
    entry.remoteVersion !== null && entry.deletedAt === null && (entry.status === 'synced' || entry.status === 'failed')
  );
}

/**
 * Whether an object of this sync may be where no connection of it reaches; the same rule as
 * `wasLeft` of the deletion.
 */
export function isLeftBehind(entry: LedgerEntry): boolean {
  return stateOf(entry) === 'left-behind' && entry.remoteVersion !== null;
}

export function isSamePlace(a: AwsLocation, b: AwsLocation): boolean {
  return a.partition === b.partition && a.accountId === b.accountId && a.region === b.region && a.service === b.service;
}

/** One text for equal settings, whatever the order of their members. */
export function settingsText(settings: EntrySettings): string {
  return JSON.stringify([
    settings.keyId,
    settings.tier ?? null,
    sortedByName(settings.tags),
    [...(settings.replicaRegions ?? [])].sort(),
    // Left out where there are none: fingerprints of earlier versions stay as they are.
    ...(settings.replicaKeys === undefined ? [] : [sortedByName(settings.replicaKeys)]),
  ]);
}

const sortedByName = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
