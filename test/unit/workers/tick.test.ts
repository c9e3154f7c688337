/** When a tick looks: with a clock of its own, and a database that only counts. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Dispatch } from '../../../src/db/engine/dispatch.ts';
import type { WorkStore } from '../../../src/db/engine/work.ts';
import { createLog } from '../../../src/observe/log.ts';
import { createTick, type Tick } from '../../../src/workers/engine/tick.ts';

let ticks: Tick[] = [];
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  await Promise.all(ticks.map((tick) => tick.stop()));
  ticks = [];
  vi.useRealTimers();
});

/** Nothing is due; the moments of its looks, in milliseconds since its start. */
function startTick(
  found: Partial<Dispatch> = {},
  queue: object = {},
): { readonly tick: Tick; readonly looks: number[] } {
  const startedAt = performance.now();
  const looks: number[] = [];
  const dispatchDue = () => {
    looks.push(performance.now() - startedAt);
    return Promise.resolve({ hadGuard: true, hasBacklog: false, isQueueFull: false, subjects: [], ...found });
  };
  const tick = createTick({
    work: { dispatchDue } as unknown as WorkStore,
    kinds: ['sync'],
    queue: () => queue as never,
    log: createLog({ level: 'silent' }),
    random: () => 0.5,
  });
  ticks.push(tick);
  tick.start();
  return { tick, looks };
}

it('looks when the subject of a run that has just ended is due, not at its next round', async () => {
  const { tick, looks } = startTick();
  await vi.advanceTimersByTimeAsync(100);
  tick.runEnded('sync', 700);
  await vi.advanceTimersByTimeAsync(690);
  expect(looks).toEqual([0]);
  await vi.advanceTimersByTimeAsync(30);
  expect(looks).toHaveLength(2);
  expect(looks[1]).toBeGreaterThan(800);
});

it('takes one look for many that are due together, and none for those of another day', async () => {
  const { tick, looks } = startTick();
  for (let times = 0; times < 100; times += 1) tick.runEnded('sync', 1_000);
  tick.runEnded('sync', 86_400_000);
  tick.runEnded('sync');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(looks).toHaveLength(2);
});

it('looks no more once it is stopped', async () => {
  const { tick, looks } = startTick();
  await vi.advanceTimersByTimeAsync(10);
  tick.runEnded('sync', 500);
  await tick.stop();
  tick.runEnded('sync', 500);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(looks).toEqual([0]);
});

it('looks soon after a run while more is due, but rests where the queue is full', async () => {
  const looksWithin = async (found: Partial<Dispatch>) => {
    const { tick, looks } = startTick({ hasBacklog: true, ...found });
    await vi.advanceTimersByTimeAsync(50);
    for (let run = 0; run < 500; run += 1) {
      tick.runEnded('sync');
      await vi.advanceTimersByTimeAsync(1);
    }
    return looks.length;
  };
  expect(await looksWithin({ isQueueFull: false })).toBeGreaterThan(50);
  expect(await looksWithin({ isQueueFull: true })).toBe(6);
});

it('rests for as long as a statement takes, not a whole round: what it queued must not run out', async () => {
  const one = { reason: 'scheduled', requestedBy: undefined, traceparent: undefined, isPatient: false } as const;
  const subjects = Array.from({ length: 500 }, () => ({ ...one, id: crypto.randomUUID() }));
  const addBulk = () => new Promise((resolve) => setTimeout(resolve, 100, []));
  const { tick, looks } = startTick(
    { hasBacklog: true, subjects },
    { addBulk, getJobCountByTypes: () => Promise.resolve(0) },
  );
  // A round has twenty looks, each of which queues a batch.
  await vi.advanceTimersByTimeAsync(2_010);
  const round = looks.length;
  tick.runEnded('sync');
  await vi.advanceTimersByTimeAsync(50);
  expect(looks.length).toBeGreaterThan(round);
  const stopped = tick.stop();
  await vi.advanceTimersByTimeAsync(200);
  await stopped;
});
