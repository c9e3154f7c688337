import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { ALL_ACTIONS, allow, connect, createRole, createWorld, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const oneToOne: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};

test('a new path writes the new names first, then deletes the old ones, without the brake', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  await world.syncs.update(await world.row(id), { destinationConfig: { region: REGION, path: '/moved/' } }, 'ann');
  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 2, deleted: 2 } });
  expect(world.parameters('/')).toEqual({ '/moved/A': '1', '/moved/B': '2' });
  expect(calls['ssm.DeleteParameters']).toBe(1);
  const order = world.sandbox.calls.list().map((call) => call.operation);
  expect(order.lastIndexOf('PutParameter')).toBeLessThan(order.lastIndexOf('DeleteParameters'));
});

test('a new key schema and a new JSON secret move in the same way', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const parameters = await world.createSync({ syncOptions: { keySchema: 'OLD_{{secretKey}}' } });
  const config = { region: REGION, mappingBehavior: 'many-to-one' as const, secretName: 'old/app' };
  const json = await world.createSync({ destination: 'aws-secrets-manager', destinationConfig: config });
  await world.runUntilDone(parameters.id);
  await world.runUntilDone(json.id);

  const syncOptions = { ...parameters.syncOptions, keySchema: 'NEW_{{secretKey}}' };
  await world.syncs.update(parameters, { syncOptions }, 'ann');
  await world.syncs.update(json, { destinationConfig: { ...config, secretName: 'new/app' } }, 'ann');
  const moved = [await world.runUntilDone(parameters.id), await world.runUntilDone(json.id)];

  for (const { outcome } of moved)
    expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 2, deleted: 2 } });
  expect(world.parameters()).toEqual({ '/app/prod/NEW_A': '1', '/app/prod/NEW_B': '2' });
  expect(world.secrets()).toEqual({ 'new/app': '{"A":"1","B":"2"}' });
});

test('an old name stays while its new one cannot be written', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/moved/A', value: 'theirs' });

  await world.syncs.update(await world.row(id), { destinationConfig: { region: REGION, path: '/moved/' } }, 'ann');
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT' });
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1', '/moved/A': 'theirs', '/moved/B': '2' });
});

test('a new region moves everything through both regions', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(oneToOne);
  await world.runUntilDone(id);

  const config = { region: 'us-east-1', mappingBehavior: 'one-to-one' as const, prefix: 'prod/' };
  await world.syncs.update(await world.row(id), { destinationConfig: config }, 'ann');
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 1, deleted: 1 } });
  expect(world.secrets()).toEqual({});
  expect(world.sandbox.inspect.secret({ ...world.at, region: 'us-east-1', name: 'prod/A' })?.value).toBe('1');
});

test('a JSON secret that moves to another region under the same name is deleted in the former one', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const config = { region: REGION, mappingBehavior: 'many-to-one' as const, secretName: 'prod/app' };
  const { id } = await world.createSync({ destination: 'aws-secrets-manager', destinationConfig: config });
  await world.runUntilDone(id);

  await world.set({ B: null });
  await world.syncs.update(await world.row(id), { destinationConfig: { ...config, region: 'us-east-1' } }, 'ann');
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 1, deleted: 2 } });
  expect(world.secrets()).toEqual({});
  expect(world.sandbox.inspect.secret({ ...world.at, region: 'us-east-1', name: 'prod/app' })?.value).toBe('{"A":"1"}');
});

test('a new mapping writes the JSON secret, then deletes the single ones, and back', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(oneToOne);
  await world.runUntilDone(id);
  const manyToOne = { region: REGION, mappingBehavior: 'many-to-one' as const, secretName: 'prod/app' };

  await world.syncs.update(await world.row(id), { destinationConfig: manyToOne }, 'ann');
  await world.runUntilDone(id);
  expect(world.secrets()).toEqual({ 'prod/app': '{"A":"1","B":"2"}' });

  await world.syncs.update(await world.row(id), { destinationConfig: oneToOne.destinationConfig! }, 'ann');
  const { outcome } = await world.runUntilDone(id);
  expect(outcome.status).toBe('succeeded');
  expect(world.secrets()).toEqual({ 'prod/A': '1', 'prod/B': '2' });
});

