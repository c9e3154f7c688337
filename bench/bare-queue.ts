/**
 * What BullMQ itself does on the same backend: the jobs that a dispatch adds, with the same options
 * and in the same batches, and a worker that does nothing.
 */
import type { Worker } from 'bullmq';

import { enqueue } from '../src/queues/enqueue.ts';
import type { QueueBackend } from '../src/queues/backend.ts';

/** As one dispatch adds. */
const BATCH = 500;
/** A queue that the measured workers leave alone. */
const KIND = 'rotate';

export interface BareLoad {
  readonly jobs: number;
  readonly concurrency: number;
}

/** Jobs per second, from the first job added to the last one completed. */
export async function drainBare(backend: QueueBackend, { jobs, concurrency }: BareLoad): Promise<number> {
  const worker = backend.worker(KIND, () => Promise.resolve({ status: 'succeeded' }), { concurrency, name: 'bare' });
  await worker.waitUntilReady();
  const startedAt = performance.now();
  const running = worker.run();
  await Promise.all([untilCompleted(worker, jobs), addJobs(backend, jobs)]);
  const seconds = (performance.now() - startedAt) / 1_000;
  await worker.close();
  await running;
  return jobs / seconds;
}

function untilCompleted(worker: Worker, jobs: number): Promise<void> {
  let completed = 0;
  return new Promise((resolve) => {
    worker.on('completed', () => {
      completed += 1;
      if (completed === jobs) resolve();
    });
  });
}

async function addJobs(backend: QueueBackend, jobs: number): Promise<void> {
  const queue = backend.queue(KIND);
  const subject = { reason: 'changed', requestedBy: undefined, traceparent: undefined, isPatient: false } as const;
  for (let count = 0; count < jobs; count += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, jobs - count) }, () => ({
      ...subject,
      id: crypto.randomUUID(),
    }));
    await enqueue(queue, KIND, batch);
  }
}
