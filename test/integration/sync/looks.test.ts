/** Whose a parameter is, looked up before every overwrite and every deletion. */
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { allow, createWorld, DOCUMENTED_PARAMETER_ACTIONS, HOUR, MINUTE } from './world.ts';
import type { WorldOptions } from './world.ts';

const stage = useStage();

const numbered = (count: number, value = 'v') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(index)}`, value]));
const without = (...denied: string[]) =>
  allow(DOCUMENTED_PARAMETER_ACTIONS.filter((action) => !denied.includes(action)));
const A = '/app/prod/A';

async function syncedWorld(options: WorldOptions = {}) {
  const world = await createWorld(stage, options);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  return { world, id };
}
type Synced = Awaited<ReturnType<typeof syncedWorld>>;

const takenOver: readonly (readonly [string, (synced: Synced) => void])[] = [
  [
    'has no tag any more',
    ({ world }) => {
      world.sandbox.foreign.untagParameter({ ...world.at, name: A, tagKeys: ['keyferry:sync'] });
    },
  ],
  [
    'carries the tag of another sync',
    ({ world }) => {
      const tags = { 'keyferry:sync': world.tagOf(crypto.randomUUID()) };
      world.sandbox.foreign.tagParameter({ ...world.at, name: A, tags });
    },
  ],
  [
    'carries the tag of another installation',
    ({ world, id }) => {
      const tags = { 'keyferry:sync': `${crypto.randomUUID()}/${id}` };
      world.sandbox.foreign.tagParameter({ ...world.at, name: A, tags });
    },
  ],
];

test.each(takenOver)('a parameter that %s is not overwritten', async (_what, takeOver) => {
  const synced = await syncedWorld();
  const { world, id } = synced;
  takeOver(synced);
  await world.set({ A: 'new', B: 'new' });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT', counts: { updated: 1, conflicts: 1 } });
  expect(world.parameters()).toEqual({ [A]: '1', '/app/prod/B': 'new' });
  // Nor does asking for it make it ours.
  await world.runUntilDone(id, { request: 'sync' });
  expect(world.parameters()[A]).toBe('1');
});

test.each(takenOver)('a parameter that %s is not deleted when its key goes', async (_what, takeOver) => {
  const synced = await syncedWorld();
  const { world, id } = synced;
  takeOver(synced);
  await world.set({ A: null });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ counts: { deleted: 0 } });
  expect(world.parameters()).toEqual({ [A]: '1', '/app/prod/B': '2' });
});

test.each(takenOver)('a parameter that %s is not deleted by a removal', async (_what, takeOver) => {
  const synced = await syncedWorld();
  const { world, id } = synced;
  takeOver(synced);

  await world.runUntilDone(id, { request: 'remove' });

  expect(world.parameters()).toEqual({ [A]: '1' });
});

test.each(takenOver)('a parameter that %s is foreign to the next drift check', async (_what, takeOver) => {
  const synced = await syncedWorld();
  const { world, id } = synced;
  takeOver(synced);

  const { outcome } = await world.runOnce(id, { request: 'check' });
  expect(outcome).toMatchObject({ code: 'SYNC_DRIFTED', result: { drift: [{ key: 'A', kind: 'foreign' }] } });

  world.sandbox.foreign.tagParameter({ ...world.at, name: A, tags: { 'keyferry:sync': world.tagOf(id) } });
  expect((await world.runOnce(id, { request: 'check' })).outcome).toMatchObject({ result: { drift: [] } });
});

test('fifty overwrites share a look, and so do fifty deletions', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(120));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(HOUR);

  await world.set(numbered(120, 'changed'));
  expect((await world.runUntilDone(id)).calls).toEqual({ 'ssm.DescribeParameters': 3, 'ssm.PutParameter': 120 });

  world.clock.advance(HOUR);
  const removed = await world.runUntilDone(id, { request: 'remove' });
  expect(removed.calls).toEqual({ 'ssm.DescribeParameters': 3, 'ssm.DeleteParameters': 12 });
  expect(world.parameters()).toEqual({});
});

test('without ssm:DescribeParameters the tags are listed one by one', async () => {
  const { world, id } = await syncedWorld({ policy: without('ssm:DescribeParameters') });
  world.sandbox.foreign.untagParameter({ ...world.at, name: A, tagKeys: ['keyferry:sync'] });
  await world.set({ A: 'new', B: 'new' });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ counts: { updated: 1, conflicts: 1 } });
  expect(calls).toMatchObject({ 'ssm.GetParameters': 1, 'ssm.ListTagsForResource': 2, 'ssm.PutParameter': 1 });
  expect(world.parameters()).toEqual({ [A]: '1', '/app/prod/B': 'new' });
});

test('where every look is denied nothing is written, and the status names the action', async () => {
  const { world, id } = await syncedWorld();
  const deny = (operation: string) =>
    world.sandbox.faults.add({ service: 'ssm', operation, action: { error: { code: 'AccessDeniedException' } } });
  deny('DescribeParameters');
  deny('ListTagsForResource');
  await world.set({ A: 'new', B: null });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ code: 'AWS_ACCESS_DENIED' });
  expect('message' in outcome && outcome.message).toContain('ssm:ListTagsForResource');
  expect(world.parameters()).toEqual({ [A]: '1', '/app/prod/B': '2' });
});

test('a listing that never shows anything ends, and the tags decide', async () => {
  const { world, id } = await syncedWorld({ sandbox: { timing: { emptyPageProbability: 1 } } });
  world.sandbox.foreign.untagParameter({ ...world.at, name: A, tagKeys: ['keyferry:sync'] });
  await world.set({ A: 'new', B: 'new' });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ counts: { updated: 1, conflicts: 1 } });
  expect(calls['ssm.DescribeParameters']).toBe(20);
  expect(world.parameters()).toEqual({ [A]: '1', '/app/prod/B': 'new' });
  world.clock.advance(HOUR);
  expect((await world.runScheduled(id)).outcome).toMatchObject({ result: { drift: [] } });
});

test('reads that miss our own fresh write do not stop the next one', async () => {
  const world = await createWorld(stage, { sandbox: { timing: { parameterReadMs: [30_000, 30_000] } } });
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(5_000);

  await world.set({ A: '2' });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
  expect(world.parameters()[A]).toBe('2');
});

test('what lost our tag within a minute of our own write waits until reads are sure', async () => {
  const { world, id } = await syncedWorld();
  await world.set({ A: '3' });
  await world.runUntilDone(id);
  world.sandbox.foreign.untagParameter({ ...world.at, name: A, tagKeys: ['keyferry:sync'] });
  await world.set({ A: '4' });

  const { outcome } = await world.runOnce(id);
  expect(outcome).toMatchObject({ status: 'continued' });
  expect(world.parameters()[A]).toBe('3');

  world.clock.advance(2 * MINUTE);
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ code: 'SYNC_CONFLICT' });
  expect(world.parameters()[A]).toBe('3');
});

test('a check that finds many untagged parameters ends although their tags are listed slowly', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(30));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  for (const name of Object.keys(world.parameters()))
    world.sandbox.foreign.untagParameter({ ...world.at, name, tagKeys: ['keyferry:sync'] });
  // Each run gets ten answers before AWS throttles.
  let answered = 0;
  world.sandbox.faults.add({
    service: 'ssm',
    operation: 'ListTagsForResource',
    match: () => (answered += 1) % 11 === 0,
    action: 'throttle',
  });

  const { outcome } = await world.runUntilDone(id, { request: 'check' }, { maxRuns: 10 });

  expect(outcome).toMatchObject({ code: 'SYNC_DRIFTED' });
  expect((await world.entries(id)).map((entry) => entry.drift)).toEqual(Array.from({ length: 30 }, () => 'foreign'));
});