/** A second and a third account, with a connection to each. */
async function connectAccounts({ sandbox, orgId, connections }: World) {
  // Names are claimed across all orgs of a database.
  const account = 333_200_000_000 + Math.floor(Math.random() * 99_000_000) * 2;
  const accounts = [String(account), String(account + 1)] as const;
  const roles = accounts.map((accountId) => createRole(sandbox, { orgId, accountId, policy: allow(ALL_ACTIONS) }));
  const [first, second] = await Promise.all(
    accounts.map((accountId, index) =>
      connect(stage, connections, { orgId, accountId, name: accountId, roleArn: roles[index] ?? '' }),
    ),
  );
  if (!first || !second) throw new Error('no connections');
  return { accounts, first, second };
}

/**
 * Written through the first connection, then moved to the second while the first is in this state.
 */
async function moveAway(change: ReturnType<typeof sql>) {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { accounts, first, second } = await connectAccounts(world);
  const { id } = await world.createSync({ connectionId: first.id });
  await world.runUntilDone(id);
  await stage.handle.db.execute(sql`update keyferry.connections set ${change}
    where id = ${first.id}`);
  await world.syncs.update(await world.row(id), { connectionId: second.id }, 'ann');
  const moved = await world.runUntilDone(id);
  const heldIn = (accountId: string) => world.sandbox.inspect.parameters({ accountId, region: REGION }).length;
  return { world, id, first, moved, old: accounts[0], held: () => accounts.map(heldIn) };
}

test('a new connection deletes through the old one', async () => {
  const { moved, held } = await moveAway(sql`status = 'valid'`);
  expect(moved.outcome).toMatchObject({ status: 'succeeded', counts: { created: 1, deleted: 1 } });
  expect(held()).toEqual([0, 1]);
});

test.each([
  ['invalid', sql`status = 'invalid'`, 'CONNECTION_INVALID'],
  ['not validated again yet', sql`status = 'pending'`, 'CONNECTION_PENDING'],
])('the old object waits while its connection is %s', async (_state, change, code) => {
  const { world, id, first, old, moved, held } = await moveAway(change);
  expect(moved.outcome).toMatchObject({ status: 'partial', code, counts: { created: 1 } });
  const message = 'message' in moved.outcome ? moved.outcome.message : '';
  expect(message).toContain('/app/prod/A');
  expect(message).toContain(`keyferry connection delete ${old}`);
  expect(held()).toEqual([1, 1]);
  expect((await world.runScheduled(id)).outcome).toMatchObject({ status: 'partial', code });

  await stage.handle.db.execute(sql`update keyferry.connections set status = 'valid'
    where id = ${first.id}`);
  expect((await world.runScheduled(id)).outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 1 } });
  expect(held()).toEqual([0, 1]);
});

test('a removal waits for the old connection, too', async () => {
  const { world, id, first, held } = await moveAway(sql`status = 'invalid'`);
  const removal = { request: 'remove', parameters: { deleteAfterRemove: true } } as const;
  expect((await world.runUntilDone(id, removal)).outcome).toMatchObject({
    status: 'partial',
    code: 'CONNECTION_INVALID',
    counts: { deleted: 1 },
  });
  expect(held()).toEqual([1, 0]);
  await stage.handle.db.execute(sql`update keyferry.connections set status = 'valid'
    where id = ${first.id}`);
  expect((await world.runUntilDone(id, removal)).outcome).toMatchObject({ status: 'succeeded' });
  expect(held()).toEqual([0, 0]);
});

test('what only a deleted connection reaches is left behind, and listed', async () => {
  const { world, id, first, old, held } = await moveAway(sql`status = 'invalid'`);
  await world.connections.delete(await world.connections.byId(first.id));
  expect((await world.runScheduled(id)).outcome).toMatchObject({
    status: 'succeeded',
    result: { leftBehind: [{ remoteName: '/app/prod/A', accountId: old, region: REGION }] },
  });
  expect(held()).toEqual([1, 1]);
});

test('what a connection no longer reaches, because it reaches another account, is left behind', async () => {
  const { moved, held } = await moveAway(sql`account_id = '222333444003'`);
  expect(moved.outcome).toMatchObject({ status: 'succeeded', result: { leftBehind: [{}] } });
  expect(held()).toEqual([1, 1]);
});

