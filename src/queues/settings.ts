/**
 * What both backends share: what a backend is, settings that must differ from BullMQ's defaults,
 * and queues that are made when first asked for.
 */
import type { Job, Queue, Worker } from 'bullmq';

import type { Kind } from '../domain/run.ts';
import type { QueueTelemetry } from './telemetry.ts';

export const QUEUE_PREFIX = '{keyferry}';

export type Traced = () => { readonly telemetry?: QueueTelemetry };

export type JobHandler = (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<unknown>;

export interface QueueBackend {
  readonly engine: 'redis' | 'postgres';
  /** For producing and for the board; its calls fail fast. One per kind, shared. */
  queue(kind: Kind): Queue;
  worker(kind: Kind, handler: JobHandler, options: { readonly concurrency: number; readonly name: string }): Worker;
  /** Creates what the queue needs in its store. Throws QUEUE_UNAVAILABLE. */
  prepare(): Promise<void>;
  /**
   * Proves that work is possible: a write and a script where the queues are. Throws
   * QUEUE_UNAVAILABLE. Returns warnings about settings.
   */
  check(): Promise<readonly string[]>;
  /**
   * The same over a fresh connection: whether the server is fine when this process's own
   * connections are not.
   */
  checkAfresh(): Promise<void>;
  close(): Promise<void>;
}

const DAY_SECONDS = 86_400;

/** Seconds, and how many at most. */
interface KeptJobs {
  readonly age: number;
  readonly count: number;
}

/** Removal is set on the worker, so that jobs of outside producers obey it too. */
export const retention: Readonly<Record<Kind, Record<'removeOnComplete' | 'removeOnFail', KeptJobs>>> = {
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
  // A killed worker's job comes back within 20 s; stalls are no verdict on the job, the run lease
  // decides.
  lockDuration: 30_000,
  stalledInterval: 10_000,
  maxStalledCount: 10,
  drainDelay: 5,
  // After an error that does not concern the connection (a replica, a full disk): BullMQ would
  // pause for 15 s.
  runRetryDelay: 1_000,
} as const;

export const queueSettings = {
  prefix: QUEUE_PREFIX,
  // One BullMQ job is one attempt: the next one is PostgreSQL's.
  defaultJobOptions: { attempts: 1, stackTraceLimit: 1, sizeLimit: 4_096 },
} as const;

/**
 * Queues by kind, made when first asked for. One that could not connect at first never will: it is
 * replaced for the next caller.
 */
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
