/**
 * The one place that decides where queues live: Redis when there is a URL, else BullMQ's own PostgreSQL backend in the same database. Nothing else in
 * the program knows. It makes queues and workers with the settings that must differ from BullMQ's defaults.
 */
import type { Job, Queue, Worker } from 'bullmq';

import type { Kind } from '../domain/run.ts';
import { createPostgresQueues } from './postgres-queues.ts';
import { createRedisQueues } from './redis-queues.ts';
import type { QueueTelemetry } from './telemetry.ts';

export { QUEUE_PREFIX } from './settings.ts';

export type JobHandler = (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<unknown>;

export interface QueueBackend {
  readonly engine: 'redis' | 'postgres';
  /** For producing and for the board; its calls fail fast. One per kind, shared. */
  queue(kind: Kind): Queue;
  worker(kind: Kind, handler: JobHandler, options: { readonly concurrency: number; readonly name: string }): Worker;
  /** Creates what the queue needs in its store. Throws QUEUE_UNAVAILABLE. */
  prepare(): Promise<void>;
  /** Proves that work is possible: a write and a script where the queues are. Throws QUEUE_UNAVAILABLE. Returns warnings about settings. */
  check(): Promise<readonly string[]>;
  /** The same over a fresh connection: whether the server is fine when this process's own connections are not. */
  checkAfresh(): Promise<void>;
  close(): Promise<void>;
}

/** Asked when a queue or worker is made: undefined where nobody collects traces. */
export type FindTelemetry = () => QueueTelemetry | undefined;

export function createQueueBackend(
  options: { readonly databaseUrl: string; readonly redisUrl: string | undefined },
  findTelemetry: FindTelemetry = () => undefined,
): QueueBackend {
  const traced = () => {
    const telemetry = findTelemetry();
    return telemetry ? { telemetry } : {};
  };
  return options.redisUrl === undefined
    ? createPostgresQueues(options.databaseUrl, traced)
    : createRedisQueues(options.redisUrl, traced);
}
