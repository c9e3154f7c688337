import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { createSyncEntries } from '../../../src/db/sync/entries.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, HOUR, REGION, type SyncInput, type World } from './world.ts';

/** A removal ends as succeeded, and a sync is deleted, only when nothing of it is left at AWS. */
const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const toJson: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' },
};
const deletion = { request: 'remove' as const, parameters: { deleteAfterRemove: true } };
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`K${String(n)}`, 'v']));
const looks = (world: World) => ({ ...world.parameters('/'), ...world.secrets() });

/** What the engine would do about the sync now: nothing is due before this. */
const delayOf = (world: World, outcome: { status: string; at?: Date }) =>
  outcome.status === 'continued' ? (outcome.at?.getTime() ?? 0) - world.clock.now().getTime() : undefined;

test.each([
  ['parameters', {}, 2],
  ['parameters in several calls', {}, 25],
  ['secrets', toSecrets, 2],
  ['keys of a JSON secret', toJson, 2],
] as const)('a removal of %s while AWS refuses the role keeps the sync, and says why', async (_what, input, count) => {
  const world = await createWorld(stage);
  await world.set(many(count));
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  // The session of the first run is over, and validation has not noticed yet.
  world.clock.advance(2 * HOUR);
  world.sandbox.deleteRole({ accountId: world.accountId, roleName: 'sync' });

  const { outcome, runId } = await world.runOnce(id, deletion);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'CONNECTION_ACCESS_DENIED' });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'blocked', statusCode: 'CONNECTION_ACCESS_DENIED' });
  expect(await world.run(runId)).toMatchObject({ status: 'blocked' });
  expect((await world.entries(id)).filter((entry) => entry.key !== '' && entry.status === 'synced')).toHaveLength(
    count,
  );
});

test.each([
  ['parameters', {}, 'DeleteParameters'],
  ['secrets', toSecrets, 'DeleteSecret'],
  ['keys of a JSON secret', toJson, 'DeleteSecret'],
] as const)('a throttled removal of %s waits, then goes on', async (_what, input, operation) => {
  const world = await createWorld(stage);
  await world.set(many(25));
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  const stop = world.sandbox.faults.add({ operation, action: 'throttle' });

  const { outcome } = await world.runOnce(id, deletion);
  expect(delayOf(world, outcome as never)).toBeGreaterThanOrEqual(1_000);
  expect(Object.keys(looks(world)).length).toBeGreaterThan(0);

  stop();
  const done = await world.runUntilDone(id);
  expect(done.outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 25 } });
  expect(looks(world)).toEqual({});
  await expect(world.row(id)).rejects.toThrow('no sync');
});

test('an object that may not be deleted keeps the sync; status, run and result agree that it was partial', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  const stop = world.sandbox.faults.add({
    operation: 'DeleteSecret',
    match: { parametersInclude: 'prod/A' },
    action: { error: { code: 'AccessDeniedException', status: 400, message: 'no' } },
  });

  const { outcome, runId } = await world.runUntilDone(id, deletion);

  const partial = { status: 'partial', errorCode: 'AWS_ACCESS_DENIED' };
  const leftBehind = [{ remoteName: 'prod/A', region: REGION, accountId: world.accountId }];
  expect(outcome).toMatchObject({ status: 'partial', code: 'AWS_ACCESS_DENIED', counts: { deleted: 1 } });
  expect(await world.run(runId)).toMatchObject({ ...partial, result: { leftBehind } });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'partial', statusCode: 'AWS_ACCESS_DENIED' });
  expect(world.secrets()).toEqual({ 'prod/A': '1' });

  stop();
  expect((await world.runUntilDone(id, deletion)).outcome).toMatchObject({ status: 'succeeded' });
  await expect(world.row(id)).rejects.toThrow('no sync');
});

test('what somebody else took over is not deleted and not passed over in silence', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  world.sandbox.foreign.untagSecret({ ...world.at, name: 'prod/A', tagKeys: ['keyferry:sync'] });

  const { outcome } = await world.runUntilDone(id, deletion);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT', result: { leftBehind: [{}] } });
  expect(world.secrets()).toEqual({ 'prod/A': '1' });
  // Nothing is ours any more: asked again, the sync goes.
  expect((await world.runUntilDone(id, deletion)).outcome.status).toBe('succeeded');
  await expect(world.row(id)).rejects.toThrow('no sync');
});

test('a JSON secret that holds no key of ours any more is given up with the sync, tag and all', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod', value: '{"A":"theirs"}' });
  const { id } = await world.createSync({ ...toJson, syncOptions: { onExisting: 'adopt' } });
  await world.runUntilDone(id);
  expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod' })?.tags['keyferry:sync']).toContain(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod', value: '{"A":"1","THEIRS":"x"}' });

  const { outcome } = await world.runUntilDone(id, deletion);

  expect(outcome.status).toBe('succeeded');
  expect(world.secrets()).toEqual({ prod: '{"THEIRS":"x"}' });
  expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod' })?.tags).toEqual({});
  await expect(world.row(id)).rejects.toThrow('no sync');
});

