/** KMS keys of replicas: set, changed, taken away, changed by others, and what is not ours. */
import { expect, test } from 'vitest';

import type { SyncOptions } from '../../../src/domain/sync/config.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const REPLICA = 'us-east-1';
const kinds: readonly (readonly [string, SyncInput])[] = [
  [
    'one secret',
    {
      destination: 'aws-secrets-manager',
      destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
    },
  ],
  [
    'a JSON secret',
    {
      destination: 'aws-secrets-manager',
      destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/A' },
    },
  ],
];

const keyIn = (world: World, region = REPLICA): string =>
  world.sandbox.createKmsKey({ accountId: world.accountId, region }).arn;

/** The key of the replica, as its region shows it; undefined: AWS's own. */
const keyOf = (world: World, region = REPLICA) =>
  world.sandbox.inspect.secret({ ...world.at, region, name: 'prod/A' })?.kmsKeyId;

const replicated = (input: SyncInput, replicaKeys?: SyncOptions['replicaKeys']): SyncInput => ({
  ...input,
  syncOptions: { replicaRegions: [REPLICA], ...(replicaKeys && { replicaKeys }) },
});

async function change(world: World, id: string, changes: Partial<SyncOptions>): Promise<void> {
  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, ...changes } }, 'ann');
}

const callsOf = (world: World) =>
  world.sandbox.calls
    .list()
    .map(({ operation }) => operation)
    .filter((operation) => /Replic/.test(operation));

test.each(kinds)('the replica of %s has its key from the start, and nothing is left to do', async (_what, input) => {
  const world = await createWorld(stage);
  const key = keyIn(world);
  await world.set({ A: '1' });
  const { id } = await world.createSync(replicated(input, { [REPLICA]: key }));
  expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
  expect(keyOf(world)).toBe(key);
  world.clock.advance(20 * MINUTE);
  await world.runUntilDone(id, { request: 'check' });
  expect(await world.row(id)).toMatchObject({ drift: 'none' });
  expect(callsOf(world)).toEqual([]);
});

test.each(kinds)(
  'a changed key of %s makes its replica again, a removed one under AWS’s own key',
  async (_what, input) => {
    const world = await createWorld(stage);
    const [first, second] = [keyIn(world), keyIn(world)];
    await world.set({ A: '1' });
    const { id } = await world.createSync(replicated(input));
    await world.runUntilDone(id);
    for (const [replicaKeys, key] of [
      [{ [REPLICA]: first }, first],
      [{ [REPLICA]: second }, second],
      [undefined, undefined],
    ] as const) {
      await change(world, id, { replicaKeys });
      expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
      expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' })?.replicaRegions).toEqual([REPLICA]);
      expect(keyOf(world)).toBe(key);
    }
    expect(callsOf(world)).toHaveLength(6);
  },
);

test.each(kinds)(
  'a replica of %s whose key somebody changed is drift, which the next asked run repairs',
  async (_what, input) => {
    const world = await createWorld(stage);
    const key = keyIn(world);
    await world.set({ A: '1' });
    const { id } = await world.createSync(replicated(input, { [REPLICA]: key }));
    await world.runUntilDone(id);
    world.clock.advance(20 * MINUTE);
    world.sandbox.foreign.removeReplica({ ...world.at, name: 'prod/A', replicaRegion: REPLICA });
    world.sandbox.foreign.addReplica({ ...world.at, name: 'prod/A', replicaRegion: REPLICA });
    const checked = await world.runUntilDone(id, { request: 'check' });
    expect(JSON.stringify(checked.outcome)).toContain('under another KMS key');
    expect(await world.row(id)).toMatchObject({ drift: 'drifted' });
    expect((await world.runUntilDone(id, { request: 'sync' })).outcome.status).toBe('succeeded');
    expect(keyOf(world)).toBe(key);
  },
);

const cuts = kinds.flatMap(([what, input]) =>
  (['drop-before', 'drop-after'] as const).flatMap((action) =>
    (['RemoveRegionsFromReplication', 'ReplicateSecretToRegions'] as const).map(
      (operation) => [what, operation, action, input] as const,
    ),
  ),
);

test.each(cuts)('a change of the key of %s goes on after %s with %s', async (_what, operation, action, input) => {
  const world = await createWorld(stage);
  const key = keyIn(world);
  await world.set({ A: '1' });
  const { id } = await world.createSync(replicated(input));
  await world.runUntilDone(id);
  await change(world, id, { replicaKeys: { [REPLICA]: key } });
  world.sandbox.faults.add({ service: 'secretsmanager', operation, action, times: 1 });
  const cut = await world.runOnce(id);
  expect(cut.outcome.status).not.toBe('succeeded');
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(keyOf(world)).toBe(key);
  // A replica whose answer was lost is still ours: its key can be changed again.
  await change(world, id, { replicaKeys: undefined });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(keyOf(world)).toBeUndefined();
});

