/**
 * Names that meet in a rename: the new name of one key is the old name of another. The key waits
 * until the other has moved and its old object is deleted; no object is overwritten that may be the
 * last copy of its key.
 */
import { contradictionMessage, failed } from '../../domain/sync/entry.ts';
import { isOwned, isSamePlace, type LedgerEntry } from '../../domain/sync/ledger.ts';
import type { Plan, PlannedEntry } from '../../domain/sync/plan.ts';
import { isSettledInRound, isWrite, makeEntry } from './apply.ts';
import { refusedNow } from './destinations/journal.ts';
import type { Slice } from './slice.ts';
import { isHere, type Journal, type RowOrigin, type SyncJob } from './job.ts';

/** Finds the row of another key of this sync that holds the name of a planned write. */
function createHolders(job: Pick<SyncJob, 'ledger' | 'place'>): (planned: PlannedEntry) => LedgerEntry | undefined {
  const holding = job.ledger.all().filter((entry) => isHere(job, entry) && (isOwned(entry) || entry.inFlight !== null));
  const byName = new Map(holding.map((entry) => [entry.remoteName, entry]));
  return ({ key, remoteName }) => {
    const holder = byName.get(remoteName);
    return holder?.key === key ? undefined : holder;
  };
}

/**
 * After writes and deletions. Returns false when names became free, which the next slice writes.
 * Where nothing moves and nothing waits, the keys are refused with the name of the key that blocks
 * them.
 */
export async function settleHeld(
  job: Journal & RowOrigin,
  held: readonly PlannedEntry[],
  slice: Slice,
): Promise<boolean> {
  const holderOf = createHolders(job);
  if (held.some((planned) => holderOf(planned) === undefined)) return false;
  const { deferredUntil, error } = slice.result();
  if (deferredUntil !== undefined || error !== undefined) return true;
  await job.ledger.storeAll(held.map((planned) => toRefused(job, planned, holderOf(planned))));
  return true;
}

export function findHeld(job: Pick<SyncJob, 'ledger' | 'place' | 'roundId'>, plan: Plan): readonly PlannedEntry[] {
  const holderOf = createHolders(job);
  return plan.entries.filter((one) => isWrite(one) && !isSettledInRound(job, one) && holderOf(one) !== undefined);
}

/**
 * Another key of this sync may have had the name since this one was deleted: what it wrote last is
 * what AWS holds.
 */
export function asLastWritten(job: Pick<SyncJob, 'ledger'>, entry: LedgerEntry): LedgerEntry {
  const at = ({ writtenAt }: LedgerEntry) => writtenAt?.getTime() ?? 0;
  const later = job.ledger
    .all()
    .filter((one) => one.key !== entry.key && one.remoteName === entry.remoteName && isSamePlace(one, entry))
    .filter((one) => one.remoteVersion !== null && at(one) >= (entry.deletedAt?.getTime() ?? 0));
  const [last] = later.sort((a, b) => at(b) - at(a));
  if (!last) return entry;
  const { remoteVersion, settings, pace } = last;
  return { ...entry, remoteVersion, settings, pace, fingerprint: null };
}

function toRefused(
  job: Pick<SyncJob, 'run' | 'roundId'> & RowOrigin,
  planned: PlannedEntry,
  holder: LedgerEntry | undefined,
): LedgerEntry {
  const entry = planned.entry ?? makeEntry(job, planned);
  const message = contradictionMessage(
    entry,
    `the name still holds ${holder?.key ?? 'another key'} of this sync, which could not move`,
  );
  return refusedNow(job, failed(entry, { code: 'SYNC_CONFLICT', message }, job.run.now()));
}
