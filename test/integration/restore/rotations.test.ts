/** Rotations of a database that was restored from a backup, while AWS holds the keys of later rotations. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { useTestDatabase } from '../../support/postgres.ts';
import { takeBackup } from '../../support/rewind.ts';
import { createWorld, DAY, openStage, type Pair, type Stage, type World } from '../rotation/world.ts';

const database = useTestDatabase();
let stage: Stage;
beforeAll(() => {
  stage = openStage(database().url);
});
afterAll(() => stage.close());

async function acceptAsRestored(world: World, restore: () => Promise<void>): Promise<void> {
  await restore();
  world.clock.advance(60_000);
  await stage.handle.db.execute(sql`update keyferry.installation set epoch = epoch + 1, epoch_started_at = now()`);
}

/** One whole rotation, a backup, and another rotation that the backup does not know. */
async function rotateAndRestore(): Promise<{ world: World; id: string; inUse: Pair }> {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const restore = await takeBackup(stage.handle.client);
  world.clock.advance(31 * DAY);
  await world.runOnce(id);
  for (let runs = 0; runs < 20 && (await world.row(id)).phase !== 'quiet'; runs += 1) await world.runOnce(id);
  const inUse = (await world.published()) as Pair;
  await acceptAsRestored(world, restore);
  return { world, id, inUse };
}

test('a key of a later rotation is named, and no key changes', async () => {
  const { world, id, inUse } = await rotateAndRestore();
  const before = world.keys();
  const outcome = await world.runOnce(id);
  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_RESTORED' });
  expect(JSON.stringify(outcome)).toContain(inUse.accessKeyId);
  expect(world.keys()).toEqual(before);
  expect(world.works(inUse)).toBe(true);
});

test('a rotation without unknown keys goes on after one look', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  await acceptAsRestored(world, await takeBackup(stage.handle.client));
  world.clock.advance(31 * DAY);
  expect((await world.runUntilDone(id)).status).toBe('succeeded');
  expect((await world.row(id)).comparedAt).not.toBeNull();
});
