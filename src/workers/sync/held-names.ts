/**
 * Names that meet in a rename: the new name of one key is the old name of another. The key waits until the other has moved
 * and its old object is deleted; no object is overwritten that may be the last copy of its key.
 */
import { contradictionMessage, failed } from '../../domain/sync/entry.ts';
import { isOwned, isSamePlace, type LedgerEntry } from '../../domain/sync/ledger.ts';
import type { Plan, PlannedEntry } from '../../domain/sync/plan.ts';
import { isSettledInRound, isWrite, makeEntry } from './apply.ts';
import { refusedNow } from './destinations/journal.ts';
import type { Slice } from './slice.ts';
import { isHere, type SyncWork } from './work.ts';

/** Finds the row of another key of this sync that holds the name of a planned write. */
function createHolders(work: SyncWork): (planned: PlannedEntry) => LedgerEntry | undefined {
  const holding = work.ledger
    .all()
    .filter((entry) => isHere(work, entry) && (isOwned(entry) || entry.inFlight !== null));
  const byName = new Map(holding.map((entry) => [entry.remoteName, entry]));
  return ({ key, remoteName }) => {
    const holder = byName.get(remoteName);
    return holder?.key === key ? undefined : holder;
  };
}

/**
 * After writes and deletions. Returns false when names became free, which the next slice writes. Where nothing moves and
 * nothing waits, the keys are refused with the name of the key that is in their way.
 */
export async function settleHeld(work: SyncWork, held: readonly PlannedEntry[], slice: Slice): Promise<boolean> {
  const holderOf = createHolders(work);
  if (held.some((planned) => holderOf(planned) === undefined)) return false;
  const { deferredUntil, error } = slice.result();
  if (deferredUntil !== undefined || error !== undefined) return true;
  await work.ledger.storeAll(held.map((planned) => toRefused(work, planned, holderOf(planned))));
  return true;
}

export function findHeld(work: SyncWork, plan: Plan): readonly PlannedEntry[] {
  const holderOf = createHolders(work);
  return plan.entries.filter((one) => isWrite(one) && !isSettledInRound(work, one) && holderOf(one) !== undefined);
}

/** Another key of this sync may have had the name since this one was deleted: what it wrote last is what AWS holds. */
export function asLastWritten(work: SyncWork, entry: LedgerEntry): LedgerEntry {
  const at = ({ writtenAt }: LedgerEntry) => writtenAt?.getTime() ?? 0;
  const later = work.ledger
    .all()
    .filter((one) => one.key !== entry.key && one.remoteName === entry.remoteName && isSamePlace(one, entry))
    .filter((one) => one.remoteVersion !== null && at(one) >= (entry.deletedAt?.getTime() ?? 0));
  const [last] = later.sort((a, b) => at(b) - at(a));
  if (!last) return entry;
  const { remoteVersion, settings, pace } = last;
  return { ...entry, remoteVersion, settings, pace, fingerprint: null };
}

function toRefused(work: SyncWork, planned: PlannedEntry, holder: LedgerEntry | undefined): LedgerEntry {
  const entry = planned.entry ?? makeEntry(work, planned);
  const message = contradictionMessage(
    entry,
    `the name still holds ${holder?.key ?? 'another key'} of this sync, which could not move`,
  );
  return refusedNow(work, failed(entry, { code: 'SYNC_CONFLICT', message }, work.run.now()));
}
