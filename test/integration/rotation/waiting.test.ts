import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { allow, createWorld, DAY, DOCUMENTED_ACTIONS, HOUR, MINUTE, type Pair, type World } from './world.ts';

const stage = useStage();

/** So late, an hour of waiting takes a dozen runs in place of a hundred. */
const LATE = { lateMs: 5 * MINUTE };

async function rotatedOnce(world: World): Promise<{ id: string; old: Pair }> {
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  return { id, old: (await world.published()) as Pair };
}

async function ask(world: World, id: string, wish = {}): Promise<void> {
  await world.rotations.request(await world.row(id), wish, 'ann');
}

test('the publication makes the syncs due and waits until each has written both values', async () => {
  const world = await createWorld(stage);
  await world.addSync('to-ssm');
  const { id } = await world.createRotation();

  const waiting = await world.runOnce(id);
  const phase = (await world.row(id)).phase;
  await world.runSyncs();
  const outcome = await world.runUntilDone(id);

  expect(waiting).toMatchObject({ status: 'continued', answersRequest: false });
  expect(phase).toBe('publishing');
  expect((await world.row(id)).rotationStatus).toBe('succeeded');
  expect(outcome.status).toBe('succeeded');
  expect(world.held.get('to-ssm')).toEqual(await world.published());
});

test('a sync that only runs on request is waited for, too, once it has written the pair', async () => {
  const world = await createWorld(stage);
  const syncId = await world.addSync('by-hand');
  const { id } = await world.createRotation();
  await world.runOnce(id);
  await world.runSyncs();
  await world.runUntilDone(id);
  await stage.handle.db.execute(sql`update keyferry.syncs set is_auto_sync_enabled = false
    where id = ${syncId}`);
  await ask(world, id);

  const outcome = await world.runUntilDone(id, LATE);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_DEPENDENTS_WAITING' });
  expect(Object.values(world.keys())).toEqual(['Active', 'Active']);
});

test('after an hour the dependents that wait are named, and both keys stay alive', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  await world.addSync('stuck');
  await ask(world, id);

  const outcome = await world.runUntilDone(id, { maxRuns: 200 });

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_DEPENDENTS_WAITING' });
  expect((await world.row(id)).statusMessage).toContain('stuck');
  expect(Object.values(world.keys())).toEqual(['Active', 'Active']);
});

test.each([
  ['the sync is fixed', async (world: World) => world.runSyncs()],
  [
    'the sync is deleted',
    async (world: World) =>
      stage.handle.db.execute(sql`delete from keyferry.syncs
        where org_id = ${world.orgId}`),
  ],
  ['it is skipped by name', async (world: World, id: string) => ask(world, id, { skipSync: ['stuck'] })],
])('a rotation that waits for a dependent goes on when %s', async (_name, help) => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  await world.addSync('stuck');
  await ask(world, id);
  await world.runUntilDone(id, LATE);

  await help(world, id);
  world.clock.advance(HOUR);
  const outcome = await world.runOnce(id);

  expect(outcome.status).toBe('continued');
  expect((await world.row(id)).phase).toBe('quiet');
});

test('a skipped sync stands in the timeline with who asked', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  await world.addSync('stuck');
  await ask(world, id, { skipSync: ['stuck'] });
  await world.runOnce(id);

  const begin = (await world.rotations.steps(id)).findLast((step) => step.step === 'begin');
  expect(begin?.detail).toBe('requested by ann, skipping stuck');
});

test('an old key that is still used stays, and the status says by which service and when', async () => {
  const world = await createWorld(stage);
  const { id, old } = await rotatedOnce(world);
  await ask(world, id);
  await world.runOnce(id);
  world.clock.advance(20 * HOUR);
  await world.use(old);
  world.clock.advance(5 * HOUR);

  const outcome = await world.runOnce(id);
  const { phase, statusMessage } = await world.row(id);
  const afterUse = world.keys();
  world.clock.advance(20 * HOUR);
  await world.runOnce(id);

  expect(outcome.status).toBe('continued');
  expect(phase).toBe('quiet');
  expect(statusMessage).toContain('still used: last used');
  expect(statusMessage).toContain('by sts in');
  expect(afterUse[old.accessKeyId]).toBe('Active');
  expect((await world.row(id)).phase).toBe('hold');
});

