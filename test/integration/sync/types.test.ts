/** A parameter that somebody made a plain String: reported, never written into, replaced only when that is asked for. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { useTestDatabase } from '../../support/postgres.ts';
import { createWorld, HOUR, MINUTE, openStage, type Stage, type SyncInput, type World } from './world.ts';

const database = useTestDatabase();
let stage: Stage;
beforeAll(() => {
  stage = openStage(database().url);
});
afterAll(() => stage.close());

const NAME = '/app/prod/A';

/** As `put-parameter --type String --overwrite` leaves it: the next version, with all its tags. */
function makePlain(world: World, id: string): void {
  const at = { ...world.at, name: NAME };
  const tags = { 'keyferry:sync': world.tagOf(id) };
  world.sandbox.foreign.deleteParameter(at);
  world.sandbox.foreign.putParameter({ ...at, value: 'theirs', type: 'String', tags });
  world.sandbox.foreign.putParameter({ ...at, value: 'theirs' });
}

async function plainWorld(syncOptions: SyncInput['syncOptions'] = {}) {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync({ syncOptions });
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  makePlain(world, id);
  return { world, id };
}

const found = (world: World) => world.sandbox.inspect.parameter({ ...world.at, name: NAME });
/** Every write of ours named the type. */
function expectOnlySecureWrites(world: World): void {
  const puts = world.sandbox.calls.list().filter((call) => call.operation === 'PutParameter');
  expect(puts.map((call) => call.parameters['Type'])).toEqual(puts.map(() => 'SecureString'));
}

test('a check reports the type, and a change of the value is not written into it', async () => {
  const { world, id } = await plainWorld();

  expect((await world.runOnce(id, { request: 'check' })).outcome).toMatchObject({
    code: 'SYNC_DRIFTED',
    result: { drift: [{ key: 'A', kind: 'type', detail: expect.stringContaining('another type') as string }] },
  });
  await world.set({ A: 'secret' });
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
  expect(found(world)).toMatchObject({ type: 'String', value: 'theirs', version: 2 });
  expectOnlySecureWrites(world);
});

test('a change that finds the type before any check did is not written into it either', async () => {
  const { world, id } = await plainWorld();
  await world.set({ A: 'secret' });

  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
  expect(found(world)).toMatchObject({ type: 'String', value: 'theirs' });
});

test.each([
  ['a person asks for a sync', {}, 'sync'],
  ['a scheduled check may repair', { drift: 'repair' }, undefined],
] as const)('it is deleted and created again when %s', async (_what, syncOptions, request) => {
  const { world, id } = await plainWorld(syncOptions);
  if (request) await world.runOnce(id, { request: 'check' });
  const started = world.clock.now().getTime();

  const first = request ? await world.runOnce(id, { request }) : await world.runScheduled(id);
  expect(first.outcome).toMatchObject({ status: 'continued' });
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded' });
  expect(world.clock.now().getTime() - started).toBeGreaterThanOrEqual(30_000);
  expect(found(world)).toMatchObject({
    type: 'SecureString',
    value: '1',
    version: 1,
    tags: { 'keyferry:sync': world.tagOf(id) },
  });
  expect(await world.row(id)).toMatchObject({ drift: 'none', syncStatus: 'succeeded' });
  expectOnlySecureWrites(world);
});

test('it is not replaced when it is no longer ours', async () => {
  const { world, id } = await plainWorld({ drift: 'repair' });
  world.sandbox.foreign.untagParameter({ ...world.at, name: NAME, tagKeys: ['keyferry:sync'] });

  await world.runScheduled(id);
  await world.runUntilDone(id, { request: 'sync' });

  expect(found(world)).toMatchObject({ type: 'String', value: 'theirs' });
});

test.each([
  ['without our tag', false],
  ['with our tag', true],
] as const)('a plain String that is nobody’s is not taken over: %s', async (_what, isTagged) => {
  const world = await createWorld(stage);
  await world.set({ A: 'secret' });
  const { id } = await world.createSync({ syncOptions: { onExisting: 'adopt' } });
  const tags: Record<string, string> = isTagged ? { 'keyferry:sync': world.tagOf(id) } : {};
  world.sandbox.foreign.putParameter({ ...world.at, name: NAME, value: 'theirs', type: 'String', tags });

  for (const request of ['sync', 'sync'] as const) {
    expect((await world.runUntilDone(id, { request })).outcome).toMatchObject({ code: 'SYNC_CONFLICT' });
    world.clock.advance(MINUTE);
  }
  expect((await world.entry(id, 'A'))?.errorMessage).toContain('exists as String, which keyferry never writes into');
  expect(found(world)).toMatchObject({ type: 'String', value: 'theirs', version: 1 });
});

test('what becomes a plain String between our look and our write gets no value', async () => {
  const meddler = { act: (): void => undefined };
  const world = await createWorld(stage, {
    wrap: (deps) => ({
      ...deps,
      openParameterStore: (session) => {
        const store = deps.openParameterStore(session);
        const overwrite: typeof store.overwrite = (write) => {
          meddler.act();
          return store.overwrite(write);
        };
        return { ...store, overwrite };
      },
    }),
  });
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  meddler.act = () => {
    makePlain(world, id);
  };
  await world.set({ A: 'secret' });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ code: 'SYNC_DRIFTED' });
  expect((await world.entry(id, 'A'))?.drift).toBe('type');
  expect(found(world)).toMatchObject({ type: 'String', value: 'theirs' });
});
