import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { allow, createWorld, DOCUMENTED_SECRET_ACTIONS, HOUR, MINUTE, REGION, type SyncInput, total } from './world.ts';

const stage = useStage();

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
  expect(calls).toEqual({
    'secretsmanager.DescribeSecret': 1,
    'secretsmanager.PutSecretValue': 1,
    'secretsmanager.UpdateSecretVersionStage': 1,
  });
  expect(JSON.parse(world.secrets()['prod/app'] ?? '')).toEqual({ A: '1', B: 'changed', C: 'new' });
});

test.each([
  ['PutSecretValue', 1],
  ['UpdateSecretVersionStage', 1],
] as const)('a refusal of %s that is no race is reported, and nothing is read for it', async (operation, count) => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  await world.set({ A: 'changed' });
  const error = { code: 'InvalidParameterException', message: 'You provided an invalid value.' };
  world.sandbox.faults.add({ service: 'secretsmanager', operation, action: { error } });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ code: 'AWS_REJECTED' });
  expect(calls).toMatchObject({ [`secretsmanager.${operation}`]: count });
  expect(Object.keys(calls)).not.toContain('secretsmanager.GetSecretValue');
});

test('a secret that somebody else writes in between is read and merged', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  await world.set({ A: 'changed' });
  const stop = world.sandbox.faults.add({
    service: 'secretsmanager',
    operation: 'PutSecretValue',
    match() {
      stop();
      world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","theirs":true}' });
      return false;
    },
    action: 'throttle',
  });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome.status).toBe('succeeded');
  expect(calls).toMatchObject({ 'secretsmanager.UpdateSecretVersionStage': 2, 'secretsmanager.GetSecretValue': 1 });
  expect(JSON.parse(world.secrets()['prod/app'] ?? '')).toEqual({ A: 'changed', theirs: true });
});

test('the documented policy is enough: the secret is read and updated', async () => {
  const world = await createWorld(stage, { policy: allow(DOCUMENTED_SECRET_ACTIONS) });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  await world.set({ B: null, A: 'changed' });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1, deleted: 1 } });
  expect(calls).toEqual({
    'secretsmanager.DescribeSecret': 1,
    'secretsmanager.GetSecretValue': 1,
    'secretsmanager.UpdateSecret': 1,
  });
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

test('another key schema renames our keys inside the secret, and no others', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2', X_A: '3' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  const value = world.secrets()['prod/app'] ?? '';
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: value.replace('{', '{"theirs":1.0,') });

  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, keySchema: 'X_{{secretKey}}' } }, 'ann');
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 3, created: 0, deleted: 0 } });
  expect(world.secrets()).toEqual({ 'prod/app': '{"theirs":1.0,"X_A":"1","X_B":"2","X_X_A":"3"}' });
  expect((await world.runUntilDone(id, { request: 'sync' })).outcome).toMatchObject({ counts: { unchanged: 3 } });
});

test('a key keeps its old name while its new one is somebody else’s', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","B":"2","X_A":"theirs"}' });

  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, keySchema: 'X_{{secretKey}}' } }, 'ann');
  const plan = await world.runUntilDone(id, { request: 'plan' });
  const { outcome } = await world.runUntilDone(id);

  expect(plan.outcome).toMatchObject({
    result: {
      changes: [
        { action: 'conflict', key: 'A', reason: 'the key exists in the secret and is not managed by this sync' },
        { action: 'update', key: 'B', reason: 'B is called X_B in the secret now' },
      ],
    },
  });
  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT', counts: { updated: 1, conflicts: 1 } });
  expect(world.secrets()).toEqual({ 'prod/app': '{"A":"1","X_A":"theirs","X_B":"2"}' });
});

test('a JSON that grows beyond what a secret may hold is refused as a whole, and says what to do', async () => {
  const world = await createWorld(stage);
  await world.set({ A: 'x'.repeat(40_000) });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  await world.set({ B: 'y'.repeat(30_000) });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_ENTRY_INVALID' });
  expect('message' in outcome && outcome.message).toBe(
    'prod/app: The JSON of 2 keys has 70015 bytes; Secrets Manager allows 65536. Use one-to-one, or split the folder.',
  );
  expect(world.secrets()['prod/app']).toHaveLength(40_008);
});

