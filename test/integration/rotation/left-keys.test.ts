import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { useTestDatabase } from '../../support/postgres.ts';
import { createWorld, openStage, type Pair, type Stage, type World } from './world.ts';

const database = useTestDatabase();
let stage: Stage;
beforeAll(() => {
  stage = openStage(database().url);
});
afterAll(() => stage.close());

/** A rotation that published a key and was deleted. */
async function deleted(secrets: 'keep' | 'remove'): Promise<{ world: World; left: Pair }> {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const left = (await world.published()) as Pair;
  await world.rotations.delete(await world.row(id), secrets);
  return { world, left };
}

test('a rotation that is made again adopts its predecessor’s key, and replaces it on schedule', async () => {
  const { world, left } = await deleted('keep');

  const { id } = await world.createRotation();
  await world.runUntilDone(id);

  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
  expect(await world.row(id)).toMatchObject({ rotationStatus: 'succeeded', activeAccessKeyId: left.accessKeyId });
  await world.rotations.request(await world.row(id), {}, null);
  const outcome = await world.runUntilDone(id);
  const published = await world.published();
  expect(outcome.status).toBe('succeeded');
  expect(world.keys()).toEqual({ [published.accessKeyId ?? '']: 'Active' });
  expect(published.accessKeyId).not.toBe(left.accessKeyId);
});

test('a rotation that is deleted and made again many times makes no further key', async () => {
  const { world, left } = await deleted('keep');
  for (let round = 0; round < 5; round += 1) {
    const { id } = await world.createRotation();
    await world.runUntilDone(id);
    expect((await world.row(id)).rotationStatus).toBe('succeeded');
    await world.rotations.delete(await world.row(id), 'keep');
  }
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

test('a left key whose folder holds another secret is adopted by nobody', async () => {
  const { world, left } = await deleted('remove');
  await setPair(world, { ...left, secretAccessKey: 'x'.repeat(40) });

  const { id } = await world.createRotation();

  expect(await world.runOnce(id)).toMatchObject({ status: 'blocked', code: 'CONNECTION_SECRET_WRONG' });
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

test('a rotation that is deleted twice leaves its last key to the third', async () => {
  const { world } = await deleted('keep');
  const second = await world.createRotation();
  await world.runUntilDone(second.id);
  await world.rotations.delete(await world.row(second.id), 'keep');

  const third = await world.createRotation();

  expect((await world.runUntilDone(third.id)).status).toBe('succeeded');
});

test.each<readonly [string, (world: World, left: Pair) => Promise<unknown>]>([
  ['the pair was removed from the folder', () => Promise.resolve()],
  [
    'the folder holds another key',
    async (world, left) => setPair(world, { ...left, accessKeyId: 'AKIAANOTHER000000001' }),
  ],
  [
    'another installation left it',
    async (world, left) => {
      await setPair(world, left);
      await stage.handle.db.execute(
        sql`update keyferry.tombstones set installation_id = gen_random_uuid() where org_id = ${world.orgId}`,
      );
    },
  ],
  [
    'a rotation of another org left it',
    async (world, left) => {
      await setPair(world, left);
      await stage.handle.db.execute(
        sql`update keyferry.tombstones set org_id = 'another' where org_id = ${world.orgId}`,
      );
    },
  ],
])('a left key stays foreign when %s', async (_name, change) => {
  const { world, left } = await deleted('remove');
  await change(world, left);

  const { id } = await world.createRotation();
  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_FOREIGN' });
  expect((await world.row(id)).statusMessage).toContain(left.accessKeyId);
  expect((await world.row(id)).statusMessage).toContain('--adopt-key');
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

test('a key whose pair left the folder is named as left by a deleted rotation', async () => {
  const { world } = await deleted('remove');
  const { id } = await world.createRotation();
  await world.runOnce(id);

  expect((await world.row(id)).statusMessage).toContain('left by a deleted rotation');
});

async function setPair(world: World, pair: Pair): Promise<void> {
  const folder = await world.folders.get(world.folderId);
  const secrets = [
    { key: 'KEY_ID', value: pair.accessKeyId },
    { key: 'SECRET_KEY', value: pair.secretAccessKey },
  ];
  await world.folders.change(folder, secrets, 'merge');
}
