/** What becomes of a job that only waits for PostgreSQL when its worker must end. */
import { WaitingError, type Job } from 'bullmq';

import { isHeldFor } from './admit.ts';
import { ReportedError } from './job-result.ts';

export interface Delivery {
  readonly job: Job;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Hands such a job back to its queue, for the next worker: failed, it would lose an outside
 * producer's wish. Where the queue cannot be reached either, BullMQ delivers the job again once its
 * lock has run out.
 */
export async function orHandBack<T>({ job, token, signal }: Delivery, perform: () => Promise<T>): Promise<T> {
  try {
    return await perform();
  } catch (error) {
    if (signal?.aborted !== true || !(error instanceof ReportedError) || !isHeldFor(error.code)) throw error;
    await job.moveToWait(token).catch(() => {
      throw error;
    });
    throw new WaitingError();
  }
}
