/**
 * A parameter that somebody made a plain String: reported, never written into, replaced only when
 * that is asked for.
 */
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, MINUTE, type SyncInput, type World } from './world.ts';

const stage = useStage();

const NAME = '/app/prod/A';

/** Whether AWS lets an overwrite change the type is documented both ways. */
const behaviours = ['refused', 'allowed'] as const;
type Behaviour = (typeof behaviours)[number];

/** `put-parameter --type String --overwrite`: the next version, with all its tags. */
function makePlain(world: World, parameterTypeChange: Behaviour): void {
  world.sandbox.setBehaviour({ parameterTypeChange: 'allowed' });
  world.sandbox.foreign.putParameter({ ...world.at, name: NAME, value: 'theirs', type: 'String' });
  world.sandbox.setBehaviour({ parameterTypeChange });
}

async function plainWorld(behaviour: Behaviour, syncOptions: SyncInput['syncOptions'] = {}) {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync({ syncOptions });
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  makePlain(world, behaviour);
  return { world, id };
}

const found = (world: World) => world.sandbox.inspect.parameter({ ...world.at, name: NAME });
/** Every write of ours named the type. */
function expectOnlySecureWrites(world: World): void {
  const puts = world.sandbox.calls.list().filter((call) => call.operation === 'PutParameter');
  expect(puts.map((call) => call.parameters['Type'])).toEqual(puts.map(() => 'SecureString'));
}

test.each(behaviours)('a check reports the type, and a change is not written into it (%s)', async (behaviour) => {
  const { world, id } = await plainWorld(behaviour);

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

test.each(behaviours)('a change that finds the type first is not written into it either (%s)', async (behaviour) => {
  const { world, id } = await plainWorld(behaviour);
  await world.set({ A: 'secret' });

  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
  expect(found(world)).toMatchObject({ type: 'String', value: 'theirs' });
});

const repairs = behaviours.flatMap((behaviour) => [
  { title: `a person asks for a sync (${behaviour})`, behaviour, syncOptions: {}, request: 'sync' as const },
  {
    title: `a scheduled check may repair (${behaviour})`,
    behaviour,
    syncOptions: { drift: 'repair' as const },
    request: undefined,
  },
]);

test.each(repairs.map((one) => [one.title, one] as const))(
  'it is deleted and created again when %s',
  async (_what, one) => {
    const { behaviour, syncOptions, request } = one;
    const { world, id } = await plainWorld(behaviour, syncOptions);
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
  },
);

test.each(behaviours)('it is not replaced when it is no longer ours (%s)', async (behaviour) => {
  const { world, id } = await plainWorld(behaviour, { drift: 'repair' });
  world.sandbox.foreign.untagParameter({ ...world.at, name: NAME, tagKeys: ['keyferry:sync'] });

  await world.runScheduled(id);
  await world.runUntilDone(id, { request: 'sync' });

  expect(found(world)).toMatchObject({ type: 'String', value: 'theirs' });
});

test.each([
  ['without our tag', false, 'refused'],
  ['with our tag', true, 'refused'],
  ['without our tag', false, 'allowed'],
  ['with our tag', true, 'allowed'],
] as const)('a plain String that is nobody’s is not taken over: %s', async (_what, isTagged, parameterTypeChange) => {
  const world = await createWorld(stage, { sandbox: { behaviour: { parameterTypeChange } } });
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

test.each(behaviours)('a plain String since our look gets no value (%s)', async (behaviour) => {
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
    makePlain(world, behaviour);
  };
  await world.set({ A: 'secret' });

  const { outcome } = await world.runUntilDone(id);

  const wanted = { type: 'SecureString', value: 'secret' };
  expect(found(world)).toMatchObject(behaviour === 'allowed' ? wanted : { type: 'String', value: 'theirs' });
  expect(outcome).toMatchObject(behaviour === 'allowed' ? { status: 'succeeded' } : { code: 'SYNC_DRIFTED' });
  expect((await world.entry(id, 'A'))?.drift).toBe(behaviour === 'allowed' ? null : 'type');
});
