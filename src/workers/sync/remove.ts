/** `sync remove`: deletes what this sync wrote, wherever it lies; with `deleteAfterRemove` the sync itself goes last. */
import { noCounts } from '../../domain/run.ts';
import { leftBehind } from '../../domain/sync-entry.ts';
import { isOwned, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync-ledger.ts';
import { addChanges, summarize } from '../../domain/sync-summary.ts';
import { errorTable, JobError } from '../../errors.ts';
import type { Performed } from '../processor.ts';
import { recoverInFlight } from './recovery.ts';
import { removeEntries } from './removals.ts';
import { createSlice } from './slice.ts';
import { openWork, type SyncHead, type SyncWork } from './work.ts';

export async function removeAll(head: SyncHead): Promise<Performed<'sync'>> {
  const work = await openWork(head);
  await recoverInFlight(work);
  const slice = createSlice({ signal: work.run.scope.signal, now: () => work.run.now() });
  const isComplete = await removeEntries(
    work,
    work.ledger.all().filter((entry) => isRemovable(work, entry)),
    slice,
  );
  const { changes, error } = slice.result();
  work.progress = { ...work.progress, changes: addChanges(work.progress.changes, changes) };
  const counts = { ...noCounts, ...work.progress.changes };
  if (error && error.disposition === 'retry')
    return { outcome: { status: 'retry', error, counts }, changes: { progress: work.progress } };
  if (!isComplete || error?.disposition === 'snooze') {
    return { outcome: { status: 'continued', at: work.run.now(), counts }, changes: { progress: work.progress } };
  }
  return end(work);
}

function isRemovable(work: SyncWork, entry: LedgerEntry): boolean {
  if (!isOwned(entry) || entry.key === WHOLE_SECRET) return false;
  return entry.observed.refusedIn !== work.progress.round;
}

/** With a connection that nobody can use any more: everything stays behind, and is listed. */
export async function abandonAll(head: SyncHead): Promise<Performed<'sync'>> {
  const work = await openWork(head);
  const owned = work.ledger.all().filter((entry) => isOwned(entry) || entry.inFlight !== null);
  const text = (entry: LedgerEntry) =>
    `${entry.remoteName} stays in account ${entry.accountId}, ${entry.region}: the connection is not valid.`;
  await work.ledger.storeAll(owned.map((entry) => leftBehind(entry, text(entry), work.run.now())));
  return end(work);
}

async function end(work: SyncWork): Promise<Performed<'sync'>> {
  const stays = work.ledger
    .all()
    .filter(
      (entry) =>
        entry.status === 'skipped' &&
        entry.key !== WHOLE_SECRET &&
        entry.remoteVersion !== null &&
        entry.checkedAt !== null,
    );
  const names = stays.map(({ remoteName, region, accountId }) => ({ remoteName, region, accountId }));
  const result = names.length > 0 ? { leftBehind: names } : undefined;
  const verdict = summarize(work.ledger.all().filter(isOwned), work.progress.changes, result);
  const outcome = verdict.status === 'failed' ? { ...verdict, status: 'partial' as const } : verdict;
  const changes = { progress: null, syncedRevision: null, syncedVersion: null, drift: 'unknown' as const };
  if (work.run.parameters['deleteAfterRemove'] !== true || outcome.status !== 'succeeded') return { outcome, changes };
  await deleteSync(work, result);
  return { outcome, isSettled: true };
}

/** The sync goes in the same statement that ends its run and answers its requests: there is no moment at which it is neither. */
async function deleteSync(work: SyncWork, result: unknown): Promise<void> {
  const left = result === undefined ? {} : { code: 'SYNC_LEFT_BEHIND', message: errorTable.SYNC_LEFT_BEHIND.message };
  const isGone = await work.deps.entries.deleteSync(
    { syncId: work.sync.id, runId: work.run.id },
    {
      status: result === undefined ? 'succeeded' : 'partial',
      code: null,
      message: null,
      ...left,
      counts: { ...noCounts, ...work.progress.changes },
      result: result ?? null,
      awsCalls: work.run.scope.calls.counts,
    },
  );
  if (!isGone) throw new JobError('LEASE_LOST');
}
