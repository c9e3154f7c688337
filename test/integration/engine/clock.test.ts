/**
 * The database's clock decides what is due, quiet or held; a worker whose own clock is wrong
 * changes nothing.
 */
import { sql } from 'drizzle-orm';
import { afterEach, expect, test, vi } from 'vitest';

import { JobError } from '../../../src/errors.ts';
import { addConnection, eventually, rowOf, runsOf, useEngine } from './support.ts';

const engine = useEngine();
const DAY = 86_400_000;

afterEach(() => vi.useRealTimers());

test.each([
  ['three days ahead', 3 * DAY],
  ['three days behind', -3 * DAY],
])('a worker whose clock is %s dates its runs and retries by the database', async (how, skewMs) => {
  const { stores } = engine();
  const { id } = await addConnection(stores, how);
  const [before] = await stores.database.db.execute(sql`select extract(epoch from now())
    * 1000 as ms`);
  const realMs = Number(before?.['ms']);
  const seen: number[] = [];
  vi.useFakeTimers({ toFake: ['Date'], now: realMs + skewMs });
  const worker = await engine().startWorker({
    perform: (run) => {
      seen.push(run.now().getTime());
      return Promise.resolve({ status: 'retry', error: new JobError('AWS_UNAVAILABLE') });
    },
  });
  await eventually(
    () => runsOf(stores, id),
    (runs) => runs.some((run) => run.status === 'failed'),
  );
  await worker.stop();
  const { next_due_at: dueAt } = await rowOf(stores, id);
  vi.useRealTimers();
  expect(Math.abs((seen[0] ?? 0) - realMs)).toBeLessThan(60_000);
  expect(Math.abs(new Date(String(dueAt)).getTime() - realMs)).toBeLessThan(60_000);
});
