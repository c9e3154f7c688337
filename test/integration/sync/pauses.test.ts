/**
 * A long sync that is paused on its way says that it waits, not that it runs; and what is being
 * written says so.
 */
import { expect, test } from 'vitest';

import { createStatusQueries } from '../../../src/db/status/queries.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, total } from './world.ts';

const stage = useStage();

const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(index)}`, 'v']));

/** A world that does something once, during the nth write. */
async function duringWrite(nth: number, happens: () => Promise<unknown>) {
  let writes = 0;
  return createWorld(stage, {
    wrapHandle: (handle) => async (request) => {
      if (JSON.stringify(request.headers).includes('AmazonSSM.PutParameter') && (writes += 1) === nth) await happens();
      return handle(request);
    },
  });
}

test('paused between two slices, it is pending, and continues where it stood when it is resumed', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(80));
  const { id } = await world.createSync();
  expect((await world.runOnce(id)).outcome.status).toBe('continued');
  expect(await world.row(id)).toMatchObject({ syncStatus: 'running' });

  await world.syncs.pause(await world.row(id));

  expect(await world.row(id)).toMatchObject({ syncStatus: 'pending', nextDueAt: null });
  expect(await world.isDue(id)).toBe(false);
  await world.syncs.resume(await world.row(id));
  const rest = await world.runUntilDone(id);
  expect(rest.outcome).toMatchObject({ status: 'succeeded', counts: { created: 80 } });
  expect(total(rest.calls)).toBe(30);
});

test('paused during a slice, it is running until the slice is over, then pending', async () => {
  const state = { id: '', statusMeanwhile: '' };
  const world = await duringWrite(5, async () => {
    state.statusMeanwhile = (await world.syncs.pause(await world.row(state.id))).syncStatus;
  });
  await world.set(numbered(80));
  state.id = (await world.createSync()).id;

  expect((await world.runOnce(state.id)).outcome.status).toBe('continued');

  expect(state.statusMeanwhile).toBe('running');
  expect(await world.row(state.id)).toMatchObject({ syncStatus: 'pending', nextDueAt: null });
});

test('paused while a request of it is open, it goes on and is running', async () => {
  const world = await createWorld(stage);
  await world.set(numbered(80));
  const { id } = await world.createSync();
  await world.runOnce(id, { request: 'sync' });
  expect(await world.syncs.pause(await world.row(id))).toMatchObject({ syncStatus: 'running' });
  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 80 } });
});

test('an entry is `writing` while its write is under way, and `failed` when the run is gone without an answer', async () => {
  const state = { id: '', seen: [] as string[] };
  const entries = async () => (await createStatusQueries(stage.handle.db).entries(state.id, 100)).rows;
  const world = await duringWrite(1, async () => {
    state.seen = (await entries()).map(({ status, errorMessage }) => `${status} ${String(errorMessage)}`);
    throw new Error('The process ends here.');
  });
  await world.set({ A: 'x' });
  state.id = (await world.createSync()).id;
  await world.runOnce(state.id).catch(() => undefined);
  expect(state.seen).toEqual(['writing null']);
  const [left] = await entries();
  expect(left).toMatchObject({ status: 'failed' });
});
