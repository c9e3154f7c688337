/**
 * Deletes objects of keys that left the source or moved, wherever they lie. What lies behind a
 * connection that is not valid waits for it; what no connection reaches any more is left behind and
 * listed.
 */
import type { DesiredEntry } from '../../domain/sync/desired.ts';
import { failed, leftBehind } from '../../domain/sync/entry.ts';
import { isOwned, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { nameKey, type PlannedEntry } from '../../domain/sync/plan.ts';
import { toJobError } from '../../errors.ts';
import { isSettledInRound, skipWaiting, storeDeferred } from './apply.ts';
import { refusedNow, settleThrown, type WriteResult } from './destinations/journal.ts';
import { compareFormer, isKept } from './former-places.ts';
import { chunk } from '../../concurrency/pool.ts';
import { type EntryGroup, groupByPlace, type Unreachable } from './places.ts';
import type { Slice } from './slice.ts';
import { isHere, type Journal, type SyncJob } from './job.ts';

/** Returns false when the slice ended before the deletions did. */
export async function removeGone(job: SyncJob, deletions: readonly PlannedEntry[], slice: Slice): Promise<boolean> {
  if (deletions.length === 0) return true;
  await compareFormer(job);
  const inPlace = findKeysInPlace(job);
  // The old object of a key that moved may be its last copy.
  const ready = deletions.filter(
    (one) => !isSettledInRound(job, one) && (one.isReplaced !== true || inPlace.has(one.key)),
  );
  const entries = ready.flatMap((one) => (one.entry ? [job.ledger.get(one.entry.id) ?? one.entry] : []));
  return removeEntries(
    job,
    entries.filter((entry) => entry.deletedAt === null && !isKept(job, entry)),
    slice,
  );
}

export async function removeEntries(job: SyncJob, entries: readonly LedgerEntry[], slice: Slice): Promise<boolean> {
  const { groups, unreachable } = await groupByPlace(job, entries);
  for (const lost of unreachable) await (lost.waitsFor ? keepWaiting(job, lost) : leave(job, lost));
  for (const group of groups) {
    const isComplete = await removeGroup(group, slice);
    if (!isComplete) return false;
  }
  return true;
}

async function removeGroup({ job, destination, entries }: EntryGroup, slice: Slice): Promise<boolean> {
  const due = entries.filter((entry) => !skipWaiting({ job, slice }, entry));
  destination.expect?.(due.map((entry) => entry.remoteName));
  for (const part of chunk(due, destination.removalsPerCall)) {
    if (!slice.isOpen()) return false;
    slice.countWrite();
    try {
      const results = await destination.remove(part);
      for (const [index, result] of results.entries()) await noteRemoval({ job, slice }, part[index], result);
    } catch (raw) {
      slice.note(
        await settleThrown(
          job,
          part.map((entry) => job.ledger.get(entry.id) ?? entry),
          toJobError(raw),
        ),
      );
    }
  }
  return true;
}

async function noteRemoval(
  { job, slice }: { readonly job: SyncJob; readonly slice: Slice },
  entry: LedgerEntry | undefined,
  result: WriteResult,
): Promise<void> {
  if (entry && result.kind === 'deferred') await storeDeferred(job, entry, result.until);
  slice.note(result);
}

/**
 * The objects stay owned; each later run tries again. A write in flight there is resolved first.
 */
async function keepWaiting(job: Journal, { entries, reason, waitsFor }: Unreachable): Promise<void> {
  const { code = 'CONNECTION_INVALID', connection = '' } = waitsFor ?? {};
  const remedy = `Repair the connection, or leave the object there with \`keyferry connection delete ${connection}\`.`;
  const text = ({ remoteName, accountId, region }: LedgerEntry) =>
    `${remoteName} in account ${accountId}, ${region}, is not deleted yet: ${reason}. ${remedy}`;
  const now = job.run.now();
  const rows = entries.map((entry) => ({
    ...failed(entry, { code, message: text(entry) }, now),
    inFlight: entry.inFlight,
  }));
  await job.ledger.storeAll(rows.map((row) => refusedNow(job, row)));
}

async function leave(job: Pick<SyncJob, 'ledger' | 'run'>, { entries, reason }: Unreachable): Promise<void> {
  const text = (entry: LedgerEntry) =>
    `${entry.remoteName} stays in account ${entry.accountId}, ${entry.region}: ${reason}. Delete it there by hand.`;
  await job.ledger.storeAll(entries.map((entry) => leftBehind(entry, text(entry), job.run.now())));
}

/** Keys whose present value is in place under the name that the sync gives them now. */
function findKeysInPlace(
  job: Pick<SyncJob, 'ledger' | 'place' | 'target' | 'folder' | 'desired'>,
): ReadonlySet<string> {
  const rows = new Map(
    job.ledger
      .all()
      .filter((entry) => isHere(job, entry))
      .map((entry) => [nameKey(entry), entry]),
  );
  // Keys inside a JSON secret are in place only while the secret is.
  if (job.target.kind.holdsAllKeys) {
    const whole = rows.get(nameKey({ remoteName: job.target.namePrefix, key: WHOLE_SECRET }));
    if (!isInPlace(whole)) return new Set();
  }
  const isKeyInPlace = (desired: DesiredEntry) => {
    const row = rows.get(nameKey(desired));
    return isInPlace(row) && row.folderId === job.folder.id && (row.syncedRevision ?? -1) >= desired.revision;
  };
  return new Set(job.desired.filter(isKeyInPlace).map((desired) => desired.key));
}

function isInPlace(entry: LedgerEntry | undefined): entry is LedgerEntry {
  if (entry === undefined || !isOwned(entry)) return false;
  return entry.status === 'synced' && entry.inFlight === null && entry.drift === null;
}
