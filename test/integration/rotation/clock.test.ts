/**
 * A worker whose own clock is wrong retires no key: what is due, quiet or held goes by the
 * database's clock.
 */
import { afterEach, expect, test, vi } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, HOUR } from './world.ts';

const stage = useStage();
afterEach(() => vi.useRealTimers());

test.each([
  ['quiet', 20 * HOUR],
  ['hold', 2 * DAY],
])('a worker whose clock is 40 days ahead leaves a rotation in %s', async (phase, afterMs) => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const [old = ''] = Object.keys(world.keys());
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);
  if (phase === 'hold') {
    await world.untilDue(id);
    await world.runOnce(id);
  }
  world.clock.advance(afterMs);
  const before = world.keys();

  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 40 * DAY });
  await world.runEarly(id);
  vi.useRealTimers();

  expect(await world.row(id)).toMatchObject({ phase });
  expect(world.keys()).toEqual(before);
  expect(world.keys()).toHaveProperty(old);
});