test('a JSON secret that no connection reaches any more is listed once, not once a key', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { accounts, first, second } = await connectAccounts(world);
  const config = { region: REGION, mappingBehavior: 'many-to-one' as const, secretName: 'prod/app' };
  const { id } = await world.createSync({
    destination: 'aws-secrets-manager',
    destinationConfig: config,
    connectionId: first.id,
  });
  await world.runUntilDone(id);
  await stage.handle.db.execute(sql`update keyferry.connections set account_id = '222333444007'
    where id = ${first.id}`);
  await world.syncs.update(await world.row(id), { connectionId: second.id }, 'ann');

  const { outcome } = await world.runUntilDone(id);

  const leftBehind = [{ remoteName: 'prod/app', accountId: accounts[0], region: REGION }];
  expect(outcome).toMatchObject({ status: 'succeeded', result: { leftBehind } });
});

test('remove deletes what the sync wrote and nothing else', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/THEIRS', value: 'x' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  const { outcome } = await world.runUntilDone(id, { request: 'remove' });

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 2 } });
  expect(world.parameters()).toEqual({ '/app/prod/THEIRS': 'x' });
  // A schedule would write everything anew.
  expect((await world.row(id)).nextDueAt).toBeNull();
});

test('a sync is deleted together with what it wrote', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(oneToOne);
  await world.runUntilDone(id);

  const { outcome, runId } = await world.runUntilDone(id, {
    request: 'remove',
    parameters: { deleteAfterRemove: true },
  });

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 1 } });
  expect(world.secrets()).toEqual({});
  await expect(world.row(id)).rejects.toThrow('no sync');
  expect(await world.run(runId)).toMatchObject({ status: 'succeeded', kind: 'remove', counts: { deleted: 1 } });
});

test('while its connection is only not validated yet, a sync is kept', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await stage.handle.db.execute(
    sql`update keyferry.connections set status = 'pending' where id = ${world.connection.id}`,
  );

  const { outcome } = await world.runUntilDone(id, { request: 'remove', parameters: { deleteAfterRemove: true } });

  expect(outcome).toMatchObject({ status: 'blocked', code: 'CONNECTION_PENDING' });
  expect(await world.entries(id)).toMatchObject([{ status: 'synced', remoteName: '/app/prod/A' }]);
});

test('two syncs never own one name: the later one, of whatever org, is in conflict', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', X_A: '2' });
  const first = await world.createSync();
  await world.runUntilDone(first.id);
  const second = await world.createSync({ syncOptions: { keySchema: 'X_{{secretKey}}', onExisting: 'adopt' } });

  const { outcome, calls } = await world.runUntilDone(second.id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT', counts: { created: 1, conflicts: 1 } });
  expect('message' in outcome && outcome.message).toContain('A (/app/prod/X_A) is written by another sync');
  expect(calls).toEqual({ 'ssm.PutParameter': 1 });
  expect(world.parameters()).toMatchObject({ '/app/prod/X_A': '2', '/app/prod/X_X_A': '2' });
});

test('a target that another sync of the org writes already is refused, however it is put', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  await world.createSync({ destinationConfig: { region: REGION, path: '/app/prod/' } });
  const other = await world.createSync({ destinationConfig: { region: REGION, path: '/other/' } });
  const same = { destinationConfig: { region: REGION, path: '/app/' } };

  const taken = { code: 'SYNC_TARGET_TAKEN' };
  const options = (keySchema: string) => ({ syncOptions: { keySchema } });
  await expect(world.createSync({ ...same, ...options('prod/{{secretKey}}') })).rejects.toMatchObject(taken);
  await expect(world.createSync({ ...same, ...options('{{environment}}/{{secretKey}}') })).rejects.toMatchObject(taken);
  await expect(
    world.syncs.update(other, { destinationConfig: { region: REGION, path: '/app/prod/' } }, 'ann'),
  ).rejects.toMatchObject(taken);
  await world.createSync({ ...same, ...options('test/{{secretKey}}') });
  await world.createSync({ destinationConfig: { region: 'us-east-1', path: '/app/prod/' } });
});

test('one JSON secret is written by one sync only, whatever the names inside it', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const config = { region: REGION, mappingBehavior: 'many-to-one' as const, secretName: 'prod/app' };
  const input: SyncInput = { destination: 'aws-secrets-manager', destinationConfig: config };
  await world.createSync(input);

  await expect(world.createSync({ ...input, syncOptions: { keySchema: 'X_{{secretKey}}' } })).rejects.toMatchObject({
    code: 'SYNC_TARGET_TAKEN',
  });
});