test('a JSON secret without a key of ours that no connection reaches keeps the sync, and is listed', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toJson);
  await world.runUntilDone(id);
  // A worker died after it had taken the keys out, before it gave the secret up.
  await stage.handle.db.execute(sql`update keyferry.sync_entries set deleted_at = now()
    where sync_id = ${id} and key <> ''`);
  await stage.handle.db.execute(sql`update keyferry.connections set account_id = '222333444009'
    where id = ${world.connection.id}`);

  const { outcome, runId } = await world.runUntilDone(id, deletion);

  const leftBehind = [{ remoteName: 'prod', region: REGION, accountId: world.accountId }];
  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_LEFT_BEHIND', result: { leftBehind } });
  expect(await world.run(runId)).toMatchObject({ status: 'partial', errorCode: 'SYNC_LEFT_BEHIND' });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'partial', statusCode: 'SYNC_LEFT_BEHIND' });
});

test('the statement that deletes a sync refuses while its ledger owns anything, or has a write in flight', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const runId = crypto.randomUUID();
  await stage.handle.db.execute(sql`update keyferry.syncs set run_token = ${runId} where id = ${id}`);
  const deleteSync = () =>
    createSyncEntries(stage.handle.db).deleteSync({ syncId: id, runId, counts: {}, awsCalls: {} });

  expect(await deleteSync()).toBe(false);
  await stage.handle.db.execute(
    sql`update keyferry.sync_entries set remote_version = null, in_flight = '{"operation":"create"}'
      where sync_id = ${id}`,
  );
  expect(await deleteSync()).toBe(false);
  await stage.handle.db.execute(sql`update keyferry.sync_entries set in_flight = null
    where sync_id = ${id}`);
  expect(await deleteSync()).toBe(true);
});

test('a sync that owns objects is deleted only when it is abandoned, and what stays is listed', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  const fresh = await world.createSync({ destinationConfig: { region: REGION, path: '/fresh/' } });
  await world.runUntilDone(id);

  await expect(world.syncs.delete(await world.row(id), { abandon: false })).rejects.toMatchObject({
    code: 'SYNC_STILL_OWNED',
    publicMessage: `The sync sync-1 was not deleted. It owns 2 objects at AWS: delete the sync with \`removeSecrets: true\`, or leave them at AWS with \`abandon: true\`.`,
  });
  const stays = await world.syncs.delete(await world.row(id), { abandon: true });

  const place = { region: REGION, accountId: world.accountId };
  expect(stays).toEqual([
    { remoteName: '/app/prod/A', ...place },
    { remoteName: '/app/prod/B', ...place },
  ]);
  await expect(world.row(id)).rejects.toThrow('no sync');
  expect(await world.syncs.delete(fresh, { abandon: false })).toEqual([]);
});

test('a sync is not deleted while a run of it is in progress', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const busy = await world.createSync();
  await stage.handle.db.execute(
    sql`update keyferry.syncs set run_lease_until = now() + interval '30 s' where id = ${busy.id}`,
  );
  await expect(world.syncs.delete(busy, { abandon: false })).rejects.toThrow('A run of it is in progress');
});

test('with a connection that is not valid a removal keeps the sync, and abandoning it lists what stays', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await stage.handle.db.execute(
    sql`update keyferry.connections set status = 'invalid' where id = ${world.connection.id}`,
  );

  const { outcome, calls } = await world.runUntilDone(id, deletion);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'CONNECTION_INVALID' });
  expect(calls).toEqual({});
  expect(await world.syncs.delete(await world.row(id), { abandon: true })).toHaveLength(2);
});

test('a removal does not take over what an earlier round was refused', async () => {
  const world = await createWorld(stage);
  await world.set(many(60));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set(Object.fromEntries(Object.keys(many(60)).map((key) => [key, 'w'])));
  const stop = world.sandbox.faults.add({
    operation: 'PutParameter',
    match: { parametersInclude: '"/app/prod/K1"' },
    action: { error: { code: 'AccessDeniedException', status: 400, message: 'no' } },
  });
  expect((await world.runOnce(id)).outcome.status).toBe('continued');
  stop();

  const { outcome } = await world.runUntilDone(id, { request: 'remove' });
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 60 } });
  world.clock.advance(DAY);
  expect(world.parameters('/')).toEqual({});
});

test.each([
  ['a secret', toSecrets, { A: '1', B: '2' }, ['A']],
  ['a JSON secret', toJson, { A: '1' }, ['A']],
] as const)('a read that does not show %s yet is no deletion of it', async (_what, input, values, keys) => {
  let isHidden = false;
  const world = await createWorld(stage, {
    wrap: (deps) => ({
      ...deps,
      openSecretsManager: (session) => {
        const secrets = deps.openSecretsManager(session);
        return { ...secrets, describe: (name) => (isHidden ? Promise.resolve(undefined) : secrets.describe(name)) };
      },
    }),
  });
  await world.set(values);
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  const before = looks(world);
  isHidden = true;
  await world.set(Object.fromEntries(keys.map((key) => [key, null])));

  const asked = { request: 'sync', parameters: { confirmDeletions: keys.length } } as const;
  const { outcome } = await world.runOnce(id, asked);

  expect(outcome.status).toBe('continued');
  expect((await world.entries(id)).every(({ deletedAt }) => deletedAt === null)).toBe(true);
  expect(looks(world)).toEqual(before);
  isHidden = false;
  await world.runUntilDone(id);
  expect(Object.keys(looks(world))).toHaveLength(Object.keys(before).length - 1);
});
