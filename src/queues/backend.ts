/**
 * The one place that decides where queues live: Redis when there is a URL, else BullMQ's own
 * PostgreSQL backend in the same database. Nothing else in the program knows. It makes queues and
 * workers with the settings that must differ from BullMQ's defaults. A process loads the drivers of
 * its own queue only.
 */
import type { QueueBackend } from './settings.ts';
import type { QueueTelemetry } from './telemetry.ts';

export { QUEUE_PREFIX, type QueueBackend } from './settings.ts';

/** Asked when a queue or worker is made: undefined where nobody collects traces. */
export type FindTelemetry = () => QueueTelemetry | undefined;

export async function createQueueBackend(
  options: { readonly databaseUrl: string; readonly redisUrl: string | undefined },
  findTelemetry: FindTelemetry = () => undefined,
): Promise<QueueBackend> {
  const traced = () => {
    const telemetry = findTelemetry();
    return telemetry ? { telemetry } : {};
  };
  if (options.redisUrl === undefined) {
    const { createPostgresQueues } = await import('./postgres-queues.ts');
    return createPostgresQueues(options.databaseUrl, traced);
  }
  const { createRedisQueues } = await import('./redis-queues.ts');
  return createRedisQueues(options.redisUrl, traced);
}
