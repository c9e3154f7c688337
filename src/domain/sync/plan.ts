/**
 * The plan: what a sync would do, from what is desired, what the ledger says was written, and what
 * was read of the destination. Pure: equal input, equal plan; no value goes in or comes out.
 *
 *   desired, not in the ledger   → create; restore after our own deletion; adopt or conflict where
 *                                  something foreign is known to be there
 *   desired and in the ledger    → unchanged by revision or fingerprint, else update; drift is a
 *                                  conflict unless it may be overwritten
 *   in the ledger, not desired   → delete; a key that moved keeps its old object until the new one
 *                                  is in place
 */
import { defined } from '../defined.ts';
import { serviceFacts } from '../destinations/registry.ts';
import type { DesiredEntry } from './desired.ts';
import type { Owner } from '../ownership.ts';
import { findDrift, type Inventory, isOursByTag, type RemoteState } from './inventory.ts';
import { type Existing, findTakeoverProblem, isLeftAsWritten } from './takeover.ts';
import {
  type DriftKind,
  isLater,
  isOwned,
  isSamePlace,
  type LedgerEntry,
  type AwsLocation,
  settingsText,
  staysLater,
  WHOLE_SECRET,
} from './ledger.ts';

export type Action = 'create' | 'update' | 'delete' | 'adopt' | 'restore' | 'conflict' | 'invalid' | 'unchanged';

export interface PlanOptions {
  readonly owner: Owner;
  readonly place: AwsLocation;
  readonly folderId: string;
  readonly onExisting: 'fail' | 'adopt';
  /** `--no-delete`: what left the source stays at AWS. */
  readonly keepsDeleted: boolean;
  /** Drift is overwritten: repair mode, or a person asked for the sync. */
  readonly overwritesDrift: boolean;
  /**
   * A person keeps the folder's values over what was written after the backup of this database;
   * except those of a rotation that has not found out which key is in use.
   */
  readonly acceptsSource?: { readonly except: ReadonlySet<string> };
}

/** Whether a difference that only a person decides is decided for the folder. */
export function isDecided(options: Pick<PlanOptions, 'acceptsSource'>, { key }: { readonly key: string }): boolean {
  return options.acceptsSource?.except.has(key) === false;
}

export interface PlanInput {
  readonly desired: readonly DesiredEntry[];
  readonly ledger: readonly LedgerEntry[];
  /** By remote name; only what was read. */
  readonly inventory?: Inventory;
  readonly options: PlanOptions;
  readonly now: Date;
}

export interface PlannedEntry {
  readonly action: Action;
  readonly key: string;
  readonly remoteName: string;
  readonly reason: string;
  readonly code?: string;
  readonly drift?: DriftKind;
  readonly desired?: DesiredEntry;
  readonly entry?: LedgerEntry;
  /** Of a deletion: the key lives on under another name. */
  readonly isReplaced?: boolean;
}

export interface Plan {
  readonly entries: readonly PlannedEntry[];
  /** Equal to the source as far as is known; some only need their revision noted. */
  readonly unchanged: readonly PlannedEntry[];
}

export function planSync(input: PlanInput): Plan {
  const ledger = indexLedger(input);
  const wanted = input.desired.map((desired) => planDesired(desired, ledger.get(nameKey(desired)), input));
  const gone = input.options.keepsDeleted ? [] : planDeletions(input);
  const all = [...wanted, ...gone];
  return {
    entries: withoutUnreplaced(all.filter((one) => one.action !== 'unchanged')),
    unchanged: all.filter((one) => one.action === 'unchanged'),
  };
}

/** Identifies an object, or a key inside a JSON secret, at one place. */
export const nameKey = (one: { readonly remoteName: string; readonly key: string }): string =>
  `${one.remoteName}\n${one.key}`;

function indexLedger(input: PlanInput): ReadonlyMap<string, LedgerEntry> {
  const here = input.ledger.filter((entry) => isSamePlace(entry, input.options.place));
  return new Map(here.map((entry) => [nameKey(entry), entry]));
}

function planDesired(desired: DesiredEntry, entry: LedgerEntry | undefined, input: PlanInput): PlannedEntry {
  const base = { key: desired.key, remoteName: desired.remoteName, desired, ...defined({ entry }) };
  if (desired.problem)
    return { ...base, action: 'invalid', code: desired.problem.code, reason: desired.problem.message };
  if (entry?.inFlight) return { ...base, action: 'update', reason: 'the answer to an earlier write is not known' };
  const state = input.inventory?.get(desired.remoteName);
  if (entry && isOwned(entry)) return { ...base, ...planOwned(desired, { ...input, entry, state }) };
  return { ...base, ...planNew(desired, { ...input, entry, state }) };
}

