import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, HOUR, SECOND } from './world.ts';

const stage = useStage();

test('a first rotation publishes a key that works and leaves nothing to retire', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();

  const outcome = await world.runUntilDone(id);

  const published = await world.published();
  expect(outcome.status).toBe('succeeded');
  expect(world.works(published)).toBe(true);
  expect(Object.keys(world.keys())).toEqual([published.accessKeyId]);
  expect(await world.row(id)).toMatchObject({
    phase: 'idle',
    rotationStatus: 'succeeded',
    activeAccessKeyId: published.accessKeyId,
  });
});

test('a rotation keeps the old key through quiet and hold, then deletes it', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const [old = ''] = Object.keys(world.keys());
  const startedAt = world.clock.now().getTime();

  await world.rotations.request(await world.row(id), {}, 'ann');
  const quiet = await world.runOnce(id);
  const duringQuiet = world.keys();
  const outcome = await world.runUntilDone(id);

  expect(quiet).toMatchObject({ status: 'continued', answersRequest: true });
  expect(Object.values(duringQuiet)).toEqual(['Active', 'Active']);
  expect(outcome.status).toBe('succeeded');
  expect(world.keys()).not.toHaveProperty(old);
  expect(Object.values(world.keys())).toEqual(['Active']);
  expect(world.clock.now().getTime() - startedAt).toBeGreaterThan(8 * DAY - HOUR);
});

test('the timeline tells every step, and secrets of deleted keys are gone', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await world.runUntilDone(id);
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runUntilDone(id);

  const steps = (await world.rotations.steps(id)).map((step) => step.step);
  const rows = await stage.handle.db.execute(
    sql`select state, secret is null as bare from keyferry.rotation_keys where rotation_id = ${id}
      order by created_at`,
  );
  expect(steps.slice(-14)).toEqual([
    'begin',
    'create-sent',
    'created',
    'verified',
    'published',
    'confirmed',
    'quiet-over',
    'deactivate-sent',
    'deactivated',
    'holding',
    'hold-over',
    'delete-sent',
    'deleted',
    'finished',
  ]);
  expect(rows).toMatchObject([
    { state: 'deleted', bare: true },
    { state: 'active', bare: false },
  ]);
});

test('a rotation takes few calls', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await world.runUntilDone(id);
  world.sandbox.calls.clear();
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runUntilDone(id);

  expect(world.sandbox.calls.byOperation()).toEqual({
    'iam.ListAccessKeys': 2,
    'iam.GetUser': 1,
    'iam.CreateAccessKey': 1,
    // One of each asks for a key that cannot exist: whether the permission is there is known before
    // anything is made.
    'iam.UpdateAccessKey': 2,
    'iam.DeleteAccessKey': 2,
    'iam.GetAccessKeyLastUsed': 2,
    'sts.GetCallerIdentity': 3,
  });
});

test('a rotation missed while no worker ran is made up for once', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await world.runUntilDone(id);
  world.clock.advance(100 * DAY);

  await world.runUntilDone(id);
  const afterwards = await world.runEarly(id);

  const { nextRotationAt } = await world.row(id);
  expect(afterwards.status).toBe('succeeded');
  expect(await world.rotations.keys(id)).toHaveLength(2);
  expect((nextRotationAt?.getTime() ?? 0) - world.clock.now().getTime()).toBeGreaterThan(29 * DAY);
});

test('a rotation that is due before the last one ended waits, and says so', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation({ rotationIntervalDays: 1 });
  await world.runUntilDone(id);
  world.clock.advance(2 * DAY);
  await world.runOnce(id);
  world.clock.advance(2 * DAY);

  const outcome = await world.runOnce(id);

  expect(outcome.status).toBe('continued');
  expect(Object.keys(world.keys())).toHaveLength(2);
  expect((await world.row(id)).statusMessage).toContain('The next rotation is due and waits for this one to end');
});

test('a wish during the quiet phase stays open until its own rotation', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);

  await world.rotations.request(await world.row(id), {}, 'bob');
  const waiting = await world.runOnce(id);
  await world.runUntilDone(id);

  expect(waiting).toMatchObject({ status: 'continued', answersRequest: false });
  expect(await world.rotations.keys(id)).toHaveLength(3);
});

test('a key that takes 15 s to work is waited for', async () => {
  const world = await createWorld(stage, { timing: { keyVisibleMs: [15 * SECOND, 15 * SECOND] } });
  const { id } = await world.createRotation();

  const outcome = await world.runUntilDone(id);

  expect(outcome.status).toBe('succeeded');
  expect(world.works(await world.published())).toBe(true);
});

test('a key that never works is deleted again, and the old one stays', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const before = await world.published();
  world.sandbox.setTiming({ keyVisibleMs: [900 * DAY, 900 * DAY] });
  await world.rotations.request(await world.row(id), {}, 'ann');

  const outcome = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'KEY_VERIFY_TIMEOUT' });
  expect(await world.published()).toEqual(before);
  expect(world.keys()).toEqual({ [before.accessKeyId ?? '']: 'Active' });
  expect((await world.row(id)).phase).toBe('idle');
});

test('secrets that a rotation manages are refused to other writers, and other secrets are not touched', async () => {
  const world = await createWorld(stage);
  const folder = await world.folders.get(world.folderId);
  await world.folders.change(folder, [{ key: 'OTHER', value: 'kept' }], 'merge');
  const { id } = await world.createRotation();
  await world.runUntilDone(id);

  const changed = await world.folders.get(world.folderId);
  await expect(world.folders.change(changed, [{ key: 'KEY_ID', value: 'x' }], 'merge')).rejects.toMatchObject({
    code: 'SECRET_MANAGED',
  });
  const { secrets } = await world.folders.read(world.folderId);
  expect(secrets).toContainEqual(expect.objectContaining({ key: 'OTHER', value: 'kept', managedBy: null }));
  expect(changed.revision).toBe(folder.revision + 2);
});
