import { setTimeout } from 'node:timers/promises';

import { Redis } from 'ioredis';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { waitForAnswer } from '../../../src/client/waiting.ts';
import { hasRedis } from '../../support/backends.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { addConnection, eventually, openEngine, runsOf, type Engine } from '../../integration/engine/support.ts';

describe.skipIf(!hasRedis)('the engine through the troubles of Redis', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let engine: Engine;

  beforeAll(async () => {
    database = await createTestDatabase();
    redis = await startRedis();
    engine = await openEngine(database.url, redis.url);
    await engine.startWorker({});
  });
  afterAll(async () => {
    await engine.close();
    await redis.stop();
    await database.drop();
  });

  it('goes on by itself after an outage of three seconds', async () => {
    await redis.kill('SIGKILL');
    const { requestId } = await addConnection(engine.stores, 'during-the-outage');
    await setTimeout(3_000);
    await redis.restart();
    expect((await waitForAnswer(engine.stores.requests, requestId, { timeoutMs: 15_000 })).status).toBe('succeeded');
  });

  it('refuses to produce while Redis is down, instead of hanging', async () => {
    await redis.kill('SIGKILL');
    const startedAt = performance.now();
    await expect(engine.backend.queue('validate').add('validate', {})).rejects.toThrow();
    await expect(engine.backend.check()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    await redis.restart();
    await eventually(
      async () =>
        engine.backend.check().then(
          () => true,
          () => false,
        ),
      Boolean,
    );
  });

  it('loses nothing when Redis is emptied with jobs waiting in it', async () => {
    const client = new Redis(redis.url);
    const idle = await openEngine(database.url, redis.url);
    const created = await Promise.all(
      Array.from({ length: 40 }, (_, index) => addConnection(engine.stores, `emptied-${index}`)),
    );
    for (let round = 0; round < 3; round += 1) {
      await setTimeout(20);
      await client.flushall();
    }
    // What was dispatched before is due again when its lease runs out; the test does not wait a
    // minute for that.
    await idle.stores.database.db.execute(
      sql`update keyferry.connections set dispatch_lease_until = now()
        where dispatch_lease_until is not null and run_token is null`,
    );
    for (const { id } of created) {
      await eventually(
        () => runsOf(engine.stores, id),
        (runs) => runs.some((run) => run.status === 'succeeded'),
        20_000,
      );
    }
    await idle.close();
    client.disconnect();
  });

  it('stops in time while Redis is down', async () => {
    await redis.kill('SIGKILL');
    const other = await openEngine(database.url, redis.url);
    const worker = await other.startWorker({});
    const startedAt = performance.now();
    await worker.stop(4_000);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    await other.close();
    await redis.restart();
  });
});