type Decision = Pick<PlannedEntry, 'action' | 'reason' | 'code' | 'drift'>;
type Known<E> = PlanInput & { readonly entry: E; readonly state: RemoteState | undefined };

function planNew(desired: DesiredEntry, known: Known<LedgerEntry | undefined>): Decision {
  const { entry, state, options } = known;
  // An import found the same value in a foreign object: nothing to do until the source changes.
  if (entry?.status === 'skipped' && isUnchanged(desired, entry, options))
    return { action: 'unchanged', reason: 'holds the same value' };
  if (!state) return entry?.deletedAt ? restored(options) : { action: 'create', reason: 'new in the source' };
  if (!state.exists) return { action: 'create', reason: 'new in the source' };
  return planExisting(state, known);
}

const restored = (options: PlanOptions): Decision => ({
  action: serviceFacts(options.place.service)?.canRestore === true ? 'restore' : 'create',
  reason: 'back in the source after its deletion',
});

function planExisting(state: Extract<RemoteState, { exists: true }>, known: Known<LedgerEntry | undefined>): Decision {
  const { entry, options } = known;
  const isMarked = isOursByTag(state, options.owner) === true;
  if (state.deletionScheduledAt && (entry?.deletedAt || (isMarked && entry?.observed.wasOurs)))
    return restored(options);
  if (state.deletionScheduledAt)
    return conflict('a secret of this name is scheduled for deletion and is not managed by this sync');
  const refusal = findTakeoverProblem(state, options, entry);
  if (refusal) return conflict(refusal);
  return { action: 'adopt', reason: describeTakeover(state, options) };
}

function describeTakeover(state: Existing, options: PlanOptions): string {
  if (isOursByTag(state, options.owner) === true) return 'carries the tag of this sync';
  if (isLeftAsWritten(state)) return 'was left by a deleted sync of this folder';
  return 'exists and is not managed by this sync; adoption is allowed';
}

const conflict = (reason: string, drift?: DriftKind): Decision => ({
  action: 'conflict',
  reason,
  code: drift === undefined || drift === 'foreign' ? 'SYNC_CONFLICT' : 'SYNC_DRIFTED',
  ...defined({ drift }),
});

function planOwned(desired: DesiredEntry, known: Known<LedgerEntry>): Decision {
  const { entry, state, options } = known;
  const seen = state ? findDrift(entry, state, { now: known.now, owner: options.owner }) : entry.drift;
  const drift = (staysLater(entry, seen) ? entry.drift : seen) ?? undefined;
  if (drift === 'foreign') return conflict(OWNERSHIP_LOST, drift);
  const change = findChange(desired, entry, options);
  if (entry.observed.tier === 'Advanced' && desired.settings.tier === 'standard') return downgrade;
  if (drift) return planDrifted(drift, { key: desired.key, change, options });
  return change === undefined ? { action: 'unchanged', reason: 'equal' } : { action: 'update', reason: change };
}

/**
 * Deleting and re-creating it would remove the secret for half a minute: a person must decide that.
 */
const downgrade: Decision = {
  action: 'invalid',
  code: 'SYNC_ENTRY_INVALID',
  reason:
    'AWS cannot turn an advanced parameter into a standard one. Keep `tier: advanced` or intelligent, or delete the parameter at AWS.',
};

/** Why an object of the ledger is neither written nor deleted. */
export const OWNERSHIP_LOST = 'no longer carries the tag of this sync: another owner took it over';

const driftTexts: Readonly<Record<DriftKind, string>> = {
  changed: 'was changed at AWS outside keyferry',
  missing: 'was deleted at AWS outside keyferry',
  'scheduled-for-deletion': 'was scheduled for deletion outside keyferry',
  type: 'was changed at AWS to another type than SecureString',
  key: 'has another KMS key than was set',
  tags: 'has lost tags that were set',
  replica: 'lacks a replica, has one under another KMS key, or AWS reports that its replication failed',
  foreign: 'no longer carries the tag of this sync',
  'later-write': 'was written after this database was backed up',
  'later-delete': 'was deleted after this database was backed up',
  'later-create': 'was created after this database was backed up',
};

export function describeDrift(kind: DriftKind): string {
  return driftTexts[kind];
}

interface Drifted {
  readonly key: string;
  readonly change: string | undefined;
  readonly options: PlanOptions;
}

