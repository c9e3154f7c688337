/**
 * The queue backends that tests run on:
 * `describe.each(queueBackends)('… on $name', ({ redisUrl }) => …)`.
 */
import { inject } from 'vitest';

export interface QueueBackend {
  readonly name: 'redis' | 'postgres';
  /** To be given as REDIS_URL; undefined: the queues live in PostgreSQL. */
  readonly redisUrl: string | undefined;
}

const redisUrl = inject('redisUrl');

export const queueBackends: readonly QueueBackend[] = [
  ...(redisUrl === '' ? [] : [{ name: 'redis' as const, redisUrl }]),
  { name: 'postgres', redisUrl: undefined },
];

/** For tests of Redis alone: `describe.skipIf(!hasRedis)`. */
export const hasRedis = redisUrl !== '';
