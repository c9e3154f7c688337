import { expect, test } from 'vitest';

import { createSyncsClient } from '../../../src/client/syncs.ts';
import type { ClientContext } from '../../../src/client/context.ts';
import type { SyncChanges } from '../../../src/db/sync/syncs.ts';
import { TOO_DEEP, toPath, toSchema } from './targets.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, REGION, type World } from './world.ts';

/**
 * However a key moves, and whatever keeps its new object from being written: its last object at AWS
 * is never deleted.
 */
const stage = useStage();

async function move(world: World, id: string, changes: SyncChanges) {
  await world.syncs.update(await world.row(id), changes, 'ann');
  return world.runUntilDone(id);
}

test.each([
  ['a path that AWS reserves', toPath('/aws/s/'), 'SYNC_ENTRY_INVALID'],
  ['a key schema with too many levels', toSchema(TOO_DEEP), 'SYNC_ENTRY_INVALID'],
])('a move to %s deletes nothing', async (_what, changes, code) => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  const { outcome } = await move(world, id, changes);

  expect(outcome).toMatchObject({ status: 'partial', code, counts: { deleted: 0, failed: 2 } });
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1', '/app/prod/B': '2' });
  const plan = await world.runOnce(id, { request: 'plan' });
  expect(plan.outcome).toMatchObject({ result: { changes: [{ action: 'invalid' }, { action: 'invalid' }] } });
});

test('a value that was emptied keeps its old object through a move, and leaves it once it is written', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: '' });

  await move(world, id, toPath('/moved/'));
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1', '/moved/B': '2' });

  await world.set({ A: '3' });
  await world.runUntilDone(id);
  expect(world.parameters('/')).toEqual({ '/moved/A': '3', '/moved/B': '2' });
});

test('of two old objects of one key neither counts as the replacement of the other', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.sandbox.faults.add({
    operation: 'DeleteParameters',
    action: { error: { code: 'AccessDeniedException', status: 400, message: 'no' } },
  });
  await move(world, id, toSchema('X_{{secretKey}}'));
  world.sandbox.faults.clear();
  expect(world.parameters()).toEqual({ '/app/prod/A': '1', '/app/prod/X_A': '1' });

  await move(world, id, toSchema(TOO_DEEP));
  expect(Object.values(world.parameters())).not.toEqual([]);
});

test('a key that moved back keeps its other object while the old one holds an old value', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const denied = (operation: string) =>
    world.sandbox.faults.add({
      operation,
      match: { parametersInclude: '/app/prod/A' },
      action: { error: { code: 'AccessDeniedException', status: 400, message: 'no' } },
    });
  denied('DeleteParameters');
  await world.set({ A: '2' });
  await move(world, id, toPath('/moved/'));
  world.sandbox.faults.clear();
  denied('PutParameter');

  await move(world, id, toPath('/app/prod/'));
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1', '/moved/A': '2' });
});

test('names that can never work are refused when a sync is made and when it is changed', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const context = { orgId: world.orgId, actor: 'ann', refer: (text: string) => ({ idOrName: text }) };
  const stores = { syncs: world.syncs, connections: world.connections, folders: world.folders };
  const client = createSyncsClient(context as unknown as ClientContext, stores);
  const source = { projectId: 'app', environment: 'prod', secretPath: '/api' };
  const input = { name: 's', connection: 'aws', source, destination: 'aws-parameter-store' as const };
  const refusal = (message: string) => ({ code: 'PAYLOAD_INVALID', publicMessage: expect.stringContaining(message) });

  const reserved = { region: REGION, path: '/aws/s/' };
  await expect(client.create({ ...input, destinationConfig: reserved })).rejects.toMatchObject(
    refusal('destinationConfig.path allows no valid name: Parameter names must not begin with aws'),
  );
  await client.create({ ...input, destinationConfig: { region: REGION, path: '/s/' } });
  await expect(client.update('s', { destinationConfig: reserved })).rejects.toMatchObject(
    refusal('destinationConfig.path'),
  );
  await expect(client.update('s', { syncOptions: { keySchema: TOO_DEEP } })).rejects.toMatchObject(
    refusal('syncOptions.keySchema allows no valid name: The parameter name has 18 levels'),
  );
  const secrets = { ...input, name: 't', destination: 'aws-secrets-manager' as const };
  const long = { region: REGION, mappingBehavior: 'one-to-one' as const, prefix: 'p'.repeat(400) };
  await expect(
    client.create({
      ...secrets,
      destinationConfig: long,
      syncOptions: { keySchema: `${'x'.repeat(200)}{{secretKey}}` },
    }),
  ).rejects.toMatchObject(refusal('syncOptions.keySchema'));
  expect((await client.get('s')).destinationConfig).toEqual({ region: REGION, path: '/s/' });
});
