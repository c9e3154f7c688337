import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, MINUTE, REGION, type SyncInput, total } from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(index)}`, 'v']));

test('a check of parameters reads fifty with one call', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(60));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(HOUR);

  const before = world.clock.now().toISOString();
  const { outcome, calls } = await world.runScheduled(id);
  const after = world.clock.now().toISOString();

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { unchanged: 60 }, result: { checked: 60, drift: [] } });
  const row = await world.row(id);
  const { tagsCheckedSince } = (outcome as { readonly result: { readonly tagsCheckedSince: string } }).result;
  for (const moment of [tagsCheckedSince, row.lastCheckedAt?.toISOString() ?? 'never'])
    expect([before, moment, after].sort()).toEqual([before, moment, after]);
  expect(calls).toEqual({ 'ssm.DescribeParameters': 2 });
  expect(JSON.stringify(world.sandbox.calls.list())).not.toContain('"WithDecryption":true');
  expect(row).toMatchObject({ drift: 'none', syncStatus: 'succeeded' });
});

test('what was deleted right after its own write is no failure of the check', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.sandbox.foreign.deleteParameter({ ...world.at, name: '/app/prod/A' });
  world.clock.advance(5_000);

  // A read so soon may lag: nothing is told yet.
  expect((await world.runOnce(id, { request: 'check' })).outcome).toMatchObject({ status: 'succeeded' });

  world.clock.advance(HOUR);
  const later = await world.runOnce(id, { request: 'check' });
  expect(later.outcome).toMatchObject({ code: 'SYNC_DRIFTED', result: { drift: [{ key: 'A', kind: 'missing' }] } });
});

test('repair mode puts back what was changed, deleted and untagged, and nothing that is not ours any more', async () => {
  const world = await createWorld(stage);
  await world.set({ CHANGED: '1', GONE: '2', TAKEN: '3', FINE: '4' });
  const { id } = await world.createSync({ syncOptions: { drift: 'repair' } });
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  const { foreign } = world.sandbox;
  foreign.putParameter({ ...world.at, name: '/app/prod/CHANGED', value: 'theirs' });
  foreign.deleteParameter({ ...world.at, name: '/app/prod/GONE' });
  foreign.deleteParameter({ ...world.at, name: '/app/prod/TAKEN' });
  foreign.putParameter({ ...world.at, name: '/app/prod/TAKEN', value: 'theirs' });

  const { outcome } = await world.runScheduled(id);

  expect(outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_CONFLICT',
    counts: { created: 1, updated: 1, conflicts: 1 },
  });
  expect(world.parameters()).toEqual({
    '/app/prod/CHANGED': '1',
    '/app/prod/GONE': '2',
    '/app/prod/TAKEN': 'theirs',
    '/app/prod/FINE': '4',
  });
});

test('a secret scheduled for deletion by somebody is restored in repair mode, reported in detect mode', async () => {
  for (const [drift, status] of [
    ['repair', 'succeeded'],
    ['detect', 'partial'],
  ] as const) {
    const world = await createWorld(stage);
    await world.set({ A: '1' });
    const { id } = await world.createSync({ ...toSecrets, syncOptions: { drift } });
    await world.runUntilDone(id);
    world.clock.advance(HOUR);
    world.sandbox.foreign.deleteSecret({ ...world.at, name: 'prod/A' });

    const { outcome } = await world.runScheduled(id);

    expect(outcome.status).toBe(status);
    expect(world.secrets()).toEqual(drift === 'repair' ? { 'prod/A': '1' } : {});
  }
});

test('tags and keys of secrets are checked each time, and repaired without a new version', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ ...toSecrets, syncOptions: { tags: [{ key: 'team', value: 'core' }] } });
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  world.sandbox.foreign.tagSecret({ ...world.at, name: 'prod/A', tags: { team: 'other' } });

  const found = await world.runScheduled(id);
  expect(found.outcome).toMatchObject({ code: 'SYNC_DRIFTED', result: { drift: [{ key: 'A', kind: 'tags' }] } });

  const repaired = await world.runUntilDone(id, { request: 'sync' });
  expect(repaired.outcome.status).toBe('succeeded');
  const secret = world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' });
  expect(secret?.tags).toMatchObject({ team: 'core' });
  expect(secret?.versions).toHaveLength(1);
});

test('a list that lags is not taken for drift', async () => {
  const world = await createWorld(stage, { sandbox: { timing: { listSecretsMs: [300_000, 300_000] } } });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  world.clock.advance(4 * MINUTE);
  await world.set({ B: 'new' });
  await world.runUntilDone(id);
  world.clock.advance(7 * MINUTE);

  const { outcome, calls } = await world.runScheduled(id);

  expect(outcome).toMatchObject({ status: 'succeeded', result: { drift: [] } });
  expect(calls).toEqual({ 'secretsmanager.ListSecrets': 1 });
});

test('a check on demand only reports, also while the source is ahead', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: '2' });
  world.clock.advance(HOUR);

  const check = await world.runUntilDone(id, { request: 'check' });
  expect(check.outcome).toMatchObject({ status: 'succeeded', result: { checked: 1, drift: [] } });
  expect(world.parameters()).toEqual({ '/app/prod/A': '1' });

  const synced = await world.runUntilDone(id);
  expect(synced.outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
  expect(world.parameters()).toEqual({ '/app/prod/A': '2' });
});

test('a conflict that was cleared away is written by the next scheduled check', async () => {
  const world = await createWorld(stage);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'theirs' });
  await world.set({ A: 'ours', B: 'ours' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  const still = await world.runScheduled(id);
  world.sandbox.foreign.deleteParameter({ ...world.at, name: '/app/prod/A' });
  world.clock.advance(HOUR);
  const cleared = await world.runScheduled(id);

  expect(still.outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT' });
  expect(still.calls['ssm.PutParameter']).toBeUndefined();
  expect(cleared.outcome).toMatchObject({ status: 'succeeded', counts: { created: 1 } });
});

test('an invalid or unproven connection blocks without a call', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  for (const [status, code] of [
    ['invalid', 'CONNECTION_INVALID'],
    ['pending', 'CONNECTION_PENDING'],
  ] as const) {
    await stage.handle.db.execute(
      sql`update keyferry.connections set status = ${status} where id = ${world.connection.id}`,
    );
    const { outcome, calls } = await world.runOnce(id, { request: 'sync' });
    expect(outcome).toMatchObject({ status: 'blocked', code });
    expect(total(calls)).toBe(0);
    expect((await world.row(id)).nextDueAt).toBeNull();
  }
});
