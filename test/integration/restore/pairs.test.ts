/**
 * A rotation and the sync of its pair after a restore: what one of them has found out counts for
 * the other.
 */
import { sql } from 'drizzle-orm';
import { beforeAll, beforeEach, expect, test } from 'vitest';

import { createInstallation } from '../../../src/db/installation.ts';
import { createInstallationGuard } from '../../../src/db/installation-guard.ts';
import { databaseClock } from '../../support/database-clock.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { takeBackup } from '../../support/rewind.ts';
import { useStage } from '../../support/use-stage.ts';
import * as rotating from '../rotation/world.ts';
import { createWorld, DAY, MINUTE, type World } from '../sync/world.ts';

const database = useTestDatabase();
beforeAll(() => databaseClock(database().url));
const stage = useStage(database);
// Each world begins at the real time, before the epochs of earlier ones: here every epoch is the
// first.
beforeEach(() =>
  stage.handle.db.execute(sql`update keyferry.installation
    set epoch = 1, epoch_started_at = null`),
);

interface Scene {
  readonly world: World;
  readonly rotation: rotating.World;
  readonly rotationId: string;
  readonly syncId: string;
}

/** A folder with a value and a rotated pair, and a sync that has written all of it. */
async function begin(): Promise<Scene> {
  const world = await createWorld(stage);
  const { clock, sandbox, orgId } = world;
  const rotation = await rotating.furnish(stage, {}, { clock, sandbox, orgId, suffix: orgId.slice(4) });
  const { id: rotationId } = await rotation.createRotation();
  await rotation.runUntilDone(rotationId);
  const { id: syncId } = await world.createSync({ folderId: rotation.folderId });
  await change(rotation, 'DATA', 'old');
  await world.runUntilDone(syncId);
  return { world, rotation, rotationId, syncId };
}

async function change(rotation: rotating.World, key: string, value: string): Promise<void> {
  await rotation.folders.change(await rotation.folders.get(rotation.folderId), [{ key, value }], 'merge');
}

/**
 * Whatever runs now runs in the millisecond in which the epoch began: the clock of these tests is
 * slow.
 */
async function startEpoch({ clock }: World): Promise<void> {
  await clock.settled();
  const guard = createInstallationGuard(stage.handle.db);
  await guard.raise('asked');
  await guard.accept({ as: 'restored', actor: 'ann', name: undefined });
}

/** Both subjects run whenever they are due, until the rotation is in that phase. */
async function runUntil({ world, rotation, rotationId, syncId }: Scene, phase: string): Promise<void> {
  for (let runs = 0; runs < 20 && (await rotation.row(rotationId)).phase !== phase; runs += 1) {
    await rotation.untilDue(rotationId);
    await rotation.runOnce(rotationId);
    if (await world.isDue(syncId)) await world.runUntilDone(syncId);
  }
  expect((await rotation.row(rotationId)).phase).toBe(phase);
}

async function rotate(scene: Scene): Promise<rotating.Pair> {
  scene.world.clock.advance(31 * DAY);
  await runUntil(scene, 'quiet');
  return (await scene.rotation.published()) as rotating.Pair;
}

test('in the first new epoch a sync counts as confirmed only once it has compared', async () => {
  const scene = await begin();
  const { world, rotation, rotationId, syncId } = scene;
  await rotate(scene);
  const row = await rotation.row(rotationId);
  const { revision } = await rotation.folders.get(rotation.folderId);
  const readDependents = () => rotation.rotations.run.dependents(row, revision);
  const [before] = await readDependents();
  expect(before).toMatchObject({ id: syncId, hasConfirmed: true, hasCompared: true });
  await startEpoch(world);
  expect(await readDependents()).toMatchObject([{ hasConfirmed: false, hasCompared: false }]);
  await rotation.untilDue(rotationId);
  await rotation.runOnce(rotationId);
  expect(await rotation.row(rotationId)).toMatchObject({ phase: 'publishing' });
  await world.runUntilDone(syncId, { request: 'sync' });
  expect((await world.row(syncId)).comparedAt).not.toBeNull();
  expect(await readDependents()).toMatchObject([{ hasConfirmed: true, hasCompared: true }]);
  await runUntil(scene, 'quiet');
});

test('a comparison in the very millisecond in which the epoch began counts', async () => {
  const { world, rotation, rotationId, syncId } = await begin();
  // Away from the end of a millisecond, where the next one would begin.
  for (const microseconds of [100, 500]) {
    const begun = await stage.handle.db.execute<{ at: string }>(sql`
      update keyferry.installation
      set epoch = epoch + 1,
        epoch_started_at = date_trunc('milliseconds', now())
          + ${`${String(microseconds)} microseconds`}::interval
      returning epoch_started_at as at`);
    expect(begun[0]?.at).toMatch(/\.\d{3}[15]/);
    await world.runUntilDone(syncId, { request: 'sync' });
    const { revision } = await rotation.folders.get(rotation.folderId);
    const row = await rotation.row(rotationId);
    expect(await rotation.rotations.run.dependents(row, revision)).toMatchObject([{ hasCompared: true }]);
    world.clock.advance(MINUTE);
    await world.clock.settled();
  }
});

