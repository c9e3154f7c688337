/**
 * Deletes objects of keys that left the source or moved, wherever they lie. What lies behind a connection that is not valid
 * waits for it; what no connection reaches any more is left behind and listed.
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
import { isHere, type SyncWork } from './work.ts';

/** Returns false when the slice ended before the deletions did. */
export async function removeGone(work: SyncWork, deletions: readonly PlannedEntry[], slice: Slice): Promise<boolean> {
  if (deletions.length === 0) return true;
  await compareFormer(work);
  const inPlace = findKeysInPlace(work);
  // The old object of a key that moved may be its last copy.
  const ready = deletions.filter(
    (one) => !isSettledInRound(work, one) && (one.isReplaced !== true || inPlace.has(one.key)),
  );
  const entries = ready.flatMap((one) => (one.entry ? [work.ledger.get(one.entry.id) ?? one.entry] : []));
  return removeEntries(
    work,
    entries.filter((entry) => entry.deletedAt === null && !isKept(work, entry)),
    slice,
  );
}

export async function removeEntries(work: SyncWork, entries: readonly LedgerEntry[], slice: Slice): Promise<boolean> {
  const { groups, unreachable } = await groupByPlace(work, entries);
  for (const lost of unreachable) await (lost.waitsFor ? keepWaiting(work, lost) : leave(work, lost));
  for (const group of groups) {
    const isComplete = await removeGroup(group, slice);
    if (!isComplete) return false;
  }
  return true;
}

async function removeGroup({ work, destination, entries }: EntryGroup, slice: Slice): Promise<boolean> {
  const due = entries.filter((entry) => !skipWaiting({ work, slice }, entry));
  destination.expect?.(due.map((entry) => entry.remoteName));
  for (const part of chunk(due, destination.removalsPerCall)) {
    if (!slice.isOpen()) return false;
    slice.countWrite();
    try {
      const results = await destination.remove(part);
      for (const [index, result] of results.entries()) await noteRemoval({ work, slice }, part[index], result);
    } catch (raw) {
      slice.note(
        await settleThrown(
          work,
          part.map((entry) => work.ledger.get(entry.id) ?? entry),
          toJobError(raw),
        ),
      );
    }
  }
  return true;
}

async function noteRemoval(
  { work, slice }: { readonly work: SyncWork; readonly slice: Slice },
  entry: LedgerEntry | undefined,
  result: WriteResult,
): Promise<void> {
  if (entry && result.kind === 'deferred') await storeDeferred(work, entry, result.until);
  slice.note(result);
}

/** The objects stay ours; each later run tries again. A write in flight there is looked at first. */
async function keepWaiting(work: SyncWork, { entries, reason, waitsFor }: Unreachable): Promise<void> {
  const { code = 'CONNECTION_INVALID', connection = '' } = waitsFor ?? {};
  const remedy = `Repair the connection, or leave the object there with \`keyferry connection delete ${connection}\`.`;
  const text = ({ remoteName, accountId, region }: LedgerEntry) =>
    `${remoteName} in account ${accountId}, ${region}, is not deleted yet: ${reason}. ${remedy}`;
  const now = work.run.now();
  const rows = entries.map((entry) => ({
    ...failed(entry, { code, message: text(entry) }, now),
    inFlight: entry.inFlight,
  }));
  await work.ledger.storeAll(rows.map((row) => refusedNow(work, row)));
}

async function leave(work: SyncWork, { entries, reason }: Unreachable): Promise<void> {
  const text = (entry: LedgerEntry) =>
    `${entry.remoteName} stays in account ${entry.accountId}, ${entry.region}: ${reason}. Delete it there by hand.`;
  await work.ledger.storeAll(entries.map((entry) => leftBehind(entry, text(entry), work.run.now())));
}

/** Keys whose present value is in place under the name that the sync gives them now. */
function findKeysInPlace(work: SyncWork): ReadonlySet<string> {
  const rows = new Map(
    work.ledger
      .all()
      .filter((entry) => isHere(work, entry))
      .map((entry) => [nameKey(entry), entry]),
  );
  // Keys inside a JSON secret are in place only while the secret is.
  if (work.target.kind.holdsAllKeys) {
    const whole = rows.get(nameKey({ remoteName: work.target.namePrefix, key: WHOLE_SECRET }));
    if (!isInPlace(whole)) return new Set();
  }
  const isKeyInPlace = (desired: DesiredEntry) => {
    const row = rows.get(nameKey(desired));
    return isInPlace(row) && row.folderId === work.folder.id && (row.syncedRevision ?? -1) >= desired.revision;
  };
  return new Set(work.desired.filter(isKeyInPlace).map((desired) => desired.key));
}

function isInPlace(entry: LedgerEntry | undefined): entry is LedgerEntry {
  if (entry === undefined || !isOwned(entry)) return false;
  return entry.status === 'synced' && entry.inFlight === null && entry.drift === null;
}
