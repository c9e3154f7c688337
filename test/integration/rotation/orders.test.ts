import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { ACCOUNT, createWorld, DAY, HOUR, type Pair, type World } from './world.ts';

const stage = useStage();

async function rotatedOnce(world: World): Promise<{ id: string; old: Pair }> {
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  return { id, old: (await world.published()) as Pair };
}

async function ask(world: World, id: string, wish = {}): Promise<void> {
  await world.rotations.request(await world.row(id), wish, 'ann');
}

async function toHold(world: World, id: string): Promise<void> {
  await ask(world, id);
  await world.runOnce(id);
  world.clock.advance(25 * HOUR);
  await world.runOnce(id);
  expect((await world.row(id)).phase).toBe('hold');
}

test('an emergency skips quiet and hold, never verification and publication', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  const startedAt = world.clock.now().getTime();
  await ask(world, id, { emergency: true });

  const outcome = await world.runOnce(id);

  expect(outcome.status).toBe('succeeded');
  expect(world.works(await world.published())).toBe(true);
  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
  expect(world.clock.now().getTime() - startedAt).toBeLessThan(HOUR);
});

test('an emergency with two live keys first retires the old one, then replaces the other', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  await ask(world, id);
  await world.runOnce(id);
  const both = Object.keys(world.keys());

  await ask(world, id, { emergency: true });
  const outcome = await world.runOnce(id);

  expect(both).toHaveLength(2);
  expect(outcome.status).toBe('succeeded');
  expect(Object.keys(world.keys())).toHaveLength(1);
  expect(both).not.toContain((await world.published()).accessKeyId);
});

test('an emergency still waits for dependents; only revoking at once cuts them off', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  await world.addSync('slow');
  await ask(world, id, { emergency: true });
  await world.runOnce(id);
  const whileWaiting = world.works(old);

  await ask(world, id, { emergency: true, revokeNow: true });
  await world.runOnce(id);

  expect(whileWaiting).toBe(true);
  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
});

test('within the hold one command brings the old key back, and it is retired anew', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  await toHold(world, id);
  const during = world.works(old);

  await world.rotations.reactivate(await world.row(id), 'ann');
  const outcome = await world.runOnce(id);
  const back = world.works(old);
  await world.runUntilDone(id);

  expect(during).toBe(false);
  expect(outcome).toMatchObject({ status: 'continued', answersRequest: true });
  expect(back).toBe(true);
  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
});

test('who brings the old key back overrules an emergency that was asked for before', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  await toHold(world, id);
  const published = await world.published();
  await ask(world, id, { emergency: true });
  world.clock.advance(1_000);
  await world.clock.settled();
  await world.rotations.reactivate(await world.row(id), 'ann');

  await world.runOnce(id);
  const { phase, nextDueAt } = await world.row(id);
  expect([phase, world.works(old)]).toEqual(['quiet', true]);
  expect(nextDueAt?.getTime() ?? 0).toBeGreaterThan(world.clock.now().getTime() + 23 * HOUR);

  // The rotation that was asked for follows once this one has ended.
  await world.runUntilDone(id);
  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
  expect(await world.published()).not.toEqual(published);
});

test('an emergency that is asked for after the old key was brought back takes it away', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  await toHold(world, id);
  await ask(world, id, { emergency: true });
  world.clock.advance(1_000);
  await world.clock.settled();
  await world.rotations.reactivate(await world.row(id), 'ann');
  world.clock.advance(1_000);
  await world.clock.settled();
  await ask(world, id, { emergency: true });

  await world.runOnce(id);

  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
});

test('outside the hold there is nothing to bring back', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);

  await expect(world.rotations.reactivate(await world.row(id), 'ann')).rejects.toMatchObject({
    code: 'KEY_ROTATION_BUSY',
  });
});

test('a key that somebody activates at AWS during the hold is not deleted', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  await toHold(world, id);
  world.sandbox.setAccessKeyStatus({ accessKeyId: old.accessKeyId, status: 'Active' });
  world.clock.advance(8 * DAY);

  await world.runOnce(id);

  expect((await world.row(id)).phase).toBe('quiet');
  expect(world.works(old)).toBe(true);
});

test('cancelling before the publication deletes the new key', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  world.sandbox.setTiming({ keyVisibleMs: [DAY, DAY] });
  await ask(world, id);
  await world.runOnce(id);
  const during = Object.keys(world.keys());

  await world.rotations.cancel(await world.row(id), 'ann');
  const outcome = await world.runOnce(id);

  expect(during).toHaveLength(2);
  expect(outcome).toMatchObject({ status: 'failed', code: 'KEY_ROTATION_CANCELLED' });
  expect(world.keys()).toEqual({ [old.accessKeyId]: 'Active' });
});

test('after the publication it is too late to cancel', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  await ask(world, id);
  await world.runOnce(id);

  await expect(world.rotations.cancel(await world.row(id), 'ann')).rejects.toMatchObject({ code: 'KEY_ROTATION_BUSY' });
});

test('a paused rotation does nothing, refuses wishes, and goes on where it was', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  await ask(world, id);
  await world.runOnce(id);
  const paused = await world.rotations.pause(await world.row(id));
  world.clock.advance(30 * DAY);

  const outcome = await world.runEarly(id);
  const whilePaused = world.works(old);
  await expect(ask(world, id)).rejects.toMatchObject({ code: 'KEY_ROTATION_PAUSED' });
  await world.rotations.resume(paused);
  await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_ROTATION_PAUSED' });
  expect(whilePaused).toBe(true);
  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
});

