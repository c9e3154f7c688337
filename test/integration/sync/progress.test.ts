/** How far a long sync has come: noted after each object, over all slices of the round. */
import { expect, test } from 'vitest';

import type { RunProgress } from '../../../src/domain/run.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld } from './world.ts';

const stage = useStage();

const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(index)}`, 'v']));

test('done and total count over the slices of a round, and the rate gives the time that is left', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(120));
  const { id } = await world.createSync();
  const noted: RunProgress[] = [];
  const noteProgress = (progress: RunProgress) => noted.push(progress);

  await world.runOnce(id, { noteProgress });
  expect(noted.map(({ done }) => done)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  expect(noted.every(({ total, perSecond }) => total === 120 && perSecond === null)).toBe(true);

  noted.length = 0;
  world.clock.advance(10_000);
  await world.runOnce(id, { noteProgress });
  expect(noted[0]).toEqual({ done: 51, total: 120, perSecond: 5.1, secondsLeft: 14 });

  noted.length = 0;
  await world.runUntilDone(id, { noteProgress });
  expect(noted.at(-1)).toMatchObject({ done: 120, total: 120, secondsLeft: 0 });
});

test('a removal counts what it deletes', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(25));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const noted: RunProgress[] = [];
  await world.runUntilDone(id, { request: 'remove', noteProgress: (progress) => noted.push(progress) });
  expect(noted.at(-1)).toMatchObject({ done: 25, total: 25 });
});
