/**
 * The entry of the pipeline: a job that keyferry dispatched runs, any other is a wish that is
 * recorded.
 */
import { setTimeout } from 'node:timers/promises';

import type { Job } from 'bullmq';

import type { WorkStore } from '../../db/engine/work.ts';
import type { Kind } from '../../domain/run.ts';
import { type ErrorCode, JobError, toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import type { Payload } from '../../queues/payload.ts';

export interface AdmitDependencies {
  readonly work: WorkStore;
  readonly log: Log;
  noticeOutage?(error: JobError): boolean;
}

const DATABASE_PAUSE_MS = 1_000;
const mayPass: ReadonlySet<string> = new Set<ErrorCode>(['DB_UNAVAILABLE', 'DB_CONTENDED']);

/** Whether a job waits until this is over, instead of failing with it. */
export const isHeldFor = (code: string): boolean => mayPass.has(code);

/**
 * Holds the job, under BullMQ's own lock, while PostgreSQL is away or others keep changing the row:
 * failing it would lose an outside producer's wish, which exists nowhere else yet.
 */
export async function holdForDatabase<T>(
  deps: Omit<AdmitDependencies, 'work'>,
  use: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await use();
    } catch (raw) {
      const error = toJobError(raw);
      if (!isHeldFor(error.code) || signal?.aborted === true) throw raw;
      if (deps.noticeOutage?.(error) !== true) deps.log.warn({ err: error }, 'waiting for PostgreSQL');
      await setTimeout(DATABASE_PAUSE_MS, undefined, { ref: false });
    }
  }
}

/**
 * Undefined for a job that keyferry dispatched: it runs. Any other job only names or records a
 * request, whose id is its result; the tick dispatches the run, within the window of the account.
 */
export async function admit(deps: AdmitDependencies, job: Job, payload: Payload): Promise<string | undefined> {
  const { kind, subjectId, requestId } = payload;
  if (requestId !== undefined) {
    const requestKind = payload.name;
    const isOpen = await deps.work.isOpenRequest({ kind, requestId, requestKind, subjectId });
    if (isOpen) return requestId;
    throw new JobError('PAYLOAD_REQUEST_MISSING', {
      message: `There is no open ${requestKind} request ${requestId} for ${subjectId}.`,
    });
  }
  // A person's retry in Bull Board is a wish of its own, also for a job that keyferry dispatched.
  if (isFirstDelivery(job, payload)) return undefined;
  const recorded = await deps.work.recordWish({
    kind,
    requestKind: payload.name as 'validate' | 'sync' | 'plan' | 'rotate',
    subjectId,
    ...askedBy(job, payload),
  });
  if (recorded !== undefined) return recorded;
  throw new JobError('PAYLOAD_INVALID', { message: `There is no ${subjectNouns[kind]} with the id ${subjectId}.` });
}

/** Of a job that keyferry dispatched and nobody retried. */
export function isFirstDelivery(job: Job, { isDispatched }: Payload): boolean {
  return isDispatched && job.attemptsMade === 0;
}

/** Who asks for it with this job, and by what a redelivery of it is known. */
export function askedBy(job: Job, { kind, isDispatched, reason, requestedBy }: Payload) {
  return {
    actor: requestedBy,
    reason: isDispatched ? ('requested' as const) : (reason ?? 'requested'),
    source: {
      queue: kind,
      jobId: job.attemptsMade === 0 ? String(job.id) : `${String(job.id)}#${String(job.attemptsMade)}`,
      timestamp: job.timestamp,
    },
  };
}

const subjectNouns: Readonly<Record<Kind, string>> = { validate: 'connection', sync: 'sync', rotate: 'rotation' };
