/**
 * `sync cancel`: a run stops before its next write, a queued wish is withdrawn, and nothing begins
 * again by itself.
 */
import { eq, sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { createSyncs } from '../../../src/db/sync/syncs.ts';
import { createWork } from '../../../src/db/engine/work.ts';
import { requests, syncs as syncRows } from '../../../src/db/schema.ts';
import { deferred } from '../../support/deferred.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld } from './world.ts';

const stage = useStage();

type World = Awaited<ReturnType<typeof createWorld>>;

const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(index)}`, 'v']));
const cancel = async (world: World, id: string) => createSyncs(stage.handle.db).cancel(await world.row(id));
const requestsOf = (id: string) => stage.handle.db.select().from(requests).where(eq(requests.subjectId, id));

/**
 * A world whose sync is cancelled while its nth parameter is written, after somebody asked for
 * `asked`.
 */
async function cancelledAtWrite(count: number, asked?: 'check') {
  const state = { id: '', writes: 0, isCancelled: false, runId: null as string | null };
  const cancelled = deferred();
  const world = await createWorld(stage, {
    wrapHandle: (handle) => async (request) => {
      const isWrite = JSON.stringify(request.headers).includes('AmazonSSM.PutParameter');
      // Those that were on their way at the cancellation end after it.
      if (isWrite && state.writes >= count) await cancelled.promise;
      const answer = await handle(request);
      if (!isWrite) return answer;
      state.writes += 1;
      if (state.writes !== count) return answer;
      if (asked !== undefined)
        await world.requests.open({
          orgId: world.orgId,
          kind: asked,
          subjectId: state.id,
          actor: 'ann',
          parameters: {},
        });
      state.runId = (await cancel(world, state.id)).runId;
      state.isCancelled = true;
      cancelled.resolve();
      return answer;
    },
  });
  await world.set(numbered(40));
  return { world, state, isCancelled: () => state.isCancelled };
}

test('a run stops before its next write, keeps what it wrote, and pauses an automatic sync', async () => {
  const { world, state, isCancelled } = await cancelledAtWrite(3);
  const { id } = await world.createSync();
  state.id = id;

  const ran = await world.runOnce(id, { isCancelled });

  expect(state.runId).toBe(ran.runId);
  const written = Object.keys(world.parameters()).length;
  expect(written).toBeGreaterThanOrEqual(3);
  expect(written).toBeLessThan(40);
  expect(ran.outcome).toMatchObject({ status: 'cancelled', code: 'SYNC_CANCELLED', counts: { created: written } });
  expect(await world.run(ran.runId)).toMatchObject({ status: 'cancelled', counts: { created: written } });
  const row = await world.row(id);
  expect(row).toMatchObject({ syncStatus: 'cancelled', nextDueAt: null, progress: null, cancelledRunId: null });
  expect(row.pausedAt).not.toBeNull();

  await createSyncs(stage.handle.db).resume(row);
  const rest = await world.runUntilDone(id);
  expect(rest.outcome).toMatchObject({ status: 'succeeded' });
  expect(Object.keys(world.parameters())).toHaveLength(40);
});

test('the request of the run gets its result, and one that waits behind it is withdrawn', async () => {
  const { world, state, isCancelled } = await cancelledAtWrite(2);
  const { id } = await world.createSync({ isAutoSyncEnabled: false });
  state.id = id;
  const ran = await world.runOnce(id, { request: 'sync', isCancelled });
  expect(await requestsOf(id)).toMatchObject([{ kind: 'sync', status: 'answered', runId: ran.runId }]);

  const { db } = stage.handle;
  await db.execute(sql`insert into keyferry.requests (org_id, kind, subject_id)
    select org_id, 'remove', id from keyferry.syncs where id = ${id}`);
  expect(await cancel(world, id)).toEqual({ runId: null });
  const found = await requestsOf(id);
  expect(found.find(({ kind }) => kind === 'remove')).toMatchObject({ status: 'cancelled', runId: null });
  // A manual sync is not paused: nothing but a request runs it.
  expect(await world.row(id)).toMatchObject({ syncStatus: 'cancelled', pausedAt: null });
  await expect(cancel(world, id)).rejects.toMatchObject({ code: 'SYNC_NOTHING_TO_CANCEL' });
});

test('a change that waits for its run is withdrawn, and so is the rest of a run between two slices', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(80));
  const { id } = await world.createSync();
  const slice = await world.runOnce(id);
  expect(slice.outcome.status).toBe('continued');

  expect(await cancel(world, id)).toEqual({ runId: null });

  expect(await world.run(slice.runId)).toMatchObject({ status: 'cancelled', errorCode: 'SYNC_CANCELLED' });
  expect(await world.isDue(id)).toBe(false);
  expect(await world.row(id)).toMatchObject({ syncStatus: 'cancelled', progress: null, dispatchLeaseUntil: null });
  await world.set({ K0: 'changed' });
  expect(await world.isDue(id)).toBe(false);
  expect(Object.keys(world.parameters())).toHaveLength(50);
});

test('a run whose worker died is not gone on with', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(5));
  const { id } = await world.createSync();
  const work = createWork(stage.handle.db);
  await work.dispatchDue('sync', 500);
  const claim = await work.claim('sync', { subjectId: id, runId: crypto.randomUUID(), jobId: undefined });
  expect(await cancel(world, id)).toEqual({ runId: claim?.runId });
  await stage.handle.db
    .update(syncRows)
    .set({ runLeaseUntil: new Date(world.clock.now().getTime() - 1_000) })
    .where(eq(syncRows.id, id));

  const next = await world.runOnce(id);

  expect(next.outcome).toMatchObject({ status: 'cancelled' });
  expect(world.parameters()).toEqual({});
  expect(await world.row(id)).toMatchObject({ syncStatus: 'cancelled', nextDueAt: null });
});

test('a request after the cancellation is a new wish', async () => {
  const { world, state, isCancelled } = await cancelledAtWrite(2);
  const { id } = await world.createSync();
  state.id = id;
  await world.runOnce(id, { isCancelled });

  const again = await world.runUntilDone(id, { request: 'sync' });

  expect(again.outcome).toMatchObject({ status: 'succeeded' });
  expect(Object.keys(world.parameters())).toHaveLength(40);
});

test('what was asked for during the run is withdrawn with it, and a later look leaves the sync cancelled', async () => {
  const { world, state, isCancelled } = await cancelledAtWrite(2, 'check');
  const { id } = await world.createSync({ isAutoSyncEnabled: false });
  state.id = id;
  const ran = await world.runOnce(id, { request: 'sync', isCancelled });
  expect(ran.outcome).toMatchObject({ status: 'cancelled' });
  expect((await requestsOf(id)).map(({ kind, status }) => `${kind} ${status}`).sort()).toEqual([
    'check cancelled',
    'sync answered',
  ]);
  expect(await world.isDue(id)).toBe(false);

  const looked = await world.runScheduled(id);

  expect(looked.outcome).toMatchObject({ status: 'succeeded' });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'cancelled', statusCode: 'SYNC_CANCELLED' });
});

test('a worker learns of it with the next calls that it stores', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(5));
  const { id } = await world.createSync();
  const work = createWork(stage.handle.db);
  await work.dispatchDue('sync', 500);
  const runId = crypto.randomUUID();
  await work.claim('sync', { subjectId: id, runId, jobId: undefined });
  const progress = { done: 2, total: 5, perSecond: null, secondsLeft: null };
  const calls = [{ runId, awsCalls: { 'ssm.PutParameter': 2 }, progress }];
  expect(await work.storeCalls(calls)).toMatchObject({ passedOver: [], cancelled: [] });
  await cancel(world, id);
  expect(await work.storeCalls(calls)).toMatchObject({ passedOver: [], cancelled: [runId] });
  expect(await world.run(runId)).toMatchObject({ progress });
});
