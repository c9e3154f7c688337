import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';

import { createBackground } from '../../../src/concurrency/background.ts';

it('waits for all, and throws what failed first', async () => {
  const background = createBackground();
  const ended: string[] = [];
  const work = async (name: string, ms: number, error?: Error) => {
    await sleep(ms);
    ended.push(name);
    if (error) throw error;
  };
  background.add(work('slow', 30));
  background.add(work('broken', 10, new Error('first')));
  background.add(work('broken later', 20, new Error('second')));
  // Long past both failures: neither is an unhandled rejection.
  await sleep(25);
  await expect(background.ended()).rejects.toThrow('first');
  expect(ended).toEqual(['broken', 'broken later', 'slow']);
});

it('ends at once without work', async () => {
  await expect(createBackground().ended()).resolves.toBeUndefined();
});
