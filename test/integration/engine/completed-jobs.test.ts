/** What is kept of jobs that are done, where the queues are in PostgreSQL. */
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, it, onTestFinished } from 'vitest';

import { createQueueBackend } from '../../../src/queues/backend.ts';
import { keepNewest } from '../../../src/queues/postgres-queues.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();

async function completeJobs(count: number) {
  const backend = await createQueueBackend({ databaseUrl: database().url, redisUrl: undefined });
  await backend.prepare();
  const queue = backend.queue('sync');
  // What is too old is told by the time of its end: far enough apart that none shares one.
  const worker = backend.worker('sync', () => sleep(20, 'done'), { concurrency: 1, name: 'test' });
  onTestFinished(async () => {
    await worker.close();
    await backend.close();
  });
  const done = new Promise<void>((resolve) => {
    let left = count;
    worker.on('completed', () => {
      left -= 1;
      if (left === 0) resolve();
    });
  });
  void worker.run();
  for (let n = 0; n < count; n += 1) await queue.add('sync', { n });
  await done;
  return { queue, worker };
}

it('the newest completed jobs are kept, by a statement now and then instead of one for each job', async () => {
  const { queue, worker } = await completeJobs(30);
  expect(worker.opts.removeOnComplete).toEqual({ age: 3_600 });
  expect(await queue.getCompletedCount()).toBe(30);
  await keepNewest(queue, 10);
  const kept = await queue.getCompleted();
  expect(kept.map((job) => (job.data as { n: number }).n).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 10 }, (_, index) => 20 + index),
  );
  await keepNewest(queue, 10);
  expect(await queue.getCompletedCount()).toBe(10);
});
