/** A job of another program while PostgreSQL refuses to record what it wishes. */
import type { Job } from 'bullmq';
import { expect, it, vi } from 'vitest';

import { JobError, type ErrorCode } from '../../../src/errors.ts';
import { createLog } from '../../../src/observe/log.ts';
import { runJob, type JobDependencies } from '../../../src/workers/engine/run-job.ts';

const job = {
  id: '7',
  name: 'sync',
  data: { syncId: '11111111-2222-4333-8444-555555555555' },
  attemptsMade: 0,
  timestamp: 1_700_000_000_000,
} as unknown as Job;

/** The first wishes end with these codes, in this order. */
function prepare(codes: readonly ErrorCode[]) {
  const refusals = codes.map((code) => new JobError(code));
  const recordWish = vi.fn(() => {
    const refusal = refusals.shift();
    return refusal ? Promise.reject(refusal) : Promise.resolve('request-1');
  });
  const noticeOutage = vi.fn(() => true);
  const log = createLog({ level: 'silent' });
  const deps = { processor: { kind: 'sync' }, work: { recordWish }, log, noticeOutage };
  return { deps: deps as unknown as JobDependencies<'sync'>, recordWish };
}

it.each(['DB_CONTENDED', 'DB_UNAVAILABLE'] as const)('is held while the answer is %s', async (code) => {
  const { deps, recordWish } = prepare([code]);

  await expect(runJob(deps, job)).resolves.toEqual({ requestId: 'request-1' });
  expect(recordWish).toHaveBeenCalledTimes(2);
});

it('fails at once with any other answer', async () => {
  const { deps, recordWish } = prepare(['DB_TOO_NEW']);

  await expect(runJob(deps, job)).rejects.toThrow('DB_TOO_NEW');
  expect(recordWish).toHaveBeenCalledTimes(1);
});

it('is held no longer by a worker that was told to end its jobs', async () => {
  const { deps, recordWish } = prepare(['DB_CONTENDED']);

  await expect(runJob(deps, job, AbortSignal.abort('shutdown'))).rejects.toThrow('DB_CONTENDED');
  expect(recordWish).toHaveBeenCalledTimes(1);
});
