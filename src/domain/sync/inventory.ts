/**
 * What was read of the destination, without values, and how it differs from what the ledger says.
 * Pure.
 */
import { isOurs, type Owner, whoseTags } from '../ownership.ts';
import { isSameKey } from './kms-keys.ts';
import type { DriftKind, LedgerEntry } from './ledger.ts';
import { faultOf, type Replicas, wantedReplicas } from './replicas.ts';

/** What is on record of a deleted sync's object. */
export interface FormerOwner {
  /** Of the org and folder that ask now. */
  readonly isSameFolder: boolean;
  /** Null when its last write is not on record. */
  readonly lastVersion: string | null;
  /** The keys that it owned inside a JSON secret. */
  readonly documentKeys: readonly string[];
  /** That it set itself, beside the one of ownership. */
  readonly tags: Readonly<Record<string, string>>;
}

/** One remote object as a read found it. */
export type RemoteState =
  | { readonly exists: false }
  | {
      readonly exists: true;
      readonly version: string;
      /** Undefined: the read that found it does not return tags. */
      readonly tags?: Readonly<Record<string, string>>;
      /** Set by a read that was narrowed to the ownership tag and does not return tags. */
      readonly isOurs?: true;
      /** The deleted sync of this installation that the tag names. */
      readonly formerOwner?: FormerOwner;
      /** Milliseconds since the epoch. */
      readonly lastModified?: number;
      /** Of a parameter: String, StringList or SecureString. */
      readonly type?: string;
      readonly keyId?: string | null;
      /** Set while the secret waits for its deletion. */
      readonly deletionScheduledAt?: Date;
      /** Versions and their labels, of Secrets Manager. */
      readonly versions?: Readonly<Record<string, readonly string[]>>;
      /** By region; undefined when the read that found it does not say. */
      readonly replicas?: Replicas;
      /** Another AWS service, a partner or a rotation manages the object. */
      readonly managedBy?: string;
    };

export type Inventory = ReadonlyMap<string, RemoteState>;

/** Undefined when the read did not say. */
export function isOursByTag(state: RemoteState, owner: Owner): boolean | undefined {
  if (!state.exists) return undefined;
  if (state.tags === undefined) return state.isOurs;
  return isOurs(whoseTags(state.tags, owner));
}

/** Who reads, and when. */
export interface DriftContext {
  readonly owner: Owner;
  readonly now: Date;
}

/** An answer takes up to 10 seconds, and is dated to the second. */
const DATED_SLACK_MS = 12_000;
/** AWS's clock and the worker's may differ. */
const UNKNOWN_CLOCK_SLACK_MS = 10 * 60_000;

/** What is wrong with an object's tags alone. */
export function findTagDrift(
  entry: LedgerEntry,
  tags: Readonly<Record<string, string>>,
  owner: Owner,
): DriftKind | undefined {
  if (!isOurs(whoseTags(tags, owner))) return 'foreign';
  return hasTags(tags, entry.settings.tags) ? undefined : 'tags';
}

/** The only type of parameter that keyferry writes. */
export const SECURE = 'SecureString';

/** Reads may miss a write that is younger than this. */
export const READ_LAG_MS = 60_000;

/** Whether reads may still miss keyferry's last write. */
export function isFresh(entry: Pick<LedgerEntry, 'writtenAt'>, now: Date): boolean {
  return entry.writtenAt !== null && now.getTime() - entry.writtenAt.getTime() <= READ_LAG_MS;
}

export function findDrift(entry: LedgerEntry, state: RemoteState, look: DriftContext): DriftKind | undefined {
  if (isUndecided(entry, state, look.now)) return undefined;
  if (!state.exists) return 'missing';
  if (state.deletionScheduledAt) return 'scheduled-for-deletion';
  if (isOursByTag(state, look.owner) === false) return 'foreign';
  if (state.type !== undefined && state.type !== SECURE) return 'type';
  if (state.version !== entry.remoteVersion || isModifiedSince(entry, state.lastModified)) return 'changed';
  if (state.keyId !== undefined && !isSameKey(entry.settings.keyId, state.keyId)) return 'key';
  if (state.tags !== undefined && !hasTags(state.tags, entry.settings.tags)) return 'tags';
  return hasBrokenReplica(entry, state.replicas, look.now) ? 'replica' : undefined;
}

/**
 * A replica that AWS is still making is not broken, and a read right after a write may still show
 * the previous key.
 */
function hasBrokenReplica(entry: LedgerEntry, replicas: Replicas | undefined, now: Date): boolean {
  if (replicas === undefined) return false;
  return wantedReplicas(entry.settings).some((wish) => {
    const fault = faultOf(wish, replicas);
    return fault !== undefined && !(fault === 'other-key' && isFresh(entry, now));
  });
}

/** Undefined when the read did not say. */
export function areReplicasInSync(entry: LedgerEntry, state: RemoteState): boolean | undefined {
  if (!state.exists || state.replicas === undefined) return undefined;
  const { replicas } = state;
  return wantedReplicas(entry.settings).every(
    (wish) => replicas[wish.region]?.status === 'InSync' && faultOf(wish, replicas) === undefined,
  );
}

/**
 * Whether a read seems older than keyferry's own write of the last minute: AWS may lag, or somebody
 * may have undone the write. A later read decides.
 */
export function isUndecided(entry: LedgerEntry, state: RemoteState, now: Date): boolean {
  if (!isFresh(entry, now)) return false;
  if (!state.exists) return true;
  if (state.versions) return entry.remoteVersion !== null && state.versions[entry.remoteVersion] === undefined;
  return Number(state.version) < Number(entry.remoteVersion);
}

/**
 * A parameter that was deleted and created again starts at version 1, as keyferry's did: only its
 * date differs.
 */
function isModifiedSince(entry: LedgerEntry, lastModified: number | undefined): boolean {
  if (lastModified === undefined) return false;
  if (entry.observed.lastModified !== undefined) return lastModified !== entry.observed.lastModified;
  if (entry.writtenAt === null) return false;
  const { clockAheadMs } = entry.observed;
  const slackMs = clockAheadMs === undefined ? UNKNOWN_CLOCK_SLACK_MS : DATED_SLACK_MS;
  return Math.abs(lastModified - entry.writtenAt.getTime() - (clockAheadMs ?? 0)) > slackMs;
}

function hasTags(found: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => found[key] === value);
}
