/** What is kept in memory, and for how long. */
import { expect, it, vi } from 'vitest';

import { createBoundedCache } from '../../../src/db/bounded-cache.ts';

function open() {
  const clock = { ms: 0 };
  const cache = createBoundedCache<number>({ maxAgeMs: 1_000, maxUses: 3, maxEntries: 2, nowMs: () => clock.ms });
  let loads = 0;
  const load = vi.fn(() => Promise.resolve((loads += 1)));
  return { clock, load, get: (name: string) => cache.get(name, load), cache };
}

it('keeps a value for its time', async () => {
  const { clock, get } = open();
  expect(await get('a')).toBe(1);
  clock.ms = 999;
  expect(await get('a')).toBe(1);
  clock.ms = 1_000;
  expect(await get('a')).toBe(2);
});

it('keeps a value for its number of uses', async () => {
  const { get } = open();
  const values = [];
  for (let use = 0; use < 7; use += 1) values.push(await get('a'));
  expect(values).toEqual([1, 1, 1, 2, 2, 2, 3]);
});

it('keeps so many values, and drops what was used longest ago', async () => {
  const { get, load } = open();
  for (const name of ['a', 'b', 'a', 'c', 'a']) await get(name);
  expect(load).toHaveBeenCalledTimes(3);
  await get('b');
  expect(load).toHaveBeenCalledTimes(4);
});

it('asks once for all that wait, and forgets a failure', async () => {
  const { cache, get, load } = open();
  expect(await Promise.all([get('a'), get('a'), get('a')])).toEqual([1, 1, 1]);
  expect(load).toHaveBeenCalledTimes(1);
  const failing = () => Promise.reject(new Error('no'));
  await expect(cache.get('b', failing)).rejects.toThrow('no');
  expect(await get('b')).toBe(2);
});
