/**
 * Rotations of a database that was restored from a backup, while AWS holds the keys of later
 * rotations.
 */
import { expect, test } from 'vitest';

import { takeBackup } from '../../support/rewind.ts';
import { useStage } from '../../support/use-stage.ts';
import { ACCOUNT, createWorld, DAY, HOUR, MINUTE, type Pair, type World } from '../rotation/world.ts';
import { acceptAsRestored as accept } from './epoch.ts';

const stage = useStage();

const acceptAsRestored = ({ clock }: World, restore: () => Promise<void>): Promise<void> =>
  accept(stage.handle, { clock, restore });

async function runUntil(world: World, id: string, isThere: (row: Awaited<ReturnType<World['row']>>) => boolean) {
  for (let runs = 0; runs < 20 && !isThere(await world.row(id)); runs += 1) {
    await world.untilDue(id);
    await world.runOnce(id);
  }
  expect(isThere(await world.row(id))).toBe(true);
}

const isIn = (phase: string) => (row: { readonly phase: string }) => row.phase === phase;

/** One whole rotation, a backup, and another rotation that the backup does not know. */
async function rotateAndRestore(): Promise<{ world: World; id: string; old: Pair; inUse: Pair }> {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const old = (await world.published()) as Pair;
  const restore = await takeBackup(stage.handle.client);
  world.clock.advance(31 * DAY);
  await world.runOnce(id);
  await runUntil(world, id, isIn('quiet'));
  const inUse = (await world.published()) as Pair;
  await acceptAsRestored(world, restore);
  return { world, id, old, inUse };
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

test('the key in use that a person hands over is published, and replaces what the backup held for active', async () => {
  const { world, id, old, inUse } = await rotateAndRestore();
  await world.runOnce(id);
  await world.rotations.adoptKey(await world.row(id), inUse);
  await runUntil(world, id, isIn('quiet'));
  expect(await world.published()).toEqual(inUse);
  expect(await world.row(id)).toMatchObject({ activeAccessKeyId: inUse.accessKeyId });
  expect([world.works(old), world.works(inUse)]).toEqual([true, true]);
  await runUntil(world, id, isIn('hold'));
  expect([world.works(old), world.works(inUse)]).toEqual([false, true]);
});

test('a key that is handed over with a wrong secret is not published', async () => {
  const { world, id, old, inUse } = await rotateAndRestore();
  await world.runOnce(id);
  await world.rotations.adoptKey(await world.row(id), { ...inUse, secretAccessKey: 'wrong/secret' });
  expect(await world.runOnce(id)).toMatchObject({ status: 'blocked', code: 'CONNECTION_SECRET_WRONG' });
  expect(await world.published()).toEqual(old);
  expect(Object.values(world.keys())).toEqual(['Active', 'Active']);
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

/** A second rotation, with the backup taken in the phase that is asked for. */
async function backUpIn(phase: string): Promise<{ world: World; id: string; old: Pair; restore: () => Promise<void> }> {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const old = (await world.published()) as Pair;
  world.clock.advance(31 * DAY);
  let restore: (() => Promise<void>) | undefined;
  const { advance } = world.rotations.run;
  world.rotations.run.advance = async (fence, transition) => {
    const advanced = await advance(fence, transition);
    if (transition.phase === phase) restore ??= await takeBackup(stage.handle.client);
    return advanced;
  };
  await world.runOnce(id);
  for (let runs = 0; runs < 20 && restore === undefined; runs += 1) {
    await world.untilDue(id);
    await world.runOnce(id);
  }
  world.rotations.run.advance = advance;
  if (!restore) throw new Error(`The rotation was never in ${phase}.`);
  return { world, id, old, restore };
}

test('an old key that was brought back after the backup is watched again before it is deactivated', async () => {
  const { world, id, old, restore } = await backUpIn('deactivating');
  world.sandbox.setAccessKeyStatus({ accessKeyId: old.accessKeyId, status: 'Active' });
  await acceptAsRestored(world, restore);
  await runUntil(world, id, isIn('quiet'));
  expect(world.works(old)).toBe(true);
  world.clock.advance(HOUR);
  await world.use(old);
  world.clock.advance(DAY - MINUTE);
  await world.runOnce(id);
  expect(world.works(old)).toBe(true);
});

test('a new key that was published after the backup is not deleted by a cancellation', async () => {
  const { world, id, restore } = await backUpIn('verifying');
  const published = (await world.published()) as Pair;
  await acceptAsRestored(world, restore);
  await world.rotations.cancel(await world.row(id), 'ann');
  await world.runOnce(id);
  expect(await world.row(id)).toMatchObject({ rotationStatus: 'blocked', statusCode: 'KEY_RESTORED' });
  expect((await world.row(id)).statusMessage).toContain(published.accessKeyId);
  expect(world.works(published)).toBe(true);
  // A person finds it in use.
  await world.rotations.adoptKey(await world.row(id), published);
  await runUntil(world, id, isIn('quiet'));
  expect(await world.published()).toEqual(published);
});

test('a new key that nobody used since the restore is deleted by a cancellation once a use would show', async () => {
  const { world, id, restore } = await backUpIn('verifying');
  const { accessKeyId } = (await world.published()) as Pair;
  // As if it had never been verified: nobody has signed with it.
  world.sandbox.deleteAccessKey({ accessKeyId });
  await acceptAsRestored(world, restore);
  await world.rotations.cancel(await world.row(id), 'ann');
  await world.runOnce(id);
  expect((await world.row(id)).phase).toBe('idle');
  const keys = world.sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName: world.userName });
  expect(keys.map((key) => key.status)).toEqual(['Active']);
});
