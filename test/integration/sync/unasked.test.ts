/**
 * What nobody asked for is not done: a manual or paused sync writes at AWS only for a request to
 * sync.
 */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, type SyncInput, type World } from './world.ts';

const stage = useStage();

const REGION = 'eu-west-1';
const mutation = /\.(Put|Delete|Create|Update|Tag|Untag|AddTags|RemoveTags|Restore|Replicate)/;

/** Runs the sync as long as it is due. Returns how many calls changed something at AWS. */
async function countWrites(world: World, syncId: string): Promise<number> {
  let writes = 0;
  for (let runs = 0; runs < 10; runs += 1) {
    if (!(await world.isDue(syncId))) return writes;
    const { calls } = await world.runOnce(syncId);
    writes += Object.entries(calls).reduce((sum, [name, count]) => sum + (mutation.test(name) ? count : 0), 0);
  }
  throw new Error('The sync stays due.');
}

async function request(world: World, syncId: string, kind: 'plan' | 'check' | 'import' | 'sync') {
  await world.requests.open({ orgId: world.orgId, kind, subjectId: syncId, actor: 'ann', parameters: {} });
}

test('a new manual sync writes nothing until a sync is requested', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync({ isAutoSyncEnabled: false });
  const events: readonly [string, () => Promise<unknown>][] = [
    ['creation', () => Promise.resolve()],
    ['plan', () => request(world, id, 'plan')],
    ['check', () => request(world, id, 'check')],
    ['import', () => request(world, id, 'import')],
    ['folder change', () => world.set({ A: '3' })],
    [
      'update',
      async () =>
        world.syncs.update(await world.row(id), { destinationConfig: { region: REGION, path: '/moved/' } }, 'ann'),
    ],
    ['plan after the update', () => request(world, id, 'plan')],
    ['pause', async () => world.syncs.pause(await world.row(id))],
    ['resume', async () => world.syncs.resume(await world.row(id))],
    ['check after all', () => request(world, id, 'check')],
  ];
  for (const [event, happen] of events) {
    await happen();
    expect([event, await countWrites(world, id)]).toEqual([event, 0]);
    expect([event, world.parameters('/')]).toEqual([event, {}]);
  }
  await request(world, id, 'sync');
  expect(await countWrites(world, id)).toBe(2);
  expect(world.parameters('/')).toEqual({ '/moved/A': '3', '/moved/B': '2' });
});

test('the hourly check of a manual sync only reports, also with repair', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ isAutoSyncEnabled: false, syncOptions: { drift: 'repair' } });
  await world.runUntilDone(id, { request: 'sync' });
  await world.set({ A: '2', B: '3' });
  world.clock.advance(HOUR);
  const { calls, outcome } = await world.runScheduled(id);
  expect(outcome.status).toBe('succeeded');
  expect(Object.keys(calls).filter((name) => mutation.test(name))).toEqual([]);
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1' });
});

test('an automatic sync that is created paused is previewed before its first write, which resuming makes', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ isPaused: true });
  expect(await countWrites(world, id)).toBe(0);
  await request(world, id, 'plan');
  expect(await countWrites(world, id)).toBe(0);
  await world.syncs.resume(await world.row(id));
  expect(await countWrites(world, id)).toBe(1);
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1' });
});

test('a check of an automatic sync repairs nothing; its schedule does', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ syncOptions: { drift: 'repair' } });
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'theirs' });
  await request(world, id, 'check');
  expect(await countWrites(world, id)).toBe(0);
  expect((await world.row(id)).drift).toBe('drifted');
  await world.runScheduled(id);
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1' });
});

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: '/app/prod/' },
};
const toDocument: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: '/app/prod' },
};

test.each<[string, SyncInput, (world: World) => unknown]>([
  ['parameter', {}, ({ sandbox, at }) => sandbox.foreign.putParameter({ ...at, name: '/app/prod/A', value: 'x' })],
  ['secret', toSecrets, ({ sandbox, at }) => sandbox.foreign.putSecret({ ...at, name: '/app/prod/A', value: 'x' })],
  [
    'key of a JSON secret',
    toDocument,
    ({ sandbox, at }) => sandbox.foreign.putSecret({ ...at, name: '/app/prod', value: '{"A":"x"}' }),
  ],
])('only a %s that was written before counts as written again', async (_what, input, meddle) => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(input);
  const rewrites = [(await world.runUntilDone(id)).rewrites];
  await world.set({ A: '2' });
  rewrites.push((await world.runUntilDone(id)).rewrites);
  world.clock.advance(HOUR);
  meddle(world);
  rewrites.push((await world.runScheduled(id)).rewrites);
  expect((await world.row(id)).drift).toBe('drifted');
  rewrites.push((await world.runOnce(id, { request: 'sync' })).rewrites);
  expect(rewrites).toEqual([0, 0, 0, 1]);
  expect((await world.row(id)).drift).toBe('none');
});

test('making a manual sync automatic is a wish for what it lacks', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ isAutoSyncEnabled: false });
  await world.syncs.update(await world.row(id), { isAutoSyncEnabled: true }, 'ann');
  expect(await countWrites(world, id)).toBe(1);
  const [row] = await stage.handle.db.execute(
    sql`select wanted_revision = done_revision as is_done from keyferry.syncs where id = ${id}`,
  );
  expect(row?.['is_done']).toBe(true);
});
