import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, HOUR, type Pair, type World } from './world.ts';

const stage = useStage();

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
        sql`update keyferry.tombstones set installation_id = gen_random_uuid()
          where org_id = ${world.orgId}`,
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
  expect((await world.row(id)).statusMessage).toContain('adoptKey');
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

test('a key whose pair left the folder is named as left by a deleted rotation', async () => {
  const { world } = await deleted('remove');
  const { id } = await world.createRotation();
  await world.runOnce(id);

  expect((await world.row(id)).statusMessage).toContain('left by a deleted rotation');
});

/** A rotation that was deleted after its publication, while its old key was in `phase`. */
async function deletedWhileRetiring(phase: 'quiet' | 'hold') {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const old = (await world.published()) as Pair;
  await world.rotations.request(await world.row(id), {}, null);
  await runUntilPhase(world, id, phase);
  await world.rotations.delete(await world.row(id), 'keep');
  return { world, old, left: (await world.published()) as Pair };
}

async function runUntilPhase(world: World, id: string, phase: string): Promise<void> {
  for (let runs = 0; runs < 20; runs += 1) {
    if ((await world.row(id)).phase === phase) return;
    await world.untilDue(id);
    await world.runOnce(id);
  }
  throw new Error(`The rotation is in phase ${(await world.row(id)).phase}, not in ${phase}.`);
}

test('the next rotation takes back an old key in its grace period, and retires it', async () => {
  const { world, old, left } = await deletedWhileRetiring('quiet');

  const { id } = await world.createRotation();
  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'continued', answersRequest: true });
  expect(await world.row(id)).toMatchObject({ rotationStatus: 'succeeded', phase: 'quiet', statusCode: null });
  expect(await world.published()).toEqual(left);
  expect(world.keys()).toEqual({ [old.accessKeyId]: 'Active', [left.accessKeyId]: 'Active' });
  expect((await world.runUntilDone(id)).status).toBe('succeeded');
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
  expect((await world.rotations.steps(id)).map(({ step }) => step)).toContain('left-keys-taken-back');
});

test('a key that is taken back stays active for a day at least, and as long as somebody uses it', async () => {
  const { world, old } = await deletedWhileRetiring('quiet');
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await world.runOnce(id);
  const takenBackAt = world.clock.now().getTime();

  // Each use shows at AWS before the quiet time is over.
  for (const hours of [12, 6, 12]) {
    world.clock.advance(hours * HOUR);
    await world.use(old);
    await world.untilDue(id);
    await world.runOnce(id);
    expect((await world.row(id)).phase).toBe('quiet');
    expect(world.keys()[old.accessKeyId]).toBe('Active');
  }

  expect(world.clock.now().getTime() - takenBackAt).toBeGreaterThanOrEqual(DAY);
  await world.runUntilDone(id);
  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
});

