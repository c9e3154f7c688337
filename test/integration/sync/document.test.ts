import { afterAll, beforeAll, expect, test } from 'vitest';

import { useTestDatabase } from '../../support/postgres.ts';
import {
  allow,
  createWorld,
  DOCUMENTED_SECRET_ACTIONS,
  MINUTE,
  openStage,
  REGION,
  type Stage,
  type SyncInput,
  total,
} from './world.ts';

const database = useTestDatabase();
let stage: Stage;
beforeAll(() => {
  stage = openStage(database().url);
});
afterAll(() => stage.close());

const toDocument: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/app' },
};

test('a first sync makes one secret of all keys with one call', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 2 } });
  expect(calls).toEqual({ 'secretsmanager.CreateSecret': 1 });
  expect(world.secrets()).toEqual({ 'prod/app': '{"A":"1","B":"2"}' });
});

test('a change is staged and promoted without reading, where the role allows it', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  await world.set({ B: 'changed', C: 'new' });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 1, updated: 1, unchanged: 1 } });
  expect(calls).toEqual({ 'secretsmanager.PutSecretValue': 1, 'secretsmanager.UpdateSecretVersionStage': 1 });
  expect(JSON.parse(world.secrets()['prod/app'] ?? '')).toEqual({ A: '1', B: 'changed', C: 'new' });
});

test('the documented policy is enough: the secret is read and updated', async () => {
  const world = await createWorld(stage, { policy: allow(DOCUMENTED_SECRET_ACTIONS) });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  await world.set({ B: null, A: 'changed' });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1, deleted: 1 } });
  expect(calls).toEqual({ 'secretsmanager.GetSecretValue': 1, 'secretsmanager.UpdateSecret': 1 });
  expect(world.secrets()['prod/app']).toBe('{"A":"changed"}');
});

test('keys of others in the secret stay, to the digit', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","theirs":12345678901234567890}' });

  await world.set({ A: '2' });
  const { outcome } = await world.runUntilDone(id);
  await world.set({ B: '3' });
  await world.runUntilDone(id);

  expect(outcome.status).toBe('succeeded');
  expect(world.secrets()['prod/app']).toBe('{"A":"2","theirs":12345678901234567890,"B":"3"}');
});

test('a drift check costs one look, and somebody else’s own key is no drift', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.clock.advance(20 * MINUTE);
  const clean = await world.runScheduled(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","B":"2","theirs":true}' });
  const theirs = await world.runScheduled(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"stolen","B":"2","theirs":true}' });
  const drifted = await world.runScheduled(id);

  expect(clean.calls).toEqual({ 'secretsmanager.DescribeSecret': 1 });
  expect(theirs.outcome).toMatchObject({ status: 'succeeded', result: { drift: [] } });
  expect(drifted.outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_DRIFTED',
    result: { drift: [{ key: 'A', kind: 'changed' }] },
  });
});

test('remove takes our keys out and leaves the rest; without a rest the secret goes', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","B":"2","theirs":true}' });
  const { outcome } = await world.runUntilDone(id, { request: 'remove' });
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 2 } });
  expect(world.secrets()).toEqual({ 'prod/app': '{"theirs":true}' });

  const alone = await createWorld(stage);
  await alone.set({ A: '1' });
  const sync = await alone.createSync(toDocument);
  await alone.runUntilDone(sync.id);
  const removed = await alone.runUntilDone(sync.id, { request: 'remove' });
  expect(removed.outcome.status).toBe('succeeded');
  expect(alone.secrets()).toEqual({});
  expect(total(removed.calls)).toBeLessThanOrEqual(3);
});
