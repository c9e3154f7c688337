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

const redisUrl = own(inject('redisUrl'));

/** A database for each process of the test run: the keys and jobs of two would mix in one. */
function own(url: string): string {
  if (url === '') return url;
  const { href } = new URL(`/${process.env['VITEST_POOL_ID'] ?? '0'}`, url);
  return href;
}

export const queueBackends: readonly QueueBackend[] = [
  ...(redisUrl === '' ? [] : [{ name: 'redis' as const, redisUrl }]),
  { name: 'postgres', redisUrl: undefined },
];

/** For tests of Redis alone: `describe.skipIf(!hasRedis)`. */
export const hasRedis = redisUrl !== '';