test('a key that our own write left as somebody made it stays in drift until a person asks', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"B":"2"}' });
  await world.set({ B: 'new' });
  await world.runUntilDone(id);
  expect(world.secrets()).toEqual({ 'prod/app': '{"B":"new"}' });

  world.clock.advance(HOUR);
  const found = await world.runScheduled(id);
  expect(found.outcome).toMatchObject({ code: 'SYNC_DRIFTED', result: { drift: [{ key: 'A', kind: 'missing' }] } });

  const asked = await world.runUntilDone(id, { request: 'sync' });
  expect(asked.outcome).toMatchObject({ status: 'succeeded' });
  expect(world.secrets()).toEqual({ 'prod/app': '{"B":"new","A":"1"}' });
});

test('a secret that somebody deleted and made anew is theirs, also on request', async () => {
  const world = await createWorld(stage, { policy: allow(DOCUMENTED_SECRET_ACTIONS) });
  await world.set({ A: '1' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  world.sandbox.foreign.deleteSecret({ ...world.at, name: 'prod/app', force: true });
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"theirs":"x"}' });
  await world.set({ A: 'new' });

  const { outcome } = await world.runUntilDone(id, { request: 'sync' });

  expect(outcome).toMatchObject({ code: 'SYNC_CONFLICT' });
  expect('message' in outcome && outcome.message).toContain('A (prod/app) no longer carries the tag of this sync');
  expect(world.secrets()).toEqual({ 'prod/app': '{"theirs":"x"}' });
});

test('tags that somebody took off the JSON secret are drift, and put back without a new version', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ ...toDocument, syncOptions: { tags: [{ key: 'team', value: 'core' }] } });
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  world.sandbox.foreign.tagSecret({ ...world.at, name: 'prod/app', tags: { team: 'other' } });

  const found = await world.runScheduled(id);
  expect(found.outcome).toMatchObject({ code: 'SYNC_DRIFTED', result: { checked: 1, drift: [{ kind: 'tags' }] } });

  const repaired = await world.runUntilDone(id, { request: 'sync' });
  expect(repaired.outcome.status).toBe('succeeded');
  const secret = world.sandbox.inspect.secret({ ...world.at, name: 'prod/app' });
  expect(secret?.tags).toMatchObject({ team: 'core' });
  expect(secret?.versions).toHaveLength(1);
});

test('a key of somebody else that is in conflict is never overwritten, however often a person asks', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","D":"theirs"}' });
  await world.set({ D: 'ours' });

  for (let times = 0; times < 3; times += 1) {
    const { outcome } = await world.runUntilDone(id, { request: 'sync' });
    expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT' });
    world.clock.advance(HOUR);
    await world.runScheduled(id);
  }

  expect(world.secrets()).toEqual({ 'prod/app': '{"A":"1","D":"theirs"}' });
});

test('empty values are stored in a JSON secret, changed, compared and imported', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '', B: 'b' });
  const { id } = await world.createSync(toDocument);
  const text = () => world.secrets('prod/app')['prod/app'];

  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { created: 2 } });
  expect(text()).toBe('{"A":"","B":"b"}');
  await world.set({ A: 'a', B: '' });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { updated: 2 } });
  expect(text()).toBe('{"A":"a","B":""}');
  expect((await world.runUntilDone(id, { request: 'sync' })).outcome).toMatchObject({ counts: { unchanged: 2 } });

  await world.set({ A: '' });
  await world.runUntilDone(id);
  expect(text()).toBe('{"A":"","B":""}');
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"","B":"","C":""}' });
  const imported = await world.runUntilDone(id, { request: 'import' });
  expect(imported.outcome).toMatchObject({ result: { imported: ['C'], kept: ['A', 'B'], unreadable: [] } });
});
