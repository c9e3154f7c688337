import { afterAll, beforeAll, expect, test } from 'vitest';

import { useTestDatabase } from '../../support/postgres.ts';
import { createWorld, DAY, HOUR, openStage, type Stage } from './world.ts';

const database = useTestDatabase();
let stage: Stage;
beforeAll(() => {
  stage = openStage(database().url);
});
afterAll(() => stage.close());

test('a first rotation publishes a key that works and leaves nothing to retire', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();

  const outcome = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded' });
  const published = await world.published();
  expect(Object.entries(world.keys())).toEqual([[published.accessKeyId, 'Active']]);
  expect(await world.row(id)).toMatchObject({ phase: 'idle', rotationStatus: 'succeeded', activeAccessKeyId: published.accessKeyId });
});

test('a rotation keeps the old key through quiet and hold, then deletes it', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const [old] = Object.keys(world.keys());
  const startedAt = world.clock.now().getTime();

  await world.rotations.request(await world.row(id), {}, 'ann');
  const quiet = await world.runOnce(id);
  const duringQuiet = world.keys();
  const outcome = await world.runUntilDone(id);

  expect(quiet).toMatchObject({ status: 'continued', answersRequest: true });
  expect(Object.values(duringQuiet)).toEqual(['Active', 'Active']);
  expect(outcome.status).toBe('succeeded');
  expect(Object.keys(world.keys())).toHaveLength(1);
  expect(world.keys()).not.toHaveProperty(old ?? '');
  expect(world.clock.now().getTime() - startedAt).toBeGreaterThan(8 * DAY - HOUR);
});