test('an inactive key of a deleted rotation is taken back, too', async () => {
  const { world, old, left } = await deletedWhileRetiring('hold');
  expect(world.keys()).toEqual({ [old.accessKeyId]: 'Inactive', [left.accessKeyId]: 'Active' });

  const { id } = await world.createRotation();
  await world.runOnce(id);

  expect(await world.row(id)).toMatchObject({ rotationStatus: 'succeeded', activeAccessKeyId: left.accessKeyId });
  await world.runUntilDone(id);
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

test('whichever of the two the folder holds is kept', async () => {
  const { world, old } = await deletedWhileRetiring('quiet');
  await setPair(world, old);

  const { id } = await world.createRotation();
  await world.runUntilDone(id);

  expect(await world.published()).toEqual(old);
  expect(world.keys()).toEqual({ [old.accessKeyId]: 'Active' });
});

test('rotations that are deleted at once, again and again, forget no old key', async () => {
  const { world, old, left } = await deletedWhileRetiring('quiet');
  for (let round = 0; round < 3; round += 1) {
    const { id } = await world.createRotation();
    // Only every second one looks at AWS before it goes.
    if (round === 1) await world.runOnce(id);
    await world.rotations.delete(await world.row(id), 'keep');
  }

  const { id } = await world.createRotation();
  await world.runUntilDone(id);

  expect((await world.row(id)).rotationStatus).toBe('succeeded');
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
  expect(world.keys()).not.toHaveProperty(old.accessKeyId);
});

test.each<readonly [string, (world: World, keys: { old: Pair; left: Pair }) => Promise<unknown>]>([
  [
    'a connection signs with it',
    ({ handle, orgId, connectionId }, { old }) =>
      handle.db.execute(sql`
        insert into keyferry.connections (org_id, name, method, access_key_id)
        select ${orgId}, 'other', 'access-key', ${old.accessKeyId} from keyferry.connections
        where id = ${connectionId}`),
  ],
  [
    'the tombstone does not know it',
    ({ handle, orgId }, { old }) =>
      handle.db.execute(sql`
        update keyferry.tombstones
        set access_key_ids = array_remove(access_key_ids, ${old.accessKeyId})
        where org_id = ${orgId}`),
  ],
  [
    'the key of the folder does not work',
    (world, { left }) => setPair(world, { ...left, secretAccessKey: 'x'.repeat(40) }),
  ],
])('an old key is not taken back when %s', async (_name, change) => {
  const { world, old, left } = await deletedWhileRetiring('quiet');
  await change(world, { old, left });

  const { id } = await world.createRotation();
  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_FOREIGN' });
  expect(world.keys()).toEqual({ [old.accessKeyId]: 'Active', [left.accessKeyId]: 'Active' });
});

/** A rotation of another project for the user of `world`. */
async function movedRotation(world: World, input: Parameters<World['createRotation']>[0] = {}) {
  const place = { projectId: 'moved', environment: 'prod', secretPath: '/ci' };
  const { id: folderId } = await world.folders.ensure(world.orgId, place);
  const row = await world.createRotation({ folderId, projectId: 'moved', ...input });
  const pairThere = async () => {
    const { secrets } = await world.folders.read(folderId);
    const value = (key: string) => secrets.flatMap((one) => (one.key === key && 'value' in one ? [one.value] : []))[0];
    return { accessKeyId: value('KEY_ID'), secretAccessKey: value('SECRET_KEY') };
  };
  return { id: row.id, folderId, pairThere };
}

test('a rotation that moves to another project publishes its predecessor’s key there, where it may adopt', async () => {
  const { world, left } = await deleted('keep');

  const { id, pairThere } = await movedRotation(world, { onExisting: 'adopt' });
  await world.runUntilDone(id);

  expect(await world.row(id)).toMatchObject({ rotationStatus: 'succeeded', activeAccessKeyId: left.accessKeyId });
  expect(await pairThere()).toEqual(left);
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
  await world.rotations.request(await world.row(id), {}, null);
  expect((await world.runUntilDone(id)).status).toBe('succeeded');
  expect(world.keys()).toEqual({ [(await pairThere()).accessKeyId ?? '']: 'Active' });
});

test('a rotation that moves in a grace period takes both keys along', async () => {
  const { world, old, left } = await deletedWhileRetiring('quiet');

  const { id, pairThere } = await movedRotation(world, { onExisting: 'adopt' });
  await runUntilPhase(world, id, 'quiet');
  expect(await pairThere()).toEqual(left);
  expect(world.keys()).toEqual({ [old.accessKeyId]: 'Active', [left.accessKeyId]: 'Active' });
  await world.runUntilDone(id);

  expect((await world.row(id)).rotationStatus).toBe('succeeded');
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

test('a rotation that moves back and forth makes no further key', async () => {
  const { world, left } = await deleted('keep');
  for (let round = 0; round < 4; round += 1) {
    const { id } =
      round % 2 === 0
        ? await movedRotation(world, { onExisting: 'adopt' })
        : await world.createRotation({ onExisting: 'adopt' });
    await world.runUntilDone(id);
    expect((await world.row(id)).rotationStatus).toBe('succeeded');
    await world.rotations.delete(await world.row(id), 'keep');
  }
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

test('a key left in another project blocks a rotation that may not adopt, until it may', async () => {
  const { world, left } = await deleted('keep');

  const { id } = await movedRotation(world);
  expect(await world.runOnce(id)).toMatchObject({ status: 'blocked', code: 'KEY_FOREIGN' });
  expect((await world.row(id)).statusMessage).toContain('left by a deleted rotation of another folder');
  expect((await world.row(id)).statusMessage).toContain('onExisting: adopt');

  await world.rotations.updateAsRead(await world.row(id), { onExisting: 'adopt' });
  await world.runUntilDone(id);
  expect(await world.row(id)).toMatchObject({ rotationStatus: 'succeeded', activeAccessKeyId: left.accessKeyId });
});

test.each<readonly [string, (world: World, left: Pair) => Promise<unknown>]>([
  [
    'another installation left it',
    (world) =>
      stage.handle.db.execute(
        sql`update keyferry.tombstones set installation_id = gen_random_uuid()
          where org_id = ${world.orgId}`,
      ),
  ],
  [
    'a rotation of another org left it',
    (world) =>
      stage.handle.db.execute(sql`update keyferry.tombstones set org_id = 'another'
        where org_id = ${world.orgId}`),
  ],
  [
    'a living rotation holds it',
    async ({ handle, orgId, connectionId, folderId }, { accessKeyId }) => {
      const [other] = await handle.db.execute<{ id: string }>(sql`
        insert into keyferry.rotations (org_id, name, connection_id, folder_id, user_name,
          secrets_mapping,
          rotation_interval_days, rotate_at_utc, grace, quiet_seconds, hold_seconds)
        values (${orgId}, 'living', ${connectionId}, ${folderId}, 'somebody-else', '{}', 30, '{}',
          '0 s', 0, 0)
        returning id`);
      await handle.db.execute(sql`
        insert into keyferry.rotation_keys (rotation_id, access_key_id, state)
        values (${other?.id ?? ''}, ${accessKeyId}, 'active')`);
    },
  ],
  [
    'a living rotation manages its pair',
    (world) =>
      stage.handle.db.execute(
        sql`update keyferry.secrets set managed_by = gen_random_uuid()
          where folder_id = ${world.folderId}`,
      ),
  ],
  [
    'a connection signs with it',
    ({ handle, orgId, connectionId }, { accessKeyId }) =>
      handle.db.execute(sql`
        insert into keyferry.connections (org_id, name, method, access_key_id)
        select ${orgId}, 'other', 'access-key', ${accessKeyId} from keyferry.connections
        where id = ${connectionId}`),
  ],
  [
    'its pair left the folder',
    (world) =>
      stage.handle.db.execute(sql`delete from keyferry.secrets
        where folder_id = ${world.folderId}`),
  ],
])('a rotation that moves takes no key when %s', async (_name, change) => {
  const { world, left } = await deleted('keep');
  await change(world, left);

  const { id, pairThere } = await movedRotation(world, { onExisting: 'adopt' });

  expect(await world.runOnce(id)).toMatchObject({ status: 'blocked', code: 'KEY_FOREIGN' });
  expect(await pairThere()).toEqual({ accessKeyId: undefined, secretAccessKey: undefined });
  expect(world.keys()).toEqual({ [left.accessKeyId]: 'Active' });
});

async function setPair(world: World, pair: Pair): Promise<void> {
  const folder = await world.folders.get(world.folderId);
  const secrets = [
    { key: 'KEY_ID', value: pair.accessKeyId },
    { key: 'SECRET_KEY', value: pair.secretAccessKey },
  ];
  await world.folders.change(folder, secrets, 'merge');
}