test('an epoch that a server with a slow clock begins is later than everything on record', async () => {
  const { world, rotation, rotationId, syncId } = await begin();
  await stage.handle.db.execute(sql`
    with ahead as (
      update keyferry.rotations set created_at = now() + interval '1 hour' where id = ${rotationId}
    )
    update keyferry.syncs set created_at = now() + interval '1 hour' where id = ${syncId}`);
  await startEpoch(world);
  await world.runUntilDone(syncId, { request: 'sync' });
  await rotation.rotations.request(await rotation.row(rotationId), {}, 'ann');
  await rotation.runOnce(rotationId);
  const { epochStartedAt } = await createInstallation(stage.handle.db).get();
  for (const { createdAt, comparedAt } of [await world.row(syncId), await rotation.row(rotationId)]) {
    expect(epochStartedAt && createdAt < epochStartedAt).toBe(true);
    expect(epochStartedAt && comparedAt && comparedAt > epochStartedAt).toBe(true);
  }
  const { revision } = await rotation.folders.get(rotation.folderId);
  const row = await rotation.row(rotationId);
  expect(await rotation.rotations.run.dependents(row, revision)).toMatchObject([{ hasCompared: true }]);
});

test('accepting the source leaves the pair of a rotation that does not know which key is in use', async () => {
  const scene = await begin();
  const { world, rotation, rotationId, syncId } = scene;
  const old = (await rotation.published()) as rotating.Pair;
  const restore = await takeBackup(stage.handle.client);
  const inUse = await rotate(scene);
  await change(rotation, 'DATA', 'new');
  await world.runUntilDone(syncId);
  await restore();
  await startEpoch(world);
  await world.runUntilDone(syncId, { request: 'sync' });
  const atAws = () => world.parameters();
  expect(atAws()).toMatchObject({ '/app/prod/DATA': 'new', '/app/prod/KEY_ID': inUse.accessKeyId });

  const acceptSource = () => world.runUntilDone(syncId, { request: 'sync', parameters: { acceptSource: true } });
  world.clock.advance(5 * MINUTE);
  // The rotation has not run in this epoch yet.
  await acceptSource();
  expect(atAws()).toMatchObject({ '/app/prod/DATA': 'old', '/app/prod/KEY_ID': inUse.accessKeyId });
  expect(await rotation.runOnce(rotationId)).toMatchObject({ status: 'blocked', code: 'KEY_RESTORED' });
  await acceptSource();
  expect(atAws()).toMatchObject({
    '/app/prod/KEY_ID': inUse.accessKeyId,
    '/app/prod/SECRET_KEY': inUse.secretAccessKey,
  });
  expect([rotation.works(old), rotation.works(inUse)]).toEqual([true, true]);

  // A person hands the key in use over: from then on folder and AWS agree.
  await rotation.rotations.adoptKey(await rotation.row(rotationId), inUse);
  await rotation.runOnce(rotationId);
  expect(await rotation.published()).toEqual(inUse);
  await world.runUntilDone(syncId, { request: 'sync' });
  expect(await world.row(syncId)).toMatchObject({ drift: 'none' });
});

test('accepting the source keeps a pair that was renamed after the backup, until the rotation knows its key', async () => {
  const scene = await begin();
  const { world, rotation, rotationId, syncId } = scene;
  const restore = await takeBackup(stage.handle.client);
  const row = await world.row(syncId);
  await world.syncs.update(row, { syncOptions: { ...row.syncOptions, keySchema: 'NEW_{{secretKey}}' } }, 'ann');
  await world.runUntilDone(syncId);
  const inUse = await rotate(scene);
  await restore();
  await startEpoch(world);
  await world.runUntilDone(syncId, { request: 'sync' });
  expect(await rotation.runOnce(rotationId)).toMatchObject({ status: 'blocked', code: 'KEY_RESTORED' });
  const acceptSource = () => world.runUntilDone(syncId, { request: 'sync', parameters: { acceptSource: true } });
  await acceptSource();
  expect(world.parameters()).toMatchObject({
    '/app/prod/NEW_KEY_ID': inUse.accessKeyId,
    '/app/prod/NEW_SECRET_KEY': inUse.secretAccessKey,
    '/app/prod/DATA': 'old',
  });

  await rotation.rotations.adoptKey(await rotation.row(rotationId), inUse);
  await rotation.runOnce(rotationId);
  world.clock.advance(5 * MINUTE);
  await acceptSource();
  expect(world.parameters()).toEqual({
    '/app/prod/KEY_ID': inUse.accessKeyId,
    '/app/prod/SECRET_KEY': inUse.secretAccessKey,
    '/app/prod/DATA': 'old',
  });
});
