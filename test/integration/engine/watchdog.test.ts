/**
 * A worker that takes no jobs although some wait, and one whose database owes an answer, give up
 * and say so.
 */
import { setTimeout } from 'node:timers/promises';

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startWatchdog } from '../../../src/workers/engine/watchdog.ts';
import { queueBackends } from '../../support/backends.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { addConnection, eventually, openEngine, runsOf, type Engine } from './support.ts';

const times = { silentMs: 300, lookEveryMs: 50 };

describe.each(queueBackends)('the watchdog on $name', ({ redisUrl }) => {
  let database: TestDatabase;
  let engine: Engine;

  beforeAll(async () => {
    database = await createTestDatabase();
    engine = await openEngine(database.url, redisUrl);
  });
  afterAll(async () => {
    await engine.close();
    await database.drop();
  });

  it('demands a new process when a worker hears of no job any more', async () => {
    const worker = await engine.startWorker({ watchdogTimes: times, isDeaf: true });
    expect(worker.isReady()).toBe(true);
    const { id } = await addConnection(engine.stores, 'unheard');
    await worker.mustBeReplaced;
    expect(worker.isReady()).toBe(false);
    await worker.stop();
    const next = await engine.startWorker({});
    await eventually(
      () => runsOf(engine.stores, id),
      (runs) => runs.some((run) => run.status === 'succeeded'),
    );
    await next.stop();
  });

  it('leaves an idle, a busy and a paused worker alone', async () => {
    let demanded = false;
    let isRunning = true;
    const worker = await engine.startWorker({
      // Two looks lie further apart than a worker takes to pick a job up.
      watchdogTimes: { ...times, lookEveryMs: 300 },
      perform: async () => {
        while (isRunning) await setTimeout(10);
        return { status: 'succeeded' };
      },
    });
    void worker.mustBeReplaced.then(() => (demanded = true));
    await setTimeout(600);
    for (let index = 0; index < 8; index += 1) await addConnection(engine.stores, `busy-${String(index)}`);
    await setTimeout(800);
    isRunning = false;
    await engine.backend.queue('validate').pause();
    await addConnection(engine.stores, 'paused');
    await setTimeout(800);
    await engine.backend.queue('validate').resume();
    expect(demanded).toBe(false);
    await worker.stop();
  });
});

describe('the watchdog of the database', () => {
  it('demands a new process when PostgreSQL owes an answer for too long', async () => {
    const demands: number[] = [];
    const startedAtMs = performance.now();
    const watchdog = startWatchdog({
      kinds: ['validate'],
      concurrency: { validate: 1, sync: 1, rotate: 1 },
      countWaiting: () => Promise.reject(new Error('away')),
      checkAfresh: () => Promise.resolve(),
      unansweredMs: () => performance.now() - startedAtMs,
      onDeaf: () => demands.push(performance.now() - startedAtMs),
      log: pino({ level: 'silent' }),
      times,
    });
    await eventually(
      () => Promise.resolve(demands.length),
      (count) => count > 0,
    );
    watchdog.stop();
    expect(demands[0]).toBeGreaterThanOrEqual(times.silentMs);
  });
});
