import { Redis } from 'ioredis';
import postgres from 'postgres';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { hasRedis, queueBackends } from '../../support/backends.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';

const database = useTestDatabase();

describe('the servers of the test run', () => {
  it('hands each file a migrated database of its own', async () => {
    const sql = postgres(database().url, { max: 1 });
    onTestFinished(() => sql.end());
    const tables = await sql`select table_name from information_schema.tables
      where table_schema = 'keyferry'`;
    expect(database().url).toContain(database().name);
    expect(tables.map((row) => String(row['table_name']))).toContain('connections');
  });

  it.skipIf(!hasRedis)('offers one Redis to all files, which never evicts', async () => {
    const redis = new Redis(inject('redisUrl'));
    onTestFinished(() => {
      redis.disconnect();
    });
    expect(await redis.config('GET', 'maxmemory-policy')).toContain('noeviction');
    expect(queueBackends.map(({ name }) => name)).toEqual(['redis', 'postgres']);
  });

  it.skipIf(!hasRedis)('keeps what a Redis of our own holds over its restart', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const redis = new Redis(server.url, { retryStrategy: () => 20 });
    redis.on('error', () => undefined);
    onTestFinished(() => {
      redis.disconnect();
    });
    await redis.set('key', 'value');
    const before = server.pid;
    await server.restart();
    expect(server.pid).not.toBe(before);
    expect(await redis.get('key')).toBe('value');
  });
});
