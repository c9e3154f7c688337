/**
 * `npm run test:chaos -- events`: workers and servers killed, endpoints that are down, slow or
 * refuse, and an endpoint that is dead for good. No event is lost, those of one subject keep their
 * order, and nobody waits for somebody else's endpoint.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { TestProcess } from '../support/processes.ts';
import { pause, World } from './delivery-world.ts';
import {
  type Endpoint,
  type EventTally,
  fine,
  insertEvents,
  judgeEndpoint,
  latencies,
  openEndpoint,
  startServer,
  untilDelivered,
} from './events-world.ts';

const HOUR_MS = 3_600_000;
const REST_MS = 240_000;
/** For work on the suite itself: a share of the rounds. */
const scale = Number(process.env['CHAOS_SCALE'] ?? 1);
const DEAD_EVENTS = 10_000;
const tally: EventTally = { events: 0, lost: 0, outOfOrder: 0, repeated: 0 };
const figures: string[] = [];

afterAll(() => {
  console.log(figures.join('\n'));
  console.log(
    `events: ${String(tally.events)}, lost: ${String(tally.lost)}, out of order: ${String(tally.outOfOrder)}, repeated: ${String(tally.repeated)}`,
  );
});

describe.each(['redis', 'postgres'] as const)('with the queues in %s', (engine) => {
  let world: World;
  let servers: TestProcess[];
  const endpoints: Endpoint[] = [];
  const open = async (...given: Parameters<typeof openEndpoint> extends [World, ...infer Rest] ? Rest : never) => {
    const endpoint = await openEndpoint(world, ...given);
    endpoints.push(endpoint);
    return endpoint;
  };
  beforeAll(async () => {
    world = await World.open({ engine, accounts: 4, syncs: 40, rotations: 0 });
    servers = [await startServer(world), await startServer(world)];
  }, 400_000);
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all(endpoints.map((endpoint) => endpoint.close()));
    await world.close();
  }, 60_000);

  test('workers and servers ended by SIGKILL, endpoints down, slow and refusing', { timeout: HOUR_MS }, async () => {
    const steady = await open('steady', fine);
    const slow = await open('slow', () => ({ status: 204, afterMs: 300 }));
    const refusing = await open('refusing', () => ({ status: Math.random() < 0.3 ? 500 : 204, afterMs: 0 }));
    const busy = await open('busy', () => ({ status: Math.random() < 0.1 ? 503 : 200, afterMs: 0 }));
    const down = await open('down', fine);
    let worker = await world.startWorker();
    for (let round = 0; round < Math.ceil(10 * scale); round += 1) {
      const changing = world.changeSecrets();
      if (round === 1) await down.shut();
      if (round === 3) await down.open();
      await pause(Math.random() * 1_500);
      await worker.kill();
      const [victim] = servers;
      await victim?.kill();
      worker = await world.startWorker();
      servers = [...servers.slice(1), await startServer(world)];
      await changing;
    }
    for (const one of [refusing, busy]) one.mood = fine;
    await world.rest(REST_MS);
    for (const one of [steady, slow, refusing, busy, down]) {
      await untilDelivered(world, one, 600_000);
      await judgeEndpoint(world, one, tally);
    }
    await world.stopWorker(worker);
    expect(await world.judge({ repeatsPerParameter: 20 })).toEqual([]);
    expect(steady.taken.length).toBeGreaterThan(40 * scale);
    expect(tally).toMatchObject({ lost: 0, outOfOrder: 0 });
  });

  test('10,000 events to an endpoint that never answers cost the others nothing', { timeout: HOUR_MS }, async () => {
    const live = await open('live', fine);
    await open('dead', () => 'silence');
    const worker = await world.startWorker();
    const bulk = async (): Promise<number> => {
      const startedAtMs = performance.now();
      await insertEvents(world, { name: 'live', count: 500, subjects: 100 });
      await untilDelivered(world, live, 120_000);
      return performance.now() - startedAtMs;
    };
    // Of the bulk, the median of five: one alone says more of the machine than of the queue.
    const measure = async (): Promise<{ readonly p95: number; readonly bulkMs: number }> => {
      const sinceMs = Date.now();
      for (let round = 0; round < Math.ceil(5 * scale); round += 1) {
        await world.changeSecrets();
        await world.rest(REST_MS);
      }
      await untilDelivered(world, live, 60_000);
      const sorted = await latencies(world, live, sinceMs);
      const bulks: number[] = [];
      while (bulks.length < 5) bulks.push(await bulk());
      bulks.sort((a, b) => a - b);
      return { p95: sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN, bulkMs: bulks[2] ?? Number.NaN };
    };
    const alone = await measure();
    await insertEvents(world, { name: 'dead', count: DEAD_EVENTS, subjects: 1_000 });
    const beside = await measure();
    await judgeEndpoint(world, live, tally);
    await world.stopWorker(worker);
    figures.push(
      `${engine}: settlement to first delivery, p95: ${String(Math.round(alone.p95))} ms; beside the dead endpoint: ${String(Math.round(beside.p95))} ms`,
      `${engine}: 500 events to a live endpoint, median of five: ${String(Math.round(alone.bulkMs))} ms; beside the dead endpoint: ${String(Math.round(beside.bulkMs))} ms, ratio ${(beside.bulkMs / alone.bulkMs).toFixed(2)}`,
    );
    expect(tally).toMatchObject({ lost: 0, outOfOrder: 0 });
    expect(alone.p95).toBeLessThanOrEqual(1_000);
    expect(beside.p95).toBeLessThanOrEqual(1_000);
    expect(beside.bulkMs / alone.bulkMs).toBeLessThanOrEqual(1.5);
  });
});