test('without permission for last-used and GetUser it goes by time, and says what they would add', async () => {
  const world = await createWorld(stage, { actions: DOCUMENTED_ACTIONS });
  const { id } = await rotatedOnce(world);
  await ask(world, id);

  await world.runOnce(id);
  const { statusMessage } = await world.row(id);
  const outcome = await world.runUntilDone(id);

  expect(outcome.status).toBe('succeeded');
  expect(Object.keys(world.keys())).toHaveLength(1);
  expect(statusMessage).toContain('iam:GetAccessKeyLastUsed is not allowed');
  expect(statusMessage).toContain('iam:GetUser is not allowed');
});

test.each(DOCUMENTED_ACTIONS)(
  'without %s the rotation is blocked before it makes a key, naming action and user',
  async (missing) => {
    const world = await createWorld(stage);
    const { id } = await rotatedOnce(world);
    const before = world.keys();
    const policy = allow(DOCUMENTED_ACTIONS.filter((action) => action !== missing));
    world.sandbox.setRolePolicy({ accountId: '222233334444', roleName: 'rotator', policy });
    await ask(world, id);

    const outcome = await world.runOnce(id);

    expect(outcome).toMatchObject({ status: 'blocked', code: 'AWS_ACCESS_DENIED' });
    expect((await world.row(id)).statusMessage).toContain(
      `${missing} on arn:aws:iam::222233334444:user/${world.userName}`,
    );
    expect(world.keys()).toEqual(before);
  },
);

test('what a denied permission blocked goes on by itself when it is granted', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  world.sandbox.setRolePolicy({
    accountId: '222233334444',
    roleName: 'rotator',
    policy: allow(['iam:ListAccessKeys']),
  });
  await ask(world, id);
  await world.runOnce(id);

  world.sandbox.setRolePolicy({ accountId: '222233334444', roleName: 'rotator', policy: allow(['iam:*']) });
  world.clock.advance(HOUR);
  await world.runOnce(id);

  expect((await world.row(id)).phase).toBe('quiet');
});

test('rotations of an invalid connection are blocked and make no call', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  await stage.handle.db.execute(
    sql`update keyferry.connections set status = 'invalid', status_message = 'wrong external ID'
      where id = ${world.connectionId}`,
  );
  world.sandbox.calls.clear();
  world.clock.advance(31 * DAY);

  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'CONNECTION_INVALID' });
  expect(world.sandbox.calls.count()).toBe(0);
});

test('a connection that is not validated is waited for at growing intervals, and the request stays open', async () => {
  const world = await createWorld(stage);
  const { id } = await rotatedOnce(world);
  const setStatus = (status: string) =>
    stage.handle.db.execute(sql`
      update keyferry.connections set status = ${status}, updated_at = now()
      where id = ${world.connectionId}`);
  await setStatus('pending');
  await ask(world, id);

  const waits: number[] = [];
  for (const passedMs of [0, 30_000, 3 * HOUR]) {
    world.clock.advance(passedMs);
    await world.untilDue(id);
    const outcome = await world.runOnce(id);
    if (outcome.status !== 'continued') throw new Error(`It ended: ${outcome.status}`);
    waits.push(Math.round((outcome.at.getTime() - world.clock.now().getTime()) / 1_000));
  }
  const [first, second, last] = waits;
  expect([first, last]).toEqual([5, 60]);
  expect(second).toBeGreaterThan(10);

  await setStatus('valid');
  expect((await world.runUntilDone(id)).status).toBe('succeeded');
  expect(await world.rotations.keys(id)).toHaveLength(2);
});
