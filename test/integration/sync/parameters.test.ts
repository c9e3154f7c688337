import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld } from './world.ts';

const stage = useStage();

test('a first sync writes every secret with one call each and marks it as ours', async () => {
  const world = await createWorld(stage);
  await world.set({ API_KEY: 'one', DB_URL: 'two', MODE: 'three' });
  const { id } = await world.createSync({ syncOptions: { tags: [{ key: 'team', value: 'core' }] } });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 3, unchanged: 0, failed: 0 } });
  expect(world.parameters()).toEqual({
    '/app/prod/API_KEY': 'one',
    '/app/prod/DB_URL': 'two',
    '/app/prod/MODE': 'three',
  });
  expect(calls).toEqual({ 'ssm.PutParameter': 3 });
  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/MODE' })).toMatchObject({
    type: 'SecureString',
    tags: { 'keyferry:sync': world.tagOf(id), team: 'core' },
  });
  expect(await world.row(id)).toMatchObject({
    syncStatus: 'succeeded',
    drift: 'none',
    syncedVersion: 1,
    progress: null,
  });
});

test('an unchanged sync that a person asks for looks once and writes nothing', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  const { outcome, calls } = await world.runUntilDone(id, { request: 'sync' });

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { unchanged: 2, updated: 0 } });
  expect(calls).toEqual({ 'ssm.DescribeParameters': 1 });
});

test('one changed secret costs one look and one write', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2', C: '3' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  await world.set({ B: 'changed' });
  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1, unchanged: 2 } });
  expect(calls).toEqual({ 'ssm.DescribeParameters': 1, 'ssm.PutParameter': 1 });
  expect(world.parameters()['/app/prod/B']).toBe('changed');
});
