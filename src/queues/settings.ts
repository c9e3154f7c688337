/** What queues and workers share on both backends: settings that must differ from BullMQ's defaults, and queues that are made when first asked for. */
import type { Queue, WorkerOptions } from 'bullmq';

import type { Kind } from '../domain/run.ts';
import type { QueueTelemetry } from './telemetry.ts';

export const QUEUE_PREFIX = '{keyferry}';

export type Traced = () => { readonly telemetry?: QueueTelemetry };

const DAY_SECONDS = 86_400;

/** Removal is set on the worker, so that jobs of outside producers obey it too. */
export const retention: Readonly<Record<Kind, Pick<WorkerOptions, 'removeOnComplete' | 'removeOnFail'>>> = {
  validate: { removeOnComplete: { age: 3_600, count: 1_000 }, removeOnFail: { age: 7 * DAY_SECONDS, count: 5_000 } },
  sync: { removeOnComplete: { age: 3_600, count: 1_000 }, removeOnFail: { age: 7 * DAY_SECONDS, count: 5_000 } },
  rotate: {
    removeOnComplete: { age: DAY_SECONDS, count: 1_000 },
    removeOnFail: { age: 30 * DAY_SECONDS, count: 5_000 },
  },
};

export const workerSettings = {
  prefix: QUEUE_PREFIX,
  autorun: false,
  // A killed worker's job comes back within 20 s; stalls are no verdict on the job, the run lease decides.
  lockDuration: 30_000,
  stalledInterval: 10_000,
  maxStalledCount: 10,
  drainDelay: 5,
  // After an error that is none of the connection (a replica, a full disk): BullMQ would pause for 15 s.
  runRetryDelay: 1_000,
} as const;

export const queueSettings = {
  prefix: QUEUE_PREFIX,
  // One BullMQ job is one attempt: the next one is PostgreSQL's.
  defaultJobOptions: { attempts: 1, stackTraceLimit: 1, sizeLimit: 4_096 },
} as const;

/** Queues by kind, made when first asked for. One that could not connect at its beginning never would: it is made anew for the next caller. */
export function lazily(make: (kind: Kind) => Queue): { get(kind: Kind): Queue; all(): Queue[] } {
  const made = new Map<Kind, Queue>();
  const create = (kind: Kind): Queue => {
    const queue = make(kind);
    queue.on('error', () => undefined);
    queue.waitUntilReady().catch(() => {
      if (made.get(kind) === queue) made.delete(kind);
      void queue.close().catch(() => undefined);
    });
    made.set(kind, queue);
    return queue;
  };
  return { get: (kind) => made.get(kind) ?? create(kind), all: () => [...made.values()] };
}
