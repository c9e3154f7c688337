/** The queues on Redis: one producer connection for all of them, one connection for each worker. */
import { Queue, Worker } from 'bullmq';

import { parseRedisUrl } from '../domain/servers/redis-url.ts';
import { JobError } from '../errors.ts';
import { checkRedis } from './redis-check.ts';
import { connectRedis, type RedisConnection } from './redis.ts';
import { lazily, type QueueBackend, queueSettings, retention, type Traced, workerSettings } from './settings.ts';

/** Throws CONFIG_INVALID. */
export function createRedisQueues(url: string, traced: Traced): QueueBackend {
  const { servers, problem } = parseRedisUrl(url);
  if (!servers) throw new JobError('CONFIG_INVALID', { message: `REDIS_URL ${problem}.` });
  let producer: RedisConnection | undefined;
  const workerConnections: RedisConnection[] = [];
  const connection = (): RedisConnection => (producer ??= connectRedis(servers, 'producer'));
  // Without the version check: it is BullMQ's first command, and when Redis is not there yet, its
  // failure stays with the queue for ever: with the board's too, which holds on to the queues that
  // it was given.
  const settings = { ...queueSettings, skipWaitingForReady: true, skipVersionCheck: true };
  const queues = lazily((kind) => new Queue(kind, { ...settings, ...traced(), connection: connection() }));
  return {
    engine: 'redis',
    queue: queues.get,
    worker(kind, handler, { concurrency, name }) {
      const own = connectRedis(servers, 'worker');
      workerConnections.push(own);
      const settings = { ...workerSettings, ...retention[kind], ...traced() };
      return new Worker(kind, handler, { ...settings, connection: own, concurrency, name });
    },
    prepare: () => Promise.resolve(),
    check: () => checkRedis(connection(), { url, servers }),
    async checkAfresh() {
      const fresh = connectRedis(servers, 'producer');
      try {
        await checkRedis(fresh, { url, servers });
      } finally {
        fresh.disconnect();
      }
    },
    async close() {
      await Promise.allSettled(queues.all().map((queue) => queue.close()));
      // `quit` would wait for a server that may be gone.
      for (const one of [producer, ...workerConnections]) one?.disconnect();
    },
  };
}
