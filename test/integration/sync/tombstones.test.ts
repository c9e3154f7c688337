/** What a deleted sync leaves at AWS, and who may take it over. */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { deleteExpired } from '../../../src/db/engine/retention.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const NAME = '/app/prod/A';
const secretsManager = (config: Record<string, string>) =>
  ({ destination: 'aws-secrets-manager', destinationConfig: { region: REGION, ...config } }) as SyncInput;
const toSecret = secretsManager({ mappingBehavior: 'one-to-one', prefix: '/app/prod/' });
const toDocument = secretsManager({ mappingBehavior: 'many-to-one', secretName: NAME });
const destinations: readonly (readonly [string, SyncInput])[] = [
  ['a parameter', {}],
  ['a secret', toSecret],
  ['a JSON secret', toDocument],
];

const at = (world: World) => ({ ...world.at, name: NAME });
const object = (world: World) => world.sandbox.inspect.parameter(at(world)) ?? world.sandbox.inspect.secret(at(world));
const isParameter = (world: World) => world.sandbox.inspect.parameter(at(world)) !== undefined;
const valueOf = (world: World) => object(world)?.value?.replace(/^\{"A":"(.*)"\}$/, '$1');

function edit(world: World): void {
  if (isParameter(world)) world.sandbox.foreign.putParameter({ ...at(world), value: 'theirs' });
  else world.sandbox.foreign.putSecret({ ...at(world), value: '{"A":"theirs"}' });
}

function tag(world: World, value: string): void {
  const tags = { 'keyferry:sync': value };
  if (isParameter(world)) world.sandbox.foreign.tagParameter({ ...at(world), tags });
  else world.sandbox.foreign.tagSecret({ ...at(world), tags });
}

/** A world whose first sync is deleted without a removal; its object stays. */
async function leftWorld(destination: SyncInput) {
  const world = await createWorld(stage);
  await world.set({ A: 'first' });
  const old = await world.createSync(destination);
  await world.runUntilDone(old.id);
  await world.syncs.delete(await world.row(old.id), { abandon: true });
  await world.set({ A: 'second' });
  world.clock.advance(HOUR);
  return { world, oldId: old.id };
}

test.each(destinations)('%s is taken over by the next sync of its folder', async (_what, destination) => {
  const { world } = await leftWorld(destination);
  const { id } = await world.createSync(destination);
  const plan = await world.runOnce(id, { request: 'plan' });
  expect(JSON.stringify(plan.outcome)).toContain('left by a deleted sync of this folder');

  const { outcome } = await world.runUntilDone(id, { request: 'sync' });

  expect(outcome).toMatchObject({ status: 'succeeded' });
  expect([valueOf(world), object(world)?.tags['keyferry:sync']]).toEqual(['second', world.tagOf(id)]);
  world.clock.advance(HOUR);
  expect((await world.runScheduled(id)).outcome).toMatchObject({ status: 'succeeded', result: { drift: [] } });
});

test.each(destinations)('%s loses the tags that its former sync set, and no others', async (_what, destination) => {
  const world = await createWorld(stage);
  await world.set({ A: 'first' });
  const tags = [
    { key: 'team', value: 'shop' },
    { key: 'cost', value: '7' },
    { key: 'tier', value: 'gold' },
  ];
  const old = await world.createSync({ ...destination, syncOptions: { tags } });
  await world.runUntilDone(old.id);
  await world.syncs.delete(await world.row(old.id), { abandon: true });
  const others = { cost: 'changed by others', owner: 'others' };
  if (isParameter(world)) world.sandbox.foreign.tagParameter({ ...at(world), tags: others });
  else world.sandbox.foreign.tagSecret({ ...at(world), tags: others });
  world.clock.advance(HOUR);

  const { id } = await world.createSync({ ...destination, syncOptions: { tags: [{ key: 'tier', value: 'silver' }] } });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });

  expect(object(world)?.tags).toEqual({ 'keyferry:sync': world.tagOf(id), tier: 'silver', ...others });
});

test.each(destinations)('%s that somebody changed since needs adopt', async (_what, destination) => {
  const { world } = await leftWorld(destination);
  edit(world);
  const { id } = await world.createSync(destination);

  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'failed', code: 'SYNC_CONFLICT' });
  expect('message' in outcome && outcome.message).toMatch(/has changed since.*onExisting: adopt/);
  expect(object(world)?.value).toContain('theirs');

  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, onExisting: 'adopt' } }, 'ann');
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect([valueOf(world), object(world)?.tags['keyferry:sync']]).toEqual(['second', world.tagOf(id)]);
});

test.each(destinations)('%s needs adopt from a sync of another folder', async (_what, destination) => {
  const { world } = await leftWorld(destination);
  const place = { projectId: 'app', environment: 'prod', secretPath: '/other' };
  const folder = await world.folders.ensure(world.orgId, place);
  await world.folders.change(folder, [{ key: 'A', value: 'other' }], 'merge');
  const { id } = await world.createSync({ ...destination, folderId: folder.id });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'SYNC_CONFLICT' });
  expect('message' in outcome && outcome.message).toMatch(/deleted sync of another folder.*onExisting: adopt/);
  expect(valueOf(world)).toBe('first');
});

