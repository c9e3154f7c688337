import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { useTestDatabase } from '../../support/postgres.ts';
import {
  ALL_ACTIONS,
  allow,
  connect,
  createRole,
  createWorld,
  openStage,
  REGION,
  type Stage,
  type SyncInput,
} from './world.ts';

const database = useTestDatabase();
let stage: Stage;
beforeAll(() => {
  stage = openStage(database().url);
});
afterAll(() => stage.close());

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

test('a new connection deletes through the old one; a dead one leaves a list of what stays', async () => {
  const world = await createWorld(stage);
  const { sandbox, orgId, connections } = world;
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const policy = allow(ALL_ACTIONS);
  const accounts = ['222333444001', '222333444002'];
  const made = [];
  for (const accountId of accounts) {
    const roleArn = createRole(sandbox, { orgId, accountId, policy });
    made.push(await connect(stage, connections, { orgId, accountId, name: accountId, roleArn }));
  }

  await world.syncs.update(await world.row(id), { connectionId: made[0]!.id }, 'ann');
  await world.runUntilDone(id);
  expect(world.parameters()).toEqual({});

  await stage.handle.db.execute(sql`update keyferry.connections set status = 'invalid' where id = ${made[0]!.id}`);
  await world.syncs.update(await world.row(id), { connectionId: made[1]!.id }, 'ann');
  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({
    status: 'succeeded',
    counts: { created: 1 },
    result: { leftBehind: [{ remoteName: '/app/prod/A', accountId: accounts[0], region: REGION }] },
  });
  expect(sandbox.inspect.parameters({ accountId: accounts[1]!, region: REGION })).toHaveLength(1);
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
