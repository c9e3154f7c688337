import { sql, type SQL } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { JobError } from '../../../src/errors.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, HOUR, MINUTE, type Pair, type World } from './world.ts';

const stage = useStage();

/** So late, an hour of waiting takes a dozen runs in place of a hundred. */
const LATE = { lateMs: 5 * MINUTE };

/** A sync that has written the pair, and a rotation that is asked for the next one. */
async function rotatedWith(name: string): Promise<{ world: World; id: string; syncId: string; old: Pair }> {
  const world = await createWorld(stage);
  const syncId = await world.addSync(name);
  const { id } = await world.createRotation();
  await world.runOnce(id);
  await world.runSyncs();
  await world.runUntilDone(id);
  return { world, id, syncId, old: (await world.published()) as Pair };
}

async function rotate(world: World, id: string, wish = {}) {
  await world.rotations.request(await world.row(id), wish, 'ann');
  return world.runUntilDone(id, LATE);
}

const execute = (statement: SQL) => stage.handle.db.execute(statement);
const byHand = (syncId: string) =>
  execute(sql`update keyferry.syncs set is_auto_sync_enabled = false where id = ${syncId}`);

const troubles: readonly (readonly [string, (syncId: string) => Promise<unknown>])[] = [
  ['has not run since', (id) => byHand(id)],
  [
    'failed to write both values',
    async (id) => {
      await byHand(id);
      await execute(sql`update keyferry.sync_entries
        set status = 'failed', error_code = 'AWS_KMS_DENIED',
        remote_version = '1' where sync_id = ${id}`);
    },
  ],
  [
    'is in conflict: somebody took the objects over',
    async (id) => {
      await byHand(id);
      await execute(sql`update keyferry.sync_entries
        set status = 'conflict', error_code = 'SYNC_CONFLICT',
        remote_version = null, fingerprint = null where sync_id = ${id}`);
    },
  ],
  [
    'died within its first write',
    async (id) => {
      await byHand(id);
      await execute(sql`update keyferry.sync_entries set status = 'failed', remote_version = null,
        synced_revision = null, in_flight = '{"operation":"create"}'::jsonb where sync_id = ${id}`);
    },
  ],
  [
    'died within the first write of its JSON secret',
    async (id) => {
      await byHand(id);
      await execute(sql`delete from keyferry.sync_entries where sync_id = ${id} and key = 'KEY_ID'`);
      await execute(sql`update keyferry.sync_entries
        set status = 'failed', key = '', synced_revision = null,
        in_flight = '{"operation":"create","keys":{"KEY_ID":{},"SECRET_KEY":{}}}'::jsonb
          where sync_id = ${id}`);
    },
  ],
  [
    'imported what others hold',
    async (id) => {
      await byHand(id);
      await execute(sql`update keyferry.sync_entries set status = 'skipped', is_claim = false,
        checked_at = null where sync_id = ${id}`);
    },
  ],
  [
    'holds the key id alone',
    async (id) => {
      await byHand(id);
      await execute(sql`delete from keyferry.sync_entries
        where sync_id = ${id} and key = 'SECRET_KEY'`);
    },
  ],
  [
    'reads the folder from above and has not run since',
    async (id) => {
      await byHand(id);
      await readFromAbove(id);
    },
  ],
  [
    'is to leave the pair out and has not run since',
    async (id) => {
      await execute(
        sql`update keyferry.syncs set sync_options = sync_options || '{"exclude": ["*KEY*"]}'
          where id = ${id}`,
      );
    },
  ],
  [
    'is paused',
    async (id) => {
      await execute(sql`update keyferry.syncs set paused_at = now() where id = ${id}`);
    },
  ],
];

/** As a recursive sync of the root folder that has written the same. */
async function readFromAbove(syncId: string): Promise<void> {
  await execute(sql`
    with root as (
      insert into keyferry.folders (org_id, project_id, environment, secret_path)
      select f.org_id, f.project_id, f.environment, '/' from keyferry.syncs s
      join keyferry.folders f on f.id = s.folder_id
      where s.id = ${syncId} returning id
    ),
    entries as (
      update keyferry.sync_entries e
      set key = ltrim(f.secret_path, '/') || ':' || e.key, folder_id = (select id from root)
      from keyferry.syncs s join keyferry.folders f on f.id = s.folder_id
      where s.id = ${syncId} and e.sync_id = s.id
    )
    update keyferry.syncs s set folder_id = (select id from root),
      sync_options = s.sync_options || '{"recursive": true}' where s.id = ${syncId}`);
}

test('a sync that leaves the pair out by its patterns is not waited for', async () => {
  const { world, id, syncId } = await rotatedWith('app');
  await execute(sql`delete from keyferry.sync_entries where sync_id = ${syncId}`);
  await execute(sql`
    update keyferry.syncs set sync_options = sync_options || '{"include": ["OTHER_*"]}'
    where id = ${syncId}`);
  expect(await rotate(world, id)).toMatchObject({ status: 'succeeded' });
});

