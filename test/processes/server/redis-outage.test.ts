import { describe, expect, it, onTestFinished } from 'vitest';

import { createLog } from '../../../src/observe/log.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { createQueueBackend } from '../../../src/queues/backend.ts';
import { createServer } from '../../../src/server/server.ts';
import { hasRedis } from '../../support/backends.ts';
import { startRedis } from '../../support/redis.ts';
import { eventually } from '../../integration/engine/support.ts';

describe.skipIf(!hasRedis)('a server that starts while Redis is down', () => {
  it('says so, and serves the board by itself when Redis is back', async () => {
    const redis = await startRedis();
    await redis.kill();
    const backend = await createQueueBackend({ databaseUrl: 'postgres://127.0.0.1:1/none', redisUrl: redis.url });
    onTestFinished(async () => {
      await backend.close();
      await redis.stop();
    });
    const { app } = createServer({
      host: '127.0.0.1',
      port: 0,
      login: undefined,
      log: createLog({ level: 'silent' }),
      metrics: createMetrics({ version: 'test', hasProcessMetrics: false }),
      health: { database: () => Promise.resolve(), queue: () => backend.check(), migrations: () => Promise.resolve() },
      queues: [backend.queue('validate'), backend.queue('sync'), backend.queue('rotate')],
    });
    const get = async (path: string) => app.request(path, { headers: { host: 'localhost' } });
    const ready = await get('/readyz');
    const board = await get('/board/api/queues');
    expect([ready.status, board.status, (await get('/metrics')).status]).toEqual([503, 500, 200]);
    expect(await ready.text()).toContain('Check REDIS_URL');
    expect(await board.text()).toContain('The queue cannot be reached.');
    await redis.restart();
    await eventually(
      async () => (await get('/board/api/queues')).status,
      (status) => status === 200,
    );
    await eventually(
      async () => (await get('/readyz')).status,
      (status) => status === 200,
    );
  });
});