function planDrifted(drift: DriftKind, known: Drifted): Decision {
  const reason = driftTexts[drift];
  if (isLater(drift) && !isDecided(known.options, known)) return conflict(`${reason}; a person decides`, drift);
  if (!known.options.overwritesDrift) {
    // Nothing wanted and nothing overwritten: the drift is reported, the plan has no change.
    if (known.change === undefined) return { action: 'unchanged', reason, drift };
    return conflict(`${reason}; not overwritten`, drift);
  }
  if (drift === 'missing' || drift === 'later-delete') return { action: 'create', reason, drift };
  if (drift === 'type') return { action: 'update', reason: `${reason}; deleted and created again`, drift };
  return { action: drift === 'scheduled-for-deletion' ? 'restore' : 'update', reason, drift };
}

/** What differs between desired and written, in words; undefined when nothing does. */
export function findChange(
  desired: DesiredEntry,
  entry: LedgerEntry,
  options: Pick<PlanOptions, 'folderId'>,
): string | undefined {
  const differing = differingSettings(desired, entry);
  if (differing.length > 0) return `settings changed: ${differing.join(', ')}`;
  return isUnchanged(desired, entry, options) ? undefined : 'value changed';
}

function differingSettings(desired: DesiredEntry, entry: LedgerEntry): readonly string[] {
  const [a, b] = [desired.settings, entry.settings];
  if (settingsText(a) === settingsText(b)) return [];
  const pick = (name: 'tags' | 'replicaRegions' | 'replicaKeys') =>
    settingsText({ keyId: null, tags: {}, [name]: a[name] ?? [] }) !==
    settingsText({ keyId: null, tags: {}, [name]: b[name] ?? [] });
  return [
    ...(a.keyId === b.keyId ? [] : ['KMS key']),
    ...(a.tier === b.tier ? [] : ['tier']),
    ...(pick('tags') ? ['tags'] : []),
    ...(pick('replicaRegions') ? ['replica regions'] : []),
    ...(pick('replicaKeys') ? ['KMS keys of replicas'] : []),
  ];
}

/** By revision where that decides it, so that nothing is decrypted; else by fingerprint. */
function isUnchanged(desired: DesiredEntry, entry: LedgerEntry, options: Pick<PlanOptions, 'folderId'>): boolean {
  if (entry.fingerprint === null) return false;
  const isSameRevision = entry.syncedRevision === desired.revision && entry.folderId === options.folderId;
  return isSameRevision || desired.fingerprint === entry.fingerprint;
}

function planDeletions(input: PlanInput): readonly PlannedEntry[] {
  const { place } = input.options;
  const wanted = new Set(input.desired.map(nameKey));
  const keys = new Set(input.desired.map((desired) => desired.key));
  return input.ledger
    .filter((entry) => entry.key !== WHOLE_SECRET && isDeletable(entry))
    .filter((entry) => !isLaterObject(entry) || isDeletionDecided(input.options, entry))
    .filter((entry) => !isSamePlace(entry, place) || !wanted.has(nameKey(entry)))
    .map((entry) => {
      const isReplaced = keys.has(entry.key);
      const reason = isReplaced ? 'lives under another name now' : 'no longer in the source';
      return { action: 'delete', key: entry.key, remoteName: entry.remoteName, reason, entry, isReplaced };
    });
}

/** Its deletion would destroy what keyferry wrote after the backup. */
export const isLaterObject = ({ drift }: LedgerEntry): boolean => drift === 'later-write' || drift === 'later-create';

/**
 * What was created after the backup may be the pair of an uncertain rotation, under the name that
 * this sync gave it by then.
 */
function isDeletionDecided(options: PlanOptions, entry: LedgerEntry): boolean {
  const mayBePair = entry.drift === 'later-create' && options.acceptsSource?.except.size !== 0;
  return !mayBePair && isDecided(options, entry);
}

/**
 * The plan without deletions of objects whose key cannot be written under its new name: they may be
 * the last copy.
 */
export function withoutUnreplaced(entries: readonly PlannedEntry[]): readonly PlannedEntry[] {
  const isUnwritable = ({ action }: PlannedEntry) => action === 'invalid' || action === 'conflict';
  const unwritable = new Set(entries.filter(isUnwritable).map((one) => one.key));
  return entries.filter((one) => one.action !== 'delete' || one.isReplaced !== true || !unwritable.has(one.key));
}

/** Owned at AWS, or possibly so: what is in flight is resolved before it is deleted. */
function isDeletable(entry: LedgerEntry): boolean {
  return isOwned(entry) || entry.inFlight !== null;
}
