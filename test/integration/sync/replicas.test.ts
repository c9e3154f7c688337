/** Replicas that fail, disappear or take their time, and secrets that somebody else rotates. */
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const REPLICA = 'us-east-1';
const oneToOne: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const oneJson: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/A' },
};
const replicated = (input: SyncInput) => ({ ...input, syncOptions: { replicaRegions: [REPLICA] } });
const kinds: readonly (readonly [string, SyncInput])[] = [
  ['one secret', oneToOne],
  ['a JSON secret', oneJson],
];

/** Another secret of the name in the replica's region makes the replication fail. */
function block(world: World): void {
  world.sandbox.foreign.putSecret({ ...world.at, region: REPLICA, name: 'prod/A', value: 'theirs' });
}

test.each(kinds)(
  'a failed replication of %s is no success, and the next asked run repairs it',
  async (_what, input) => {
    const world = await createWorld(stage);
    await world.set({ A: '1' });
    block(world);
    const { id } = await world.createSync(replicated(input));
    const failed = await world.runUntilDone(id);
    expect(failed.outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
    expect(failed.outcome).toMatchObject({
      message: expect.stringContaining(`${REPLICA}: another secret of this name exists there`) as string,
    });
    world.sandbox.foreign.deleteSecret({ ...world.at, region: REPLICA, name: 'prod/A', force: true });
    world.clock.advance(5 * MINUTE);
    const repaired = await world.runUntilDone(id, { request: 'sync' });
    expect(repaired.outcome).toMatchObject({ status: 'succeeded' });
    expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' })?.replicaRegions).toEqual([REPLICA]);
  },
);

test.each(kinds)('a replica of %s that somebody removed is drift', async (_what, input) => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(replicated(input));
  await world.runUntilDone(id);
  world.clock.advance(20 * MINUTE);
  world.sandbox.foreign.removeReplica({ ...world.at, name: 'prod/A', replicaRegion: REPLICA });
  const checked = await world.runUntilDone(id, { request: 'check' });
  expect(await world.row(id)).toMatchObject({ drift: 'drifted' });
  expect(JSON.stringify(checked.outcome)).toContain('lacks a replica');
  await world.runUntilDone(id, { request: 'sync' });
  expect(await world.row(id)).toMatchObject({ drift: 'none', syncStatus: 'succeeded' });
});

test('a replication that takes its time is waited for', async () => {
  const world = await createWorld(stage, { sandbox: { timing: { replicationMs: [40_000, 40_000] } } });
  await world.set({ A: '1' });
  const { id } = await world.createSync(replicated(oneToOne));
  const ran = await world.runUntilDone(id);
  expect(ran.outcome.status).toBe('succeeded');
  expect(ran.calls['secretsmanager.DescribeSecret']).toBe(4);
});

test.each([
  ['a rotation', { RotationEnabled: true }, 'a rotation of Secrets Manager'],
  ['a partner', { Type: 'SomePartner' }, 'Secrets Manager for SomePartner'],
  ['a service of AWS', { OwningService: 'rds' }, 'rds'],
])('a secret that %s changes is not adopted', async (_who, by, named) => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/A', value: 'theirs' });
  world.sandbox.foreign.manageSecret({ ...world.at, name: 'prod/A', by });
  const { id } = await world.createSync({ ...oneToOne, syncOptions: { onExisting: 'adopt' } });
  const ran = await world.runUntilDone(id);
  expect(ran.outcome).toMatchObject({ code: 'SYNC_CONFLICT' });
  expect(ran.outcome).toMatchObject({ message: expect.stringContaining(`managed by ${named}`) as string });
  expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' })?.value).toBe('theirs');
});
