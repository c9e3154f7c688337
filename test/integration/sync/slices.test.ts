import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { createWork } from '../../../src/db/engine/work.ts';
import { JobError } from '../../../src/errors.ts';
import { deferred } from '../../support/deferred.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, REGION, type SyncInput, total } from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const numbered = (count: number, value = 'v') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(index)}`, value]));

test.each([
  ['parameters', {}],
  ['secrets', toSecrets],
] as const)('%s are written 50 at a time, and the last run tells the whole', async (_what, input) => {
  const world = await createWorld(stage);
  await world.set(numbered(120));
  const { id } = await world.createSync(input);

  const first = await world.runOnce(id);
  expect(first.outcome).toMatchObject({ status: 'continued', counts: { created: 50 } });
  expect(await world.isDue(id)).toBe(true);
  expect(await world.row(id)).toMatchObject({ syncStatus: 'running', syncedRevision: null });

  const second = await world.runOnce(id);
  const third = await world.runOnce(id);
  expect(second.outcome.status).toBe('continued');
  expect(third.outcome).toMatchObject({ status: 'succeeded', counts: { created: 120, unchanged: 0 } });
  expect(total(first.calls) + total(second.calls) + total(third.calls)).toBe(120);
});

test('while nobody waits, a sync goes on, and gives its place back once somebody does', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(200));
  const { id } = await world.createSync();
  let done = 0;
  const noteProgress = (progress: { readonly done: number }): void => void (done = progress.done);
  const first = await world.runOnce(id, { noteProgress, isAwaited: () => done >= 120 });
  expect(first.outcome.status).toBe('continued');
  expect(Object.keys(world.parameters()).length).toBeGreaterThanOrEqual(120);
  // 32 writes under way then, and as many whose rows were on their way.
  expect(Object.keys(world.parameters()).length).toBeLessThanOrEqual(120 + 2 * 32);
  const second = await world.runOnce(id, { isAwaited: () => false });
  expect(second.outcome).toMatchObject({ status: 'succeeded', counts: { created: 200 } });
});

test('a sync that nobody waits for reads its settings again after 30 s', async () => {
  const world = await createWorld(stage, {
    wrap: (deps) => ({
      ...deps,
      entries: {
        ...deps.entries,
        claim: (run, entries) => {
          world.clock.advance(4_000);
          return deps.entries.claim(run, entries);
        },
      },
    }),
  });
  await world.set(numbered(100));
  const { id } = await world.createSync();
  expect(await world.runOnce(id, { isAwaited: () => false })).toMatchObject({ outcome: { status: 'continued' } });
  expect(Object.keys(world.parameters()).length).toBeLessThan(100);
  await world.runUntilDone(id);
});

test('a run is awaited by another due sync or source, and by a new wish for its own', async () => {
  const world = await createWorld(stage);
  const work = createWork(stage.handle.db);
  const { id } = await world.createSync();
  await stage.handle.db.execute(sql`update keyferry.syncs set next_due_at = null where id <> ${id}`);
  await work.dispatchDue('sync', 500);
  const runId = crypto.randomUUID();
  await work.claim('sync', { subjectId: id, runId, jobId: undefined });
  const isAwaited = async () => (await work.storeCalls([{ runId, awsCalls: {} }])).awaited.includes(runId);
  expect(await isAwaited()).toBe(false);
  const other = await world.createSync({ destinationConfig: { region: REGION, path: '/other/' } });
  expect(await isAwaited()).toBe(true);
  await stage.handle.db.execute(sql`update keyferry.syncs set next_due_at = null
    where id = ${other.id}`);
  expect(await isAwaited()).toBe(false);
  await world.set({ NEW: 'value' });
  expect(await isAwaited()).toBe(true);
});

test('what fails in one slice does not hold up the next ones, and is tried again by the next wish', async () => {
  const world = await createWorld(stage);
  await world.set({ ...numbered(60), AAA: 'x' });
  const { id } = await world.createSync();
  const lift = world.sandbox.faults.add({
    service: 'ssm',
    operation: 'PutParameter',
    match: { parametersInclude: '/app/prod/AAA' },
    action: { error: { code: 'ParameterPatternMismatchException' } },
  });

  const failed = await world.runUntilDone(id);
  expect(failed.outcome).toMatchObject({ status: 'partial', code: 'AWS_REJECTED', counts: { created: 60, failed: 1 } });
  expect(failed.calls['ssm.PutParameter']).toBe(61);

  lift();
  const again = await world.runUntilDone(id, { request: 'sync' });
  expect(again.outcome).toMatchObject({ status: 'succeeded', counts: { created: 1, unchanged: 60 } });
  expect(again.calls).toEqual({ 'ssm.DescribeParameters': 2, 'ssm.PutParameter': 1 });
});

test('a wait for AWS begins when it is asked for, not when the last call under way is back', async () => {
  const sentAway = deferred<unknown>();
  let calls = 0;
  const world = await createWorld(stage, {
    budget: {
      take: async ({ group: { name } }) => {
        if (name !== 'ssm.put') return;
        calls += 1;
        if (calls === 1) throw new JobError('AWS_THROTTLED', { message: 'used up', retryAfterMs: 2_000 });
        await sentAway.promise;
        world.clock.advance(300);
      },
      throttled: () => Promise.resolve(),
    },
  });
  await world.set(numbered(8));
  const { id } = await world.createSync();

  const { outcome } = await world.runOnce(id, { noteProgress: sentAway.resolve });
  expect(outcome).toMatchObject({ status: 'continued', counts: { created: 7 } });
  // Seven calls took 2.1 s: the wait of 2 s is over.
  expect(await world.isDue(id)).toBe(true);
});

test('ten refusals in a row end the round: the rest would meet the same', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(40));
  const { id } = await world.createSync();
  world.sandbox.faults.add({
    service: 'ssm',
    operation: 'PutParameter',
    action: { error: { code: 'AccessDeniedException' } },
  });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'AWS_ACCESS_DENIED' });
  expect(calls['ssm.PutParameter']).toBeLessThanOrEqual(20);
});

test('deletions go by ten, after the writes, also over several slices', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(100));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({
    ...numbered(60, 'new'),
    ...Object.fromEntries(
      Object.keys(numbered(100))
        .slice(75)
        .map((key) => [key, null]),
    ),
  });
  world.clock.advance(120_000);

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 60, deleted: 25 } });
  expect(calls['ssm.DeleteParameters']).toBe(3);
  expect(Object.keys(world.parameters())).toHaveLength(75);
});

test('a change in the middle of a long sync begins a new round with what is left to do', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(80));
  const { id } = await world.createSync();
  await world.runOnce(id);
  await world.set({ K0: 'changed', K79: null });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded' });
  expect(world.parameters()['/app/prod/K0']).toBe('changed');
  expect(Object.keys(world.parameters())).toHaveLength(79);
  expect(await world.row(id)).toMatchObject({
    progress: null,
    syncedRevision: (await world.folders.get(world.folder.id)).revision,
  });
});
