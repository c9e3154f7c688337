import { expect, test } from 'vitest';

import { forEachPooled } from '../../src/concurrency/pool.ts';
import { createWritePace } from '../../src/workers/sync/write-pace.ts';

/**
 * Works through `size` items, each of which takes two turns; returns how many were under way at
 * most, and which failed.
 */
async function work(
  size: number,
  concurrency: number | (() => number),
  fails: (item: number) => boolean = () => false,
) {
  const done: number[] = [];
  let underWay = 0;
  let most = 0;
  const items = Array.from({ length: size }, (_, index) => index);
  const ended = forEachPooled(items, { concurrency, mayStart: () => true }, async (item) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await Promise.resolve();
    await Promise.resolve();
    underWay -= 1;
    if (fails(item)) throw new Error(`item ${String(item)}`);
    done.push(item);
  });
  return { ...(await ended), most, done };
}

test('a pool works on as many items at once as it may, and on each once', async () => {
  const { isComplete, most, done } = await work(20, 3);
  expect([isComplete, most, done.length, new Set(done).size]).toEqual([true, 3, 20, 20]);
});

test('a limit that grows opens more lanes, and one that shrinks closes them', async () => {
  const limits = [...Array.from({ length: 8 }, () => 2), ...Array.from({ length: 30 }, () => 6)];
  const { isComplete, most, done } = await work(60, () => limits.shift() ?? 1);
  expect([isComplete, most, done.length]).toEqual([true, 6, 60]);
});

test('the first failure is thrown when all that was started has ended', async () => {
  await expect(work(5, 2, (item) => item === 1)).rejects.toThrow('item 1');
});

test('more writes are under way only while very many end within a second', () => {
  let nowMs = 0;
  const pace = createWritePace(8, () => nowMs);
  const ends = (count: number, everyMs: number) => {
    for (let index = 0; index < count; index += 1) {
      nowMs += everyMs;
      pace.noteEnd();
    }
    return pace.concurrency();
  };
  expect(pace.concurrency()).toBe(8);
  // A burst of 20 parameters, then the 3 a second that AWS gives to every account.
  expect([ends(20, 25), ends(9, 333)]).toEqual([8, 8]);
  nowMs += 1_000;
  expect(ends(31, 30)).toBe(8);
  expect(ends(1, 30)).toBe(32);
  nowMs += 1_000;
  expect(pace.concurrency()).toBe(8);
});
