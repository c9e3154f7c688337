/**
 * `npm run test:chaos -- delivery`: every case on both queue engines, with the servers and worker
 * processes really hurt. `npm run test:processes` runs a few in small.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startRedisCluster, startRedisSentinel } from '../support/redis-sets.ts';
import { cases, FAILOVER } from './delivery-cases.ts';
import { World, type Tally } from './delivery-world.ts';

const HOUR_MS = 3_600_000;
const SIZE = { accounts: 25, syncs: 500, rotations: 20 };
/** For work on the suite itself: a share of the jobs, and only cases with this in their name. */
const scale = Number(process.env['CHAOS_SCALE'] ?? 1);
const name = process.env['CHAOS_NAME'] ?? '';
const total: Tally = { jobs: 0, lost: 0, duplicated: 0, repeatedParameters: 0 };

afterAll(() => {
  console.log(`parameters written once more than needed after a crash: ${String(total.repeatedParameters)}`);
  console.log(
    `jobs: ${String(total.jobs)}, lost: ${String(total.lost)}, duplicated effects: ${String(total.duplicated)}`,
  );
});

/** Fewer subjects: what is tried is the queue's servers. */
const SMALL = { accounts: 10, syncs: Math.ceil(100 * scale), rotations: 4 };

describe.each([
  ['a cluster of three masters', startRedisCluster, 'workers ended by SIGKILL at random moments'],
  ['a master behind a sentinel', startRedisSentinel, FAILOVER.name],
] as const)('with the queues in %s', (_name, start, caseName) => {
  const one = [...cases, FAILOVER].find((each) => each.name === caseName);

  test.skipIf(one?.name.includes(name) !== true)(caseName, { timeout: HOUR_MS }, async () => {
    const servers = await start();
    const world = await World.open({ engine: 'redis', redisUrl: servers.url, ...SMALL });
    try {
      await one?.run(world, { jobs: scale / 5, failOver: () => servers.servers[0]?.kill('SIGKILL') });
      const wrong = await world.judge({ repeatsPerParameter: one?.repeatsPerParameter ?? 0 });
      for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += world.tally[key];
      expect(wrong).toEqual([]);
    } finally {
      await world.close();
      await servers.stop();
    }
  });
});

describe.each(['redis', 'postgres'] as const)('with the queues in %s', (engine) => {
  let world: World;
  beforeAll(async () => {
    const startedAt = Date.now();
    const size = { ...SIZE, syncs: Math.ceil(SIZE.syncs * scale) };
    world = await World.open({ engine, ...size });
    const seconds = Math.round((Date.now() - startedAt) / 1_000);
    console.log(`${engine}: ${String(size.syncs)} syncs created and written in ${String(seconds)} s`);
  }, 400_000);
  afterAll(async () => {
    for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += world.tally[key];
    await world.close();
  }, 60_000);

  test.each(cases.filter((one) => one.engines.includes(engine) && one.name.includes(name)))(
    '$name',
    { timeout: HOUR_MS },
    async (one) => {
      const jobsBefore = world.tally.jobs;
      const startedAt = Date.now();
      console.log(`${engine}: ${one.name}: begins`);
      await one.run(world, { jobs: scale });
      const wrong = await world.judge({ repeatsPerParameter: one.repeatsPerParameter });
      console.log(
        `${engine}: ${one.name}: ${String(world.tally.jobs - jobsBefore)} jobs in ${String(Math.round((Date.now() - startedAt) / 1_000))} s`,
      );
      expect(wrong).toEqual([]);
    },
  );
});
