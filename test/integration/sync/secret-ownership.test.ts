import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { expect, test } from 'vitest';

import { ownershipTag } from '../../../src/domain/ownership.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import { useStage } from '../../support/use-stage.ts';
import {
  ALL_ACTIONS,
  allow,
  createWorld,
  DOCUMENTED_SECRET_ACTIONS,
  REGION,
  type SyncInput,
  total,
  type World,
} from './world.ts';

/**
 * A secret that no longer carries the sync's tag is neither overwritten nor deleted, whatever made
 * its next write necessary.
 */
const stage = useStage();

const toSecret: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const toJson: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/A' },
};
const NAME = 'prod/A';

function untag(world: World): void {
  world.sandbox.foreign.untagSecret({ ...world.at, name: NAME, tagKeys: ['keyferry:sync'] });
}
function retag(world: World): void {
  const other = ownershipTag({ installationId: crypto.randomUUID(), syncId: crypto.randomUUID() });
  world.sandbox.foreign.tagSecret({ ...world.at, name: NAME, tags: { 'keyferry:sync': other } });
}

/** A person made the secret and has not set a value yet. */
async function createWithoutValue(world: World): Promise<void> {
  const { accountId, sandbox } = world;
  sandbox.createUser({ accountId, userName: 'person', policy: allow(['*']) });
  const credentials = sandbox.createAccessKey({ accountId, userName: 'person' });
  const requestHandler = createSandboxRequestHandler(sandbox);
  const client = new SecretsManagerClient({ region: REGION, credentials, requestHandler });
  await client.send(new CreateSecretCommand({ Name: NAME }));
}

const losses = [
  ['its tag removed', untag],
  ['another sync’s tag', retag],
] as const;
const mappings = [
  ['secret', toSecret, ALL_ACTIONS],
  ['JSON secret', toJson, ALL_ACTIONS],
  ['JSON secret under the documented policy', toJson, DOCUMENTED_SECRET_ACTIONS],
] as const;
type Change = (world: World, id: string) => Promise<unknown>;
const changes: readonly (readonly [string, Change])[] = [
  [
    'a new value',
    async (world, id) => [await world.set({ A: '2' }), await world.runUntilDone(id, { request: 'sync' })],
  ],
  ['a key that left the folder', async (world, id) => [await world.set({ A: null }), await world.runUntilDone(id)]],
  [
    'an emptied folder that was confirmed',
    async (world, id) => [
      await world.set({ A: null, B: null }),
      await world.runUntilDone(id, { request: 'sync', parameters: { confirmDeletions: 2 } }),
    ],
  ],
  ['a removal', (world, id) => world.runUntilDone(id, { request: 'remove' })],
  [
    'a move',
    async (world, id) => {
      const { destinationConfig } = await world.row(id);
      const moved = 'secretName' in destinationConfig ? { secretName: 'moved' } : { prefix: 'moved/' };
      await world.syncs.update(await world.row(id), { destinationConfig: { ...destinationConfig, ...moved } }, 'ann');
      await world.runUntilDone(id, { request: 'sync' });
    },
  ],
];

test.each(
  mappings.flatMap(([what, input, actions]) =>
    losses.flatMap(([how, lose]) => changes.map(([why, change]) => ({ what, input, actions, how, lose, why, change }))),
  ),
)('a $what with $how survives $why as a conflict', async ({ input, actions, lose, change }) => {
  const world = await createWorld(stage, { policy: allow(actions) });
  await world.set({ A: '1', B: '1' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  lose(world);
  const before = world.sandbox.inspect.secret({ ...world.at, name: NAME });

  await change(world, id);

  const after = world.sandbox.inspect.secret({ ...world.at, name: NAME });
  expect([after?.value, after?.deletedAt, after?.tags]).toEqual([before?.value, before?.deletedAt, before?.tags]);
  expect(['partial', 'failed']).toContain((await world.row(id)).syncStatus);
  expect((await world.row(id)).statusCode).toBe('SYNC_CONFLICT');
});

test.each([
  { how: 'staged and promoted', actions: ALL_ACTIONS },
  { how: 'read and updated', actions: DOCUMENTED_SECRET_ACTIONS },
])('a changed key of a JSON secret costs three calls, $how', async ({ actions }) => {
  const world = await createWorld(stage, { policy: allow(actions) });
  await world.set({ A: '1', B: '1' });
  const { id } = await world.createSync(toJson);
  await world.runUntilDone(id);
  await world.set({ A: '2' });
  const { outcome, calls } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
  expect(total(calls)).toBe(3);
  expect(calls['secretsmanager.DescribeSecret']).toBe(1);
});

test('where the look at its owner is denied, nothing is written, and the status names the action', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toJson);
  await world.runUntilDone(id);
  world.sandbox.faults.add({
    operation: 'DescribeSecret',
    match: { parametersInclude: NAME },
    action: {
      error: {
        code: 'AccessDeniedException',
        status: 400,
        message: 'not authorized to perform: secretsmanager:DescribeSecret',
      },
    },
  });
  await world.set({ A: '2' });
  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'partial', code: 'AWS_ACCESS_DENIED' });
  expect('message' in outcome && outcome.message).toContain('secretsmanager:DescribeSecret');
  expect(world.secrets()).toEqual({ [NAME]: '{"A":"1"}' });
});

test.each([
  [ALL_ACTIONS, 'where version stages may be moved'],
  [DOCUMENTED_SECRET_ACTIONS, 'under the documented policy'],
] as const)('a secret that never had a value is adopted with one write %#', async (actions, _how) => {
  const world = await createWorld(stage, { policy: allow(actions) });
  await createWithoutValue(world);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ ...toJson, syncOptions: { onExisting: 'adopt' } });

  const { outcome, calls } = await world.runUntilDone(id, {}, { maxRuns: 3 });

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 1 } });
  expect(world.secrets()).toEqual({ [NAME]: '{"A":"1"}' });
  expect(calls['secretsmanager.UpdateSecret']).toBe(1);
  expect(total(calls)).toBeLessThanOrEqual(5);
});

test.each([
  ['secret', toSecret],
  ['JSON secret', toJson],
] as const)('a %s whose states contradict each other fails after a few turns, and says so', async (_what, input) => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  world.sandbox.foreign.deleteSecret({ ...world.at, name: NAME });
  world.sandbox.faults.add({
    operation: 'RestoreSecret',
    action: { error: { code: 'ResourceNotFoundException', status: 400, message: 'no' } },
  });
  await world.set({ A: '2' });

  const { outcome, calls } = await world.runUntilDone(id, { request: 'sync' }, { maxRuns: 3 });

  expect(outcome).toMatchObject({ status: 'partial', code: 'AWS_REJECTED' });
  expect('message' in outcome && outcome.message).toContain('restore, then create, then restore');
  expect(total(calls)).toBeLessThan(15);
});
