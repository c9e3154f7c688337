import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';

import { createBackground } from '../../../src/concurrency/background.ts';

it('waits for all, and throws what failed first', async () => {
  const background = createBackground();
  let finish: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => {
    finish = resolve;
  });
  background.add(slow);
  background.add(Promise.reject(new Error('first')));
  background.add(Promise.reject(new Error('second')));
  // Node reports an unhandled rejection at the end of the turn, and the run would fail.
  await turn();
  let hasEnded = false;
  const ended = background.ended().finally(() => {
    hasEnded = true;
  });
  ended.catch(() => undefined);
  await turn();
  expect(hasEnded).toBe(false);
  finish();
  await expect(ended).rejects.toThrow('first');
});

it('ends at once without work', async () => {
  await expect(createBackground().ended()).resolves.toBeUndefined();
});
