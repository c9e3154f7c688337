import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, MINUTE, REGION, type SyncInput } from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};

test('a first sync creates each secret with its tags in one call', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync({ ...toSecrets, syncOptions: { tags: [{ key: 'team', value: 'core' }] } });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 2 } });
  expect(calls).toEqual({ 'secretsmanager.CreateSecret': 2 });
  expect(world.secrets()).toEqual({ 'prod/A': '1', 'prod/B': '2' });
  expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' })?.tags).toEqual({
    'keyferry:sync': world.tagOf(id),
    team: 'core',
  });
});

test('one changed secret costs one look and one write, an unchanged sync one look each while they are fresh', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  await world.set({ B: 'changed' });

  const changed = await world.runUntilDone(id);
  const unchanged = await world.runUntilDone(id, { request: 'sync' });

  expect(changed.calls).toEqual({ 'secretsmanager.DescribeSecret': 1, 'secretsmanager.UpdateSecret': 1 });
  expect(world.secrets()['prod/B']).toBe('changed');
  expect(unchanged.calls).toEqual({ 'secretsmanager.DescribeSecret': 2 });
});

test('A, then B, then A again is written each time', async () => {
  const world = await createWorld(stage);
  const { id } = await (await world.set({ K: 'A' }), world.createSync(toSecrets));
  await world.runUntilDone(id);
  for (const value of ['B', 'A', 'B', 'A']) {
    await world.set({ K: value });
    await world.runUntilDone(id);
    expect(world.secrets()['prod/K']).toBe(value);
  }
  expect(world.sandbox.inspect.secret({ ...world.at, name: 'prod/K' })?.versions).toHaveLength(5);
});

test('a secret that comes back within its recovery window is restored', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  await world.set({ B: null });
  await world.runUntilDone(id);
  expect(world.secrets()).toEqual({ 'prod/A': '1' });

  world.clock.advance(2 * DAY);
  await world.set({ B: 'again' });
  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome.status).toBe('succeeded');
  expect(calls['secretsmanager.RestoreSecret']).toBe(1);
  expect(world.secrets()).toEqual({ 'prod/A': '1', 'prod/B': 'again' });
});

test('a drift check reads pages of the list and finds what somebody changed', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2', C: '3' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  world.clock.advance(20 * MINUTE);
  const clean = await world.runScheduled(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/B', value: 'theirs' });
  const found = await world.runScheduled(id);

  expect(clean.calls).toEqual({ 'secretsmanager.ListSecrets': 1 });
  expect(clean.outcome).toMatchObject({ status: 'succeeded', result: { checked: 3, drift: [] } });
  expect(found.outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_DRIFTED',
    result: { drift: [{ key: 'B', kind: 'changed' }] },
  });
  expect(world.secrets()['prod/B']).toBe('theirs');
  expect(await world.row(id)).toMatchObject({ drift: 'drifted', syncStatus: 'partial' });
});
