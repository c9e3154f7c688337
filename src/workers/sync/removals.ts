/** Deletes what left the source or moved, wherever it lies; and lists what stays behind where nobody can reach it. */
import { leftBehind } from '../../domain/sync-entry.ts';
import { isOwned, type LedgerEntry } from '../../domain/sync-ledger.ts';
import type { PlannedEntry } from '../../domain/sync-plan.ts';
import { toJobError } from '../../errors.ts';
import { isSettledInRound } from './apply.ts';
import { settleThrown } from './destination.ts';
import { chunk } from './pool.ts';
import { type EntryGroup, groupByPlace } from './places.ts';
import type { Slice } from './slice.ts';
import { isHere, type SyncWork } from './work.ts';

/** Returns false when the slice ended before the deletions did. */
export async function removeGone(work: SyncWork, deletions: readonly PlannedEntry[], slice: Slice): Promise<boolean> {
  if (deletions.length === 0) return true;
  const successors = indexSuccessors(work);
  const ready = deletions.filter(
    (one) => !isSettledInRound(work, one) && (one.isReplaced !== true || hasReplacement(successors, one)),
  );
  return removeEntries(
    work,
    ready.flatMap((one) => (one.entry ? [work.ledger.get(one.entry.id) ?? one.entry] : [])),
    slice,
  );
}

export async function removeEntries(work: SyncWork, entries: readonly LedgerEntry[], slice: Slice): Promise<boolean> {
  const { groups, unreachable } = await groupByPlace(work, entries);
  for (const { entries: lost, reason } of unreachable) await leave(work, lost, reason);
  for (const group of groups) {
    const isComplete = await removeGroup(group, slice);
    if (!isComplete) return false;
  }
  return true;
}

async function removeGroup({ work, destination, entries }: EntryGroup, slice: Slice): Promise<boolean> {
  for (const part of chunk(entries, destination.removalsPerCall)) {
    if (!slice.isOpen()) return false;
    slice.countWrite();
    try {
      for (const result of await destination.remove(part)) slice.note(result);
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

async function leave(work: SyncWork, entries: readonly LedgerEntry[], reason: string): Promise<void> {
  const text = (entry: LedgerEntry) =>
    `${entry.remoteName} stays in account ${entry.accountId}, ${entry.region}: ${reason}. Delete it there by hand.`;
  await work.ledger.storeAll(entries.map((entry) => leftBehind(entry, text(entry), work.run.now())));
}

/** Keys with the ids of the entries that hold them now. */
function indexSuccessors(work: SyncWork): ReadonlyMap<string, readonly string[]> {
  const successors = new Map<string, string[]>();
  for (const entry of work.ledger.all()) {
    if (entry.status !== 'synced' || !isOwned(entry) || !isHere(work, entry)) continue;
    successors.set(entry.key, [...(successors.get(entry.key) ?? []), entry.id]);
  }
  return successors;
}

/** What moved is deleted only once its new name is written. */
function hasReplacement(successors: ReadonlyMap<string, readonly string[]>, planned: PlannedEntry): boolean {
  return (successors.get(planned.key) ?? []).some((id) => id !== planned.entry?.id);
}