test.each(destinations)(
  '%s is never taken from a living sync, nor from another installation',
  async (_what, destination) => {
    const { world } = await leftWorld(destination);
    const living = await world.createSync({ destinationConfig: { region: REGION, path: '/living/' } });
    const { id } = await world.createSync({ ...destination, syncOptions: { onExisting: 'adopt' } });
    const tags = [world.tagOf(living.id), living.id, `${crypto.randomUUID()}/${living.id}`, crypto.randomUUID()];
    for (const value of tags) {
      tag(world, value);
      const { outcome } = await world.runUntilDone(id, { request: 'sync' });
      expect(outcome).toMatchObject({ status: 'failed', code: 'SYNC_CONFLICT' });
      expect('message' in outcome && outcome.message).toContain('remove the tag keyferry:sync at AWS');
      expect([valueOf(world), object(world)?.tags['keyferry:sync']]).toEqual(['first', value]);
    }
  },
);

test.each(destinations)('%s with the tag of an earlier version is taken over, too', async (_what, destination) => {
  const { world, oldId } = await leftWorld(destination);
  tag(world, oldId);
  const { id } = await world.createSync(destination);

  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect([valueOf(world), object(world)?.tags['keyferry:sync']]).toEqual(['second', world.tagOf(id)]);
});

test.each(destinations.slice(1))(
  '%s that its sync has scheduled for deletion is restored',
  async (_what, destination) => {
    const world = await createWorld(stage);
    await world.set({ A: 'first' });
    const old = await world.createSync(destination);
    await world.runUntilDone(old.id);
    await world.runUntilDone(old.id, { request: 'remove', parameters: { deleteAfterRemove: true } });
    expect(world.secrets()).toEqual({});
    await world.set({ A: 'second' });

    const { id } = await world.createSync(destination);

    expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
    expect([valueOf(world), Object.keys(world.secrets()), object(world)?.tags['keyferry:sync']]).toEqual([
      'second',
      [NAME],
      world.tagOf(id),
    ]);
  },
);

test('a tombstone authorises no deletion', async () => {
  const { world } = await leftWorld({});
  const { id } = await world.createSync();
  await world.set({ A: null, B: '1' });
  await world.runUntilDone(id, { request: 'sync' });
  await world.runUntilDone(id, { request: 'remove' });
  expect(world.parameters()).toEqual({ [NAME]: 'first' });
});

test('keys of others in a JSON secret that a sync left stay as they are', async () => {
  const world = await createWorld(stage);
  world.sandbox.foreign.putSecret({ ...at(world), value: '{"THEIRS":"1"}' });
  await world.set({ A: 'first' });
  const old = await world.createSync({ ...toDocument, syncOptions: { onExisting: 'adopt' } });
  await world.runUntilDone(old.id);
  await world.syncs.delete(await world.row(old.id), { abandon: true });
  await world.set({ A: 'second', THEIRS: 'mine' });

  const { id } = await world.createSync(toDocument);
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT' });
  expect(JSON.parse(object(world)?.value ?? '')).toEqual({ THEIRS: '1', A: 'second' });
  await world.runUntilDone(id, { request: 'remove' });
  expect(JSON.parse(object(world)?.value ?? '')).toEqual({ THEIRS: '1' });
});

test('a takeover that dies between tag and value goes on', async () => {
  const { world } = await leftWorld({});
  const { id } = await world.createSync();
  world.sandbox.faults.add({ service: 'ssm', operation: 'AddTagsToResource', nth: 2, action: 'drop-after' });

  await world.runUntilDone(id, {}, { maxRuns: 10 });

  expect(valueOf(world)).toBe('second');
});

test('another org finds what a sync left, and takes it over only with adopt', async () => {
  const { world, oldId } = await leftWorld({});
  await stage.handle.db.execute(sql`update keyferry.tombstones set org_id = 'another-org'
    where subject_id = ${oldId}`);
  const { id } = await world.createSync();

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'SYNC_CONFLICT' });
  expect('message' in outcome && outcome.message).not.toContain('another-org');
  expect(valueOf(world)).toBe('first');
});

test('one row per object is kept, for a year', async () => {
  const { world, oldId } = await leftWorld({});
  const count = async () => {
    const [row] = await stage.handle.db.execute(
      sql`select count(*)::int as rows from keyferry.tombstones
        where account_id = ${world.accountId}`,
    );
    return row?.['rows'];
  };
  const next = await world.createSync();
  await world.runUntilDone(next.id);
  await world.syncs.delete(await world.row(next.id), { abandon: true });
  expect(await count()).toBe(1);

  await deleteExpired(stage.handle.db, 1_000);
  expect(await count()).toBe(1);
  await stage.handle.db.execute(
    sql`update keyferry.tombstones set created_at = now() - interval '366 days'
      where account_id = ${world.accountId}`,
  );
  await deleteExpired(stage.handle.db, 1_000);
  expect(await count()).toBe(0);
  // The tag still says that it was a sync of this installation.
  expect(oldId).not.toBe(next.id);
  const last = await world.createSync({ syncOptions: { onExisting: 'adopt' } });
  expect((await world.runUntilDone(last.id)).outcome).toMatchObject({ status: 'succeeded', counts: { adopted: 1 } });
});