test.each(kinds)('a value of %s that fails after its replica got another key is no drift', async (_what, input) => {
  const world = await createWorld(stage);
  const key = keyIn(world);
  await world.set({ A: '1' });
  const { id } = await world.createSync(replicated(input));
  await world.runUntilDone(id);
  world.clock.advance(20 * MINUTE);
  await world.set({ A: '2' });
  await change(world, id, { replicaKeys: { [REPLICA]: key } });
  for (const operation of ['UpdateSecret', 'PutSecretValue'])
    world.sandbox.faults.add({
      service: 'secretsmanager',
      operation,
      action: { error: { code: 'InternalServiceError', status: 500 } },
      times: 2,
    });
  expect((await world.runOnce(id)).outcome.status).not.toBe('succeeded');
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(keyOf(world)).toBe(key);
});

const drops = kinds.flatMap(([what, input]) =>
  (['drop-before', 'drop-after'] as const).map((action) => [what, action, input] as const),
);

test.each(drops)('a replica of %s is given up although its removal ended with %s', async (_what, action, input) => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(replicated(input, { [REPLICA]: keyIn(world) }));
  await world.runUntilDone(id);
  await change(world, id, { replicaRegions: undefined, replicaKeys: undefined });
  const operation = 'RemoveRegionsFromReplication';
  world.sandbox.faults.add({ service: 'secretsmanager', operation, action, times: 1 });
  expect((await world.runOnce(id)).outcome.status).not.toBe('succeeded');
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' })?.replicaRegions).toEqual([]);
});

test.each(kinds)('a replica of %s that somebody else made keeps its key until they remove it', async (_what, input) => {
  const world = await createWorld(stage);
  const [theirs, ours] = [keyIn(world), keyIn(world)];
  await world.set({ A: '1' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  const there = { ...world.at, name: 'prod/A', replicaRegion: REPLICA };
  world.sandbox.foreign.addReplica({ ...there, kmsKeyId: theirs });
  await change(world, id, { replicaRegions: [REPLICA], replicaKeys: { [REPLICA]: ours } });
  for (const request of [undefined, 'sync'] as const) {
    const { outcome } = await world.runUntilDone(id, request && { request });
    expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
    expect(outcome).toMatchObject({ message: expect.stringContaining('keyferry did not make it') as string });
    expect(keyOf(world)).toBe(theirs);
  }
  world.sandbox.foreign.removeReplica(there);
  expect((await world.runUntilDone(id, { request: 'sync' })).outcome.status).toBe('succeeded');
  expect(keyOf(world)).toBe(ours);
});

test('replicas and secrets of others in other regions are left alone', async () => {
  const world = await createWorld(stage);
  const key = keyIn(world);
  await world.set({ A: '1' });
  const [, input] = kinds[0]!;
  const { id } = await world.createSync(replicated(input));
  await world.runUntilDone(id);
  world.sandbox.foreign.addReplica({ ...world.at, name: 'prod/A', replicaRegion: 'us-west-2' });
  world.sandbox.foreign.putSecret({ ...world.at, region: 'us-west-1', name: 'prod/A', value: 'theirs' });
  await change(world, id, {
    replicaRegions: [REPLICA, 'us-west-1'],
    replicaKeys: { [REPLICA]: key, 'us-west-1': keyIn(world, 'us-west-1') },
  });
  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ message: expect.stringContaining('us-west-1: another secret') as string });
  expect(keyOf(world)).toBe(key);
  const elsewhere = (region: string) => world.sandbox.inspect.secret({ ...world.at, region, name: 'prod/A' })?.value;
  expect([elsewhere('us-west-1'), elsewhere('us-west-2')]).toEqual(['theirs', '1']);
});

test('a key that cannot be used in the region is named, and repaired by another', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const [, input] = kinds[0]!;
  const wrong = `arn:aws:kms:${REPLICA}:${world.accountId}:key/00000000-0000-4000-8000-000000000000`;
  const { id } = await world.createSync(replicated(input, { [REPLICA]: wrong }));
  const failed = await world.runUntilDone(id);
  expect(failed.outcome).toMatchObject({
    code: 'SYNC_DRIFTED',
    message: expect.stringContaining('its KMS key cannot be used there') as string,
  });
  const key = keyIn(world);
  await change(world, id, { replicaKeys: { [REPLICA]: key } });
  expect((await world.runUntilDone(id, { request: 'sync' })).outcome.status).toBe('succeeded');
  expect(keyOf(world)).toBe(key);
});

test('an alias takes the place of the key that was set by its ARN', async () => {
  const world = await createWorld(stage);
  const first = keyIn(world);
  world.sandbox.createKmsKey({ accountId: world.accountId, region: REPLICA, alias: 'alias/app' });
  await world.set({ A: '1' });
  const [, input] = kinds[0]!;
  const { id } = await world.createSync(replicated(input, { [REPLICA]: first }));
  await world.runUntilDone(id);
  await change(world, id, { replicaKeys: { [REPLICA]: 'alias/app' } });
  await world.runUntilDone(id);
  expect(keyOf(world)).toBe('alias/app');
});
