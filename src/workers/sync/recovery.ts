/** Before anything else: what an earlier run had in flight is looked at, so that nothing is written twice and nothing is taken for done. */
import type { LedgerEntry } from '../../domain/sync/ledger.ts';
import { forEachPooled } from '../../concurrency/pool.ts';
import { groupByPlace } from './places.ts';
import type { SyncWork } from './work.ts';

const CONCURRENT = 8;

/** Whether there was anything. */
export async function recoverInFlight(work: SyncWork): Promise<boolean> {
  const open = work.ledger.all().filter((entry) => entry.inFlight !== null);
  if (open.length === 0) return false;
  const { groups, unreachable } = await groupByPlace(work, open);
  for (const { destination, entries } of groups) {
    await forEachPooled(entries, { concurrency: CONCURRENT, mayStart: () => !work.run.scope.signal.aborted }, (entry) =>
      destination.recover(entry),
    );
  }
  // What waits for its connection stays in flight: it is looked at once the connection is valid.
  const lost = unreachable.filter(({ waitsFor }) => waitsFor === undefined);
  await work.ledger.storeAll(lost.flatMap(({ entries }) => entries.map(forgetFlight)));
  work.run.log.info({ entries: open.length }, 'looked at writes whose answers were lost');
  return true;
}

/** Nobody can look there any more. */
const forgetFlight = (entry: LedgerEntry): LedgerEntry => ({ ...entry, inFlight: null });
