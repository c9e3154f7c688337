/**
 * The first comparison of a sync in a new epoch of the installation: this database may be older
 * than what AWS holds. What differs from the ledger was written or deleted by keyferry itself after
 * the backup. Where AWS holds the folder's value, the ledger follows; everything else waits for a
 * person, who accepts the destination or the source.
 */
import { drifted, inOrder, removed, written } from '../../domain/sync/entry.ts';
import { mustCompare } from '../../domain/installation.ts';
import { isOursByTag } from '../../domain/sync/inventory.ts';
import { type DriftKind, isLater, isOwned, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { isDecided, nameKey } from '../../domain/sync/plan.ts';
import type { DesiredEntry } from '../../domain/sync/desired.ts';
import { makeEntry } from './apply.ts';
import { checkDrift } from './check.ts';
import type { Destination, Found } from './destinations/destination.ts';
import { openDestination } from './destinations/open.ts';
import { compareFormer } from './former-places.ts';
import { noteLaterDocument, settleLaterDocument } from './later-document.ts';
import { noteLaterObjects } from './later-objects.ts';
import { findFormer } from './places.ts';
import { survey, fingerprintOf } from './values.ts';
import { isHere, type SyncJob } from './job.ts';
import type { Round } from './progress.ts';
import { writeBack } from './write-back.ts';

type Comparable = Pick<SyncJob, 'sync' | 'installation' | 'ledger'>;

/** In a new epoch, and as long as a person has to decide something. */
export function mustCompareWithAws({ sync, installation, ledger }: Comparable): boolean {
  return mustCompare(sync, installation.epochStartedAt) || ledger.all().some((entry) => isLater(entry.drift));
}

export async function compareWithAws(round: Round, destination: Destination): Promise<void> {
  const { job } = round;
  await compareFormer(job);
  await checkDrift(round, destination, { isCheck: true, except: new Set(findFormer(job)) });
  await noteUnknown(job, destination);
  await noteLaterObjects(round, destination);
  await noteLaterDocument(job, destination);
  const former = new Set(findFormer(job));
  const isDoubtful = (entry: LedgerEntry) => isHere(job, entry) && isOwned(entry) && toLater(entry) !== undefined;
  const doubtful = job.ledger.all().filter((entry) => isDoubtful(entry) && !former.has(entry));
  if (doubtful.length === 0) return;
  const found = new Map((await destination.readAll()).map((one) => [nameKey(one), one]));
  const desired = new Map(job.desired.map((one) => [nameKey(one), one]));
  const keys = doubtful.filter((entry) => entry.key !== WHOLE_SECRET);
  const surveyed = await survey(
    job,
    keys.flatMap((entry) => desired.get(nameKey(entry)) ?? []),
  );
  const now = job.run.now();
  const rows = keys.map((entry) => {
    const [there, wanted] = [found.get(nameKey(entry)), surveyed.get(entry.key)];
    if (there && wanted && isEqual(job, wanted, there)) return followed(job, entry, { wanted, there });
    const later = toLater(entry) ?? 'later-write';
    if (desired.has(nameKey(entry))) return drifted(entry, later, now);
    // Gone on both sides.
    if (later === 'later-delete') return removed(entry, now);
    return later === 'later-create' && staysAtAws(job, entry) ? inOrder(entry) : drifted(entry, later, now);
  });
  await job.ledger.storeAll(rows);
  await settleLaterDocument(job);
}

/** A person has decided for the folder, which lacks it, and the sync deletes nothing. */
function staysAtAws({ planOptions }: SyncJob, entry: LedgerEntry): boolean {
  return planOptions.keepsDeleted && isDecided(planOptions, entry);
}

/**
 * Names of the folder whose objects carry the ownership tag and that this ledger does not know:
 * written after the backup.
 */
async function noteUnknown(job: SyncJob, destination: Destination): Promise<void> {
  if (!destination.listOurs) return;
  // What is recorded as deleted after the comparison waits for its deletion, and is no later write.
  const hasCompared = !mustCompare(job.sync, job.installation.epochStartedAt);
  const known = new Set(
    job.ledger
      .all()
      .filter((entry) => isHere(job, entry) && (isOwned(entry) || (hasCompared && entry.deletedAt !== null)))
      .map(nameKey),
  );
  const unknown = job.desired.filter((one) => !one.problem && !known.has(nameKey(one)));
  if (unknown.length === 0) return;
  const names = unknown.map((one) => one.remoteName);
  const inventory = await destination.inspect(names);
  const there = names.filter((name) => inventory.get(name)?.exists === true);
  const identified = await destination.identify(there, inventory);
  const now = job.run.now();
  const ours = unknown.flatMap((desired): readonly LedgerEntry[] => {
    const state = identified.get(desired.remoteName) ?? { exists: false };
    if (!state.exists || isOursByTag(state, job.owner) !== true) return [];
    const entry = makeEntry(job, { ...desired, desired });
    return [drifted({ ...entry, isClaim: true, remoteVersion: state.version, status: 'failed' }, 'later-write', now)];
  });
  await job.ledger.storeAll(ours);
}

/** The name of a difference that keyferry made itself; undefined for any other. */
function toLater({ drift }: LedgerEntry): DriftKind | undefined {
  if (drift === 'later-create') return drift;
  if (drift === 'changed' || drift === 'later-write') return 'later-write';
  return drift === 'missing' || drift === 'scheduled-for-deletion' || drift === 'later-delete'
    ? 'later-delete'
    : undefined;
}

function isEqual(job: SyncJob, wanted: DesiredEntry, { value }: Found): boolean {
  if (value === undefined || wanted.fingerprint === undefined) return false;
  return fingerprintOf(job, wanted, { value, settings: wanted.settings }) === wanted.fingerprint;
}

interface Pair {
  readonly wanted: DesiredEntry;
  readonly there: Found;
}

function followed(job: SyncJob, entry: LedgerEntry, { wanted, there }: Pair): LedgerEntry {
  const { settings, revision, fingerprint = '' } = wanted;
  const by = { version: there.version, fingerprint, revision, settings, folderId: job.folder.id, at: job.run.now() };
  // When AWS took the value is not known here: the next check records its date instead of doubting
  // it.
  return { ...written(entry, by), isClaim: entry.isClaim, writtenAt: null };
}

/**
 * A person keeps what AWS holds: values go into the folder, deletions too. What a rotation manages
 * stays as it is.
 */
export async function acceptDestination(job: SyncJob): Promise<AcceptedDestination> {
  const later = job.ledger.all().filter((entry) => isHere(job, entry) && isLater(entry.drift));
  const created = new Set(later.filter((entry) => entry.drift === 'later-create').map((entry) => entry.key));
  const found = new Map((await openDestination(job, job.target.kind).readAll()).map((one) => [nameKey(one), one]));
  const names = await job.deps.source.names(job.folder);
  const managed = new Set(names.filter((name) => name.managedBy !== null).map((name) => name.key));
  const open = later.filter((entry) => isOwned(entry) && !managed.has(entry.key));
  const changes = open.flatMap((entry): readonly { readonly key: string; readonly value: string | null }[] => {
    // A key that moved is gone under its old name only.
    if (entry.drift === 'later-delete') return created.has(entry.key) ? [] : [{ key: entry.key, value: null }];
    const value = found.get(nameKey(entry))?.value;
    return value === undefined ? [] : [{ key: entry.key, value }];
  });
  await writeBack(job, changes);
  return {
    accepted: changes.map((one) => one.key),
    managed: later.filter((entry) => isOwned(entry) && managed.has(entry.key)).map((entry) => entry.key),
  };
}

export interface AcceptedDestination {
  /** Keys whose value or deletion the folder has taken over. */
  readonly accepted: readonly string[];
  /** Keys that a rotation manages: only the rotation decides them. */
  readonly managed: readonly string[];
}