test('an adopted key changes nothing until the first rotation replaces it', async () => {
  const world = await createWorld(stage);
  const pair = world.sandbox.createAccessKey({ accountId: ACCOUNT, userName: world.userName });
  const { id } = await world.createRotation({ adoptKey: pair });

  const first = await world.runOnce(id);
  const before = world.keys();
  const published = await world.published();
  await ask(world, id);
  await world.runUntilDone(id);

  expect(first.status).toBe('succeeded');
  expect(before).toEqual({ [pair.accessKeyId]: 'Active' });
  expect(published).toEqual({});
  expect(world.keys()).not.toHaveProperty(pair.accessKeyId);
});

test('a foreign key that blocks can be adopted, and is replaced like any other', async () => {
  const world = await createWorld(stage);
  const person = world.sandbox.createAccessKey({ accountId: ACCOUNT, userName: world.userName });
  const { id } = await world.createRotation();
  const blocked = await world.runOnce(id);

  await world.rotations.adoptKey(await world.row(id), person);
  await world.runOnce(id);
  const beside = world.works(person);
  await world.runUntilDone(id);

  expect(blocked).toMatchObject({ status: 'blocked', code: 'KEY_FOREIGN' });
  expect(beside).toBe(true);
  expect(Object.keys(world.keys())).toEqual([(await world.published()).accessKeyId]);
});

test('an adopted key with the wrong secret is told at once', async () => {
  const world = await createWorld(stage);
  const pair = world.sandbox.createAccessKey({ accountId: ACCOUNT, userName: world.userName });
  const wrong = { ...pair, secretAccessKey: 'sandbox/not-the-secret-of-this-key' };
  const { id } = await world.createRotation({ adoptKey: wrong });

  const outcome = await world.runOnce(id);
  await world.rotations.adoptKey(await world.row(id), pair);
  const corrected = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'CONNECTION_SECRET_WRONG' });
  expect(corrected.status).toBe('succeeded');
});

test('deleting with revocation removes every key of ours, and no key of a person', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  await toHold(world, id);
  const person = world.sandbox.createAccessKey({ accountId: ACCOUNT, userName: world.userName });

  await world.rotations.revokeKeys(await world.row(id), 'ann');
  const outcome = await world.runOnce(id);
  await world.rotations.delete(await world.row(id), 'remove');

  expect(outcome.status).toBe('succeeded');
  expect(world.keys()).toEqual({ [person.accessKeyId]: 'Active' });
  expect(await world.published()).toEqual({});
  await expect(world.row(id)).rejects.toMatchObject({ code: 'KEY_ROTATION_NOT_FOUND' });
});

test('deleting with revocation leaves an orphan that a person took', async () => {
  const world = await createWorld(stage);
  world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-after' });
  const { id } = await world.createRotation();
  await world.runOnce(id);
  const [orphan = ''] = Object.keys(world.keys());
  await world.runUntilDone(id);
  world.sandbox.setAccessKeyStatus({ accessKeyId: orphan, status: 'Active' });

  await world.rotations.revokeKeys(await world.row(id), 'ann');
  await world.runUntilDone(id);

  expect(world.keys()).toEqual({ [orphan]: 'Active' });
});

test('deleting without revocation leaves keys and values, and frees the secrets', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);

  await world.rotations.delete(await world.row(id), 'keep');

  expect(world.works(old)).toBe(true);
  expect(await world.published()).toEqual(old);
  const folder = await world.folders.get(world.folderId);
  await expect(world.folders.change(folder, [{ key: 'KEY_ID', value: 'x' }], 'merge')).resolves.toMatchObject({
    set: 1,
  });
});

test('a rotation that is blocked before it made a key can be deleted', async () => {
  const world = await createWorld(stage);
  const person = world.sandbox.createAccessKey({ accountId: ACCOUNT, userName: world.userName });
  const { id } = await world.createRotation();
  await world.runOnce(id);

  await world.rotations.delete(await world.row(id), 'keep');

  expect(world.works(person)).toBe(true);
  await expect(world.row(id)).rejects.toMatchObject({ code: 'KEY_ROTATION_NOT_FOUND' });
});

test('a paused rotation whose worker died can be deleted once its lease is over', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  const held = (lease: string) =>
    stage.handle.db.execute(sql`
      update keyferry.rotations
      set paused_at = now(), next_due_at = null, run_token = gen_random_uuid(),
        run_lease_until = now() + ${lease}::interval
      where id = ${id}`);
  await held('1 minute');
  await expect(world.rotations.delete(await world.row(id), 'keep')).rejects.toMatchObject({
    code: 'KEY_ROTATION_BUSY',
  });
  await held('-1 minute');

  await world.rotations.delete(await world.row(id), 'keep');

  await expect(world.row(id)).rejects.toMatchObject({ code: 'KEY_ROTATION_NOT_FOUND' });
});

test('a sync that is not there cannot be skipped', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);

  await expect(world.rotations.request(await world.row(id), { skipSync: ['to-smm'] }, 'ann')).rejects.toMatchObject({
    code: 'SYNC_NOT_FOUND',
  });
});

test('a rotation that holds a key nobody else knows is not deleted', async () => {
  const world = await createWorld(stage, { timing: { keyVisibleMs: [DAY, DAY] } });
  const { id } = await world.createRotation();
  await world.runOnce(id);

  await expect(world.rotations.delete(await world.row(id), 'keep')).rejects.toMatchObject({
    code: 'KEY_ROTATION_BUSY',
  });
});
