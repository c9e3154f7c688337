/**
 * Replicas of a secret in other regions, each with a KMS key of its own: what is wanted, whose they
 * are, and what is to change. Pure.
 */
import { defined } from '../defined.ts';
import { compareKeys } from './kms-keys.ts';
import type { EntrySettings, LedgerEntry } from './ledger.ts';

export interface ReplicaWish {
  readonly region: string;
  /** Null: `aws/secretsmanager` of the region. */
  readonly keyId: string | null;
}

/** By region. */
export type Replicas = Readonly<
  Record<
    string,
    {
      readonly status: 'InSync' | 'InProgress' | 'Failed';
      readonly message: string;
      /** Null: `aws/secretsmanager` of the region. */
      readonly keyId: string | null;
    }
  >
>;

export function wantedReplicas({ replicaRegions = [], replicaKeys = {} }: EntrySettings): readonly ReplicaWish[] {
  return replicaRegions.map((region) => ({ region, keyId: replicaKeys[region] ?? null }));
}

export type ReplicaFault = 'missing' | 'failed' | 'other-key';

/**
 * What is wrong with a replica, as a read found it; undefined also while AWS is still making it.
 */
export function faultOf({ region, keyId }: ReplicaWish, replicas: Replicas): ReplicaFault | undefined {
  const replica = replicas[region];
  if (replica === undefined) return 'missing';
  if (replica.status === 'Failed') return 'failed';
  return compareKeys(keyId, replica.keyId) === 'different' ? 'other-key' : undefined;
}

/** Regions whose replica this sync made, or began to make. */
export function ownReplicas({ observed, settings }: Pick<LedgerEntry, 'observed' | 'settings'>): readonly string[] {
  // Rows of earlier versions name the regions that the sync asked for.
  return observed.ownReplicas ?? settings.replicaRegions ?? [];
}

function withOwnReplicas(entry: LedgerEntry, regions: readonly string[]): LedgerEntry {
  return { ...entry, observed: { ...entry.observed, ownReplicas: regions } };
}

/** The row before its secret is created: all its replicas will be ours. */
export function beforeCreation(entry: LedgerEntry, { replicaRegions }: EntrySettings): LedgerEntry {
  return replicaRegions === undefined ? entry : withOwnReplicas(entry, replicaRegions);
}

export interface ReplicaChanges {
  /** To be removed and then made again, the only way to another key. They are among `made`. */
  readonly replaced: readonly string[];
  readonly made: readonly ReplicaWish[];
  /** No longer wanted. */
  readonly dropped: readonly string[];
}

/** Only replicas of our own are ever removed. */
export function planReplicas(
  entry: Pick<LedgerEntry, 'observed' | 'settings'>,
  settings: EntrySettings,
  replicas: Replicas,
): ReplicaChanges {
  const [own, wanted] = [ownReplicas(entry), wantedReplicas(settings)];
  const isReplaced = (wish: ReplicaWish) => own.includes(wish.region) && needsOtherKey(entry.settings, wish, replicas);
  const isMissing = ({ region }: ReplicaWish) => replicas[region] === undefined || replicas[region].status === 'Failed';
  const regions = wanted.map(({ region }) => region);
  return {
    replaced: wanted.filter(isReplaced).map(({ region }) => region),
    made: wanted.filter((wish) => isMissing(wish) || isReplaced(wish)),
    dropped: own.filter((region) => !regions.includes(region) && replicas[region] !== undefined),
  };
}

/** An alias cannot be compared with a key's ARN: then it counts whether the setting has changed. */
function needsOtherKey(before: EntrySettings, { region, keyId }: ReplicaWish, replicas: Replicas): boolean {
  const replica = replicas[region];
  if (replica === undefined) return false;
  const verdict = compareKeys(keyId, replica.keyId);
  return verdict === 'different' || (verdict === 'unknown' && (before.replicaKeys?.[region] ?? null) !== keyId);
}

/**
 * The row as it is stored before AWS is asked for the changes: after a lost answer what was made
 * still counts as ours, and what was removed is no longer expected there, so that the next run
 * continues instead of reporting drift.
 */
export function begunReplicas(entry: LedgerEntry, { replaced, made }: ReplicaChanges): LedgerEntry {
  const own = new Set([...ownReplicas(entry), ...made.map(({ region }) => region)]);
  const { replicaRegions = [] } = entry.settings;
  const kept = replicaRegions.filter((region) => !replaced.includes(region));
  return onlyReplicasOf(withOwnReplicas(entry, [...own]), kept);
}

/** The row as it is compared with AWS: a replica that is no longer wanted may be gone. */
export function onlyReplicasOf(entry: LedgerEntry, regions: readonly string[]): LedgerEntry {
  const { replicaRegions, replicaKeys = {} } = entry.settings;
  if (replicaRegions === undefined) return entry;
  const keys = Object.entries(replicaKeys).filter(([region]) => regions.includes(region));
  return withReplicaSettings(entry, {
    replicaRegions: replicaRegions.filter((region) => regions.includes(region)),
    ...(keys.length > 0 ? { replicaKeys: Object.fromEntries(keys) } : {}),
  });
}

/** The row once AWS has taken the changes. */
export function changedReplicas(entry: LedgerEntry, changes: ReplicaChanges, wanted: EntrySettings): LedgerEntry {
  const begun = ownReplicas(begunReplicas(entry, changes));
  if (begun.length === 0 && wanted.replicaRegions === undefined) return entry;
  const own = begun.filter((region) => wanted.replicaRegions?.includes(region) === true);
  return withReplicaSettings(withOwnReplicas(entry, own), wanted);
}

type ReplicaSettings = Pick<EntrySettings, 'replicaRegions' | 'replicaKeys'>;

function withReplicaSettings(entry: LedgerEntry, { replicaRegions, replicaKeys }: ReplicaSettings): LedgerEntry {
  const { replicaRegions: _regions, replicaKeys: _keys, ...others } = entry.settings;
  const settings = {
    ...others,
    ...defined({ replicaRegions, replicaKeys }),
  };
  return { ...entry, settings };
}
