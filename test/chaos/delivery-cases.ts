/**
 * What is done to an installation, one case each. A case asks for work, hurts something in the
 * middle of it, and leaves the judgement to its caller.
 */
import { sql } from 'drizzle-orm';
import { Redis } from 'ioredis';

import { startProxy } from '../support/proxy.ts';
import type { TestProcess } from '../support/processes.ts';
import { pause, type World } from './delivery-world.ts';

/** A dispatch lease, a run lease, the tick, and a few retries. */
const REST_MS = 240_000;
/** The lease is 30 s; a worker that stood still for longer has lost it. */
const BEYOND_LEASE_MS = 36_000;

export interface Case {
  readonly name: string;
  readonly engines: readonly ('redis' | 'postgres')[];
  /** How many versions of a parameter beyond one per value this case may cost. */
  readonly repeatsPerParameter: number;
  run(world: World, means: Means): Promise<void>;
}

interface Means {
  /** The share of the full number of jobs. */
  readonly jobs: number;
  /** Ends the master of a world whose Redis has another to take over. */
  readonly failOver?: () => Promise<void> | undefined;
}

const both = ['redis', 'postgres'] as const;

async function withWorkers(world: World, count: number, act: (workers: TestProcess[]) => Promise<void>): Promise<void> {
  const workers = await Promise.all(Array.from({ length: count }, () => world.startWorker()));
  await act(workers);
  await world.rest(REST_MS);
  await Promise.all(workers.map((worker) => world.stopWorker(worker)));
}

export const cases: readonly Case[] = [
  {
    name: 'nothing wrong',
    engines: both,
    repeatsPerParameter: 0,
    run: (world, { jobs: scale }) =>
      withWorkers(world, 2, async () => {
        await world.addOutsideJobs(300 * scale);
        await world.changeSecrets(0.2);
        await world.requestRotations();
      }),
  },
  {
    name: 'FLUSHALL in the middle of all syncs',
    engines: ['redis'],
    repeatsPerParameter: 0,
    run: (world) =>
      withWorkers(world, 2, async () => {
        const client = new Redis(world.redis.url);
        const changing = world.changeSecrets();
        for (let round = 0; round < 6; round += 1) {
          await pause(400);
          await client.flushall();
        }
        await changing;
        client.disconnect();
      }),
  },
  {
    name: 'Redis killed and started empty, after 3 s and after 20 s',
    engines: ['redis'],
    repeatsPerParameter: 0,
    run: (world, { jobs: scale }) =>
      withWorkers(world, 2, async () => {
        for (const downMs of [3_000, scale < 1 ? 1_000 : 20_000]) {
          const changing = world.changeSecrets(0.5);
          await pause(700);
          await world.redis.kill('SIGKILL');
          await changing;
          await pause(downMs);
          await world.redis.restart();
          await world.rest(REST_MS);
        }
      }),
  },
  {
    name: 'PostgreSQL restarted in the middle of work',
    engines: both,
    repeatsPerParameter: 1,
    run: (world, { jobs: scale }) =>
      withWorkers(world, 2, async () => {
        for (const downMs of [0, 4_000]) {
          await world.changeSecrets(0.5);
          await world.addOutsideJobs(100 * scale);
          await pause(300);
          await world.restartPostgres(downMs);
          await world.rest(REST_MS);
        }
      }),
  },
  {
    name: 'workers ended by SIGKILL at random moments',
    engines: both,
    repeatsPerParameter: 5,
    async run(world, { jobs: scale }) {
      const kills = Math.ceil(50 * scale);
      const workers = await Promise.all([world.startWorker(), world.startWorker()]);
      const working = work();
      for (let kill = 0; kill < kills; kill += 1) {
        await pause(Math.random() * 600);
        await workers.shift()?.kill();
        workers.push(await world.startWorker());
      }
      await working;
      await world.rest(REST_MS);
      await Promise.all(workers.map((worker) => world.stopWorker(worker)));

      /** Spread over the kills, so that each of them meets some. */
      async function work(): Promise<void> {
        await world.requestRotations();
        for (let part = 0; part < 10; part += 1) {
          await world.addOutsideJobs(150 * scale);
          if (part % 5 === 0) await world.changeSecrets(0.5);
          await pause((kills * 1_500) / 10);
        }
      }
    },
  },
  {
    name: 'a worker stopped beyond its lease, and let go on',
    engines: both,
    repeatsPerParameter: 1,
    run: (world) =>
      withWorkers(world, 2, async ([first]) => {
        // So slow that runs are certainly under way.
        const slow = world.sandbox.faults.add({ action: { delayMs: 400 } });
        await world.changeSecrets(0.4);
        await untilRunning(world);
        first?.signal('SIGSTOP');
        slow();
        await pause(BEYOND_LEASE_MS);
        await world.rest(REST_MS);
        first?.signal('SIGCONT');
        await pause(3_000);
        await world.changeSecrets(0.1);
      }),
  },
  {
    name: 'connections that are dead and do not know it',
    engines: both,
    repeatsPerParameter: 1,
    run: runHalfOpen,
  },
  {
    name: 'a clock that jumps by minutes, back and forth',
    engines: both,
    repeatsPerParameter: 0,
    async run(world, { jobs: scale }) {
      const preload = new URL('./jumping-clock.mjs', import.meta.url).href;
      const workers = await Promise.all([
        world.startWorker({ NODE_OPTIONS: `--import ${preload}` }),
        world.startWorker({ NODE_OPTIONS: `--import ${preload}` }),
      ]);
      for (let part = 0; part < 3; part += 1) {
        await world.addOutsideJobs(60 * scale);
        await world.changeSecrets(0.2);
        await pause(4_000);
      }
      await world.rest(REST_MS);
      await Promise.all(workers.map((worker) => world.stopWorker(worker)));
    },
  },
  {
    name: 'one call of AWS in five fails',
    engines: both,
    // The answer of an update that landed may be lost each time it is tried.
    repeatsPerParameter: 8,
    run: (world, { jobs: scale }) =>
      withWorkers(world, 2, async () => {
        const undo = (
          ['throttle', 'drop-before', 'drop-after', { error: { code: 'InternalFailure', status: 500 } }] as const
        ).map((action) => world.sandbox.faults.add({ probability: 0.055, action }));
        for (let part = 0; part < 10; part += 1) {
          await world.addOutsideJobs(800 * scale);
          await world.requestValidations(150 * scale);
          await world.changeSecrets(0.1);
        }
        await world.rest(REST_MS);
        undo.forEach((remove) => {
          remove();
        });
        // What was given up for good after its attempts, and what waits for its next one, is asked
        // for once more.
        await world.retryFailed();
      }),
  },
];

