/**
 * Before anything else: finds out what became of an earlier run's calls in flight, so that nothing
 * is written twice and nothing is wrongly taken for done.
 */
import type { LedgerEntry } from '../../domain/sync/ledger.ts';
import { forEachPooled } from '../../concurrency/pool.ts';
import { groupByPlace } from './places.ts';
import type { SyncJob } from './job.ts';

const CONCURRENT = 8;

/** Whether there was anything. */
export async function recoverInFlight(job: SyncJob): Promise<boolean> {
  const open = job.ledger.all().filter((entry) => entry.inFlight !== null);
  if (open.length === 0) return false;
  const { groups, unreachable } = await groupByPlace(job, open);
  for (const { destination, entries } of groups) {
    await forEachPooled(entries, { concurrency: CONCURRENT, mayStart: () => !job.run.scope.signal.aborted }, (entry) =>
      destination.recover(entry),
    );
  }
  // What waits for its connection stays in flight: it is resolved once the connection is valid.
  const lost = unreachable.filter(({ waitsFor }) => waitsFor === undefined);
  await job.ledger.storeAll(lost.flatMap(({ entries }) => entries.map(forgetFlight)));
  job.run.log.info({ entries: open.length }, 'looked at writes whose answers were lost');
  return true;
}

/** It can no longer be read there. */
const forgetFlight = (entry: LedgerEntry): LedgerEntry => ({ ...entry, inFlight: null });