test('a recursive sync above the folder becomes due with the pair, and is waited for until it has written both', async () => {
  const { world, id, syncId } = await rotatedWith('app');
  await readFromAbove(syncId);
  const before = await execute(sql`select wanted_revision from keyferry.syncs where id = ${syncId}`);
  await world.rotations.request(await world.row(id), {}, 'ann');
  do await world.runOnce(id);
  while ((await world.row(id)).phase !== 'publishing');
  const [after] = await execute(sql`select wanted_revision from keyferry.syncs where id = ${syncId}`);
  expect(Number(after?.['wanted_revision'])).toBe(Number(before[0]?.['wanted_revision']) + 1);
  await execute(sql`update keyferry.sync_entries set synced_revision = 99 where sync_id = ${syncId}`);
  expect(await world.runUntilDone(id, LATE)).toMatchObject({ status: 'succeeded' });
});

test.each(troubles)('a sync that %s keeps the old key alive', async (_name, trouble) => {
  const { world, id, syncId, old } = await rotatedWith('app');
  await trouble(syncId);

  const outcome = await rotate(world, id);
  world.clock.advance(30 * DAY);
  await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_DEPENDENTS_WAITING' });
  expect((await world.row(id)).statusMessage).toContain('app');
  expect(world.works(old)).toBe(true);
});

test('a sync that has written one of the two values keeps the old key alive', async () => {
  const { world, id, syncId, old } = await rotatedWith('app');
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);
  await world.runSyncs();
  await execute(sql`update keyferry.sync_entries set status = 'failed', synced_revision = 1
    where sync_id = ${syncId} and key = 'SECRET_KEY'`);

  const outcome = await world.runUntilDone(id, LATE);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_DEPENDENTS_WAITING' });
  expect(world.works(old)).toBe(true);
});

test.each([
  ['was never asked to run', (id: string) => byHand(id)],
  [
    'was paused before its first run',
    (id: string) => execute(sql`update keyferry.syncs set paused_at = now() where id = ${id}`),
  ],
])('a sync that %s holds no key and is not waited for', async (_name, prepare) => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  await prepare(await world.addSync('new'));

  expect((await rotate(world, id)).status).toBe('succeeded');
});

test('a first run that began before the publication is waited for', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const syncId = await world.addSync('new');
  await byHand(syncId);
  await execute(sql`update keyferry.syncs
    set run_token = gen_random_uuid(), run_lease_until = now() + interval '1 hour'
    where id = ${syncId}`);
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);

  expect(await world.row(id)).toMatchObject({ phase: 'publishing' });
  expect((await world.row(id)).statusMessage).toContain('new');
});

test('what a sync wrote of the old key during the quiet time is noticed before the key is retired', async () => {
  const { world, id, syncId, old } = await rotatedWith('app');
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);
  await world.runSyncs();
  world.clock.advance(MINUTE);
  await world.runOnce(id);
  expect((await world.row(id)).phase).toBe('quiet');
  await execute(sql`update keyferry.sync_entries set synced_revision = 1 where sync_id = ${syncId}`);

  world.clock.advance(2 * DAY);
  const outcome = await world.runOnce(id);
  const isKept = world.works(old);
  await world.rotations.request(await world.row(id), { skipSync: ['app'] }, 'ann');
  world.clock.advance(HOUR);
  await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_DEPENDENTS_WAITING' });
  expect(isKept).toBe(true);
  expect((await world.row(id)).phase).toBe('hold');
  expect((await world.rotations.steps(id)).map((step) => step.detail)).toContain('requested by ann, skipping app');
});

test('a worker that dies between the end of the quiet time and the deactivation leaves the check to the next', async () => {
  let isDead = true;
  const world = await createWorld(stage, {
    wrap: (deps) => ({
      ...deps,
      rotations: {
        run: {
          ...deps.rotations.run,
          advance: (fence, transition) => {
            if (isDead && transition.note?.step === 'deactivate-sent') throw new JobError('LEASE_LOST');
            return deps.rotations.run.advance(fence, transition);
          },
        },
      },
    }),
  });
  const syncId = await world.addSync('app');
  const { id } = await world.createRotation();
  await world.runOnce(id);
  await world.runSyncs();
  await world.runUntilDone(id);
  const old = await world.published();
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);
  await world.runSyncs();
  await expect(world.runUntilDone(id)).rejects.toMatchObject({ code: 'LEASE_LOST' });
  await execute(sql`update keyferry.sync_entries set synced_revision = 1 where sync_id = ${syncId}`);
  isDead = false;

  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_DEPENDENTS_WAITING' });
  expect(await world.row(id)).toMatchObject({ phase: 'deactivating' });
  expect(world.works(old)).toBe(true);
});

test('a sync that was deleted is not waited for, whatever it left at AWS', async () => {
  const { world, id, syncId } = await rotatedWith('app');
  await execute(sql`delete from keyferry.syncs where id = ${syncId}`);

  expect((await rotate(world, id)).status).toBe('succeeded');
});