/** For a Redis that has more than one server. */
export const FAILOVER: Case = {
  name: 'a failover in the middle of work',
  engines: ['redis'],
  repeatsPerParameter: 0,
  run: (world, { failOver }) =>
    withWorkers(world, 2, async () => {
      await world.changeSecrets();
      await failOver?.();
    }),
};

async function untilRunning(world: World): Promise<void> {
  for (;;) {
    if (
      (await world.count(sql`select count(*)::int as n from keyferry.runs
        where status = 'running'`)) > 0
    )
      return;
    await pause(20);
  }
}

/**
 * One worker behind proxies, and what watches it: a supervisor that starts a new one when it ends.
 */
async function runHalfOpen(world: World): Promise<void> {
  const postgres = new URL(world.environment['DATABASE_URL'] ?? '');
  const redisUrl = world.environment['REDIS_URL'];
  const database = await startProxy({ host: postgres.hostname, port: Number(postgres.port) });
  const queue = redisUrl === undefined ? undefined : await startProxy({ host: '127.0.0.1', port: world.redis.port });
  postgres.port = String(database.port);
  const environment = {
    DATABASE_URL: postgres.href,
    ...(queue ? { REDIS_URL: `redis://127.0.0.1:${String(queue.port)}` } : {}),
  };
  let worker = await world.startWorker(environment);
  await world.changeSecrets(0.1);
  await world.rest(REST_MS);
  for (const proxy of [queue, database]) {
    if (!proxy) continue;
    if (proxy.deafen() === 0) throw new Error('Nothing was connected through the proxy.');
    await world.changeSecrets(0.1);
    // As a supervisor does: what ends is started again. What neither works nor ends would be lost.
    const ended = worker.waitForExit(REST_MS).then(
      () => true,
      () => false,
    );
    const rested = world.rest(REST_MS).then(() => false);
    if (await Promise.race([ended, rested])) worker = await world.startWorker(environment);
    await world.rest(REST_MS);
  }
  await worker.kill();
  await Promise.all([database.close(), queue?.close()]);
}
