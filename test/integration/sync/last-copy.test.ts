import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createSyncsClient } from '../../../src/client/syncs.ts';
import type { ClientContext } from '../../../src/client/context.ts';
import type { SyncChanges } from '../../../src/db/sync/syncs.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { createWorld, HOUR, openStage, REGION, type Stage, type SyncInput, type World } from './world.ts';

/**
 * However a key moves, and whatever keeps its new object from being written: its last object at AWS
 * is never deleted.
 */
const database = useTestDatabase();
let stage: Stage;
beforeAll(() => {
  stage = openStage(database().url);
});
afterAll(() => stage.close());

const toPath = (path: string): SyncChanges => ({ destinationConfig: { region: REGION, path } });
const toPrefix = (prefix: string): SyncChanges => ({
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix },
});
const toDocument = (secretName: string): SyncChanges => ({
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName },
});
const toSchema = (keySchema?: string): SyncChanges => ({
  syncOptions: syncOptions.parse(keySchema === undefined ? {} : { keySchema }),
});
const TOO_DEEP = 'a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{{secretKey}}';
const secretsManager = (changes: SyncChanges): SyncInput => ({ destination: 'aws-secrets-manager', ...changes });

async function move(world: World, id: string, changes: SyncChanges) {
  await world.syncs.update(await world.row(id), changes, 'ann');
  return world.runUntilDone(id);
}

test.each([
  ['a path that AWS reserves', toPath('/aws/s/'), 'SYNC_ENTRY_INVALID'],
  ['a key schema with too many levels', toSchema(TOO_DEEP), 'SYNC_ENTRY_INVALID'],
])('a move to %s deletes nothing', async (_what, changes, code) => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  const { outcome } = await move(world, id, changes);

  expect(outcome).toMatchObject({ status: 'partial', code, counts: { deleted: 0, failed: 2 } });
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1', '/app/prod/B': '2' });
  const plan = await world.runOnce(id, { request: 'plan' });
  expect(plan.outcome).toMatchObject({ result: { changes: [{ action: 'invalid' }, { action: 'invalid' }] } });
});

test('a value that was emptied keeps its old object through a move, and leaves it once it is written', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: '' });

  await move(world, id, toPath('/moved/'));
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1', '/moved/B': '2' });

  await world.set({ A: '3' });
  await world.runUntilDone(id);
  expect(world.parameters('/')).toEqual({ '/moved/A': '3', '/moved/B': '2' });
});

test('of two old objects of one key neither counts as the replacement of the other', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.sandbox.faults.add({
    operation: 'DeleteParameters',
    action: { error: { code: 'AccessDeniedException', status: 400, message: 'no' } },
  });
  await move(world, id, toSchema('X_{{secretKey}}'));
  world.sandbox.faults.clear();
  expect(world.parameters()).toEqual({ '/app/prod/A': '1', '/app/prod/X_A': '1' });

  await move(world, id, toSchema(TOO_DEEP));
  expect(Object.values(world.parameters())).not.toEqual([]);
});

test('a key that moved back keeps its other object while the old one holds an old value', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const denied = (operation: string) =>
    world.sandbox.faults.add({
      operation,
      match: { parametersInclude: '/app/prod/A' },
      action: { error: { code: 'AccessDeniedException', status: 400, message: 'no' } },
    });
  denied('DeleteParameters');
  await world.set({ A: '2' });
  await move(world, id, toPath('/moved/'));
  world.sandbox.faults.clear();
  denied('PutParameter');

  await move(world, id, toPath('/app/prod/'));
  expect(world.parameters('/')).toEqual({ '/app/prod/A': '1', '/moved/A': '2' });
});

test('names that can never work are refused when a sync is made and when it is changed', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const context = { orgId: world.orgId, actor: 'ann', refer: (text: string) => ({ idOrName: text }) };
  const stores = { syncs: world.syncs, connections: world.connections, folders: world.folders };
  const client = createSyncsClient(context as unknown as ClientContext, stores);
  const source = { projectId: 'app', environment: 'prod', secretPath: '/api' };
  const input = { name: 's', connection: 'aws', source, destination: 'aws-parameter-store' as const };
  const refusal = (message: string) => ({ code: 'PAYLOAD_INVALID', publicMessage: expect.stringContaining(message) });

  const reserved = { region: REGION, path: '/aws/s/' };
  await expect(client.create({ ...input, destinationConfig: reserved })).rejects.toMatchObject(
    refusal('destinationConfig.path allows no valid name: Parameter names must not begin with aws'),
  );
  await client.create({ ...input, destinationConfig: { region: REGION, path: '/s/' } });
  await expect(client.update('s', { destinationConfig: reserved })).rejects.toMatchObject(
    refusal('destinationConfig.path'),
  );
  await expect(client.update('s', { syncOptions: { keySchema: TOO_DEEP } })).rejects.toMatchObject(
    refusal('syncOptions.keySchema allows no valid name: The parameter name has 18 levels'),
  );
  const secrets = { ...input, name: 't', destination: 'aws-secrets-manager' as const };
  const long = { region: REGION, mappingBehavior: 'one-to-one' as const, prefix: 'p'.repeat(400) };
  await expect(
    client.create({
      ...secrets,
      destinationConfig: long,
      syncOptions: { keySchema: `${'x'.repeat(200)}{{secretKey}}` },
    }),
  ).rejects.toMatchObject(refusal('syncOptions.keySchema'));
  expect((await client.get('s')).destinationConfig).toEqual({ region: REGION, path: '/s/' });
});

const KEYS = ['A', 'B', 'C'];
const key = fc.constantFrom(...KEYS);
/** Finds names of keys under any target. */
const OURS = /(?:^|[/_])([ABC])$/;

type Step =
  | { readonly do: 'set'; readonly key: string; readonly value: string | null }
  | { readonly do: 'move'; readonly to: number; readonly schema: number }
  | { readonly do: 'theirs'; readonly to: number; readonly key: string }
  | { readonly do: 'fail'; readonly operation: number; readonly action: number; readonly nth: number }
  | { readonly do: 'wait'; readonly hours: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('set' as const), key, value: fc.constantFrom('1', '2', '', null) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('move' as const), to: fc.nat(2), schema: fc.nat(2) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('theirs' as const), to: fc.nat(2), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      operation: fc.nat(3),
      action: fc.nat(3),
      nth: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.constantFrom(1, 200) }) },
);

const schemas = [toSchema(), toSchema('X_{{secretKey}}'), toSchema(TOO_DEEP)];
const operations = [/^(Put|Create)/, /^Update/, /^Delete/, /^(Describe|Get|List)/];
const actions = [
  'drop-before',
  'drop-after',
  'throttle',
  { error: { code: 'AccessDeniedException', status: 400, message: 'no' } },
] as const;

interface Places {
  readonly targets: readonly [SyncChanges, SyncChanges, SyncChanges];
  /** Somebody else makes an object where a target puts this key. */
  readonly occupy: (world: World, target: SyncChanges, key: string) => void;
  /** Keys with an object, or a place in a JSON secret, that is not theirs. */
  readonly look: (world: World) => ReadonlySet<string>;
}

const THEIRS = 'theirs';

const parameters: Places = {
  targets: [toPath('/app/prod/'), toPath('/moved/'), toPath('/aws/never/')],
  occupy: (world, target, name) => {
    const config = target.destinationConfig as { path: string };
    const remoteName = `${config.path}${name}`;
    if (config.path.startsWith('/aws') || world.sandbox.inspect.parameter({ ...world.at, name: remoteName })) return;
    world.sandbox.foreign.putParameter({ ...world.at, name: remoteName, value: THEIRS });
  },
  look: (world) => new Set(Object.entries(world.parameters('/')).flatMap(([name, value]) => keyOf(name, value))),
};

const secrets: Places = {
  targets: [toPrefix('prod/'), toDocument('all'), toDocument('other')],
  occupy: (world, target, name) => {
    const config = target.destinationConfig as { prefix?: string; secretName?: string };
    const remoteName = config.secretName ?? `${config.prefix ?? ''}${name}`;
    if (world.sandbox.inspect.secret({ ...world.at, name: remoteName })) return;
    world.sandbox.foreign.putSecret({ ...world.at, name: remoteName, value: THEIRS });
  },
  look: (world) =>
    new Set(
      Object.entries(world.secrets()).flatMap(([name, value]) =>
        value?.startsWith('{')
          ? Object.entries(JSON.parse(value) as Record<string, string>).flatMap(([one, text]) => keyOf(one, text))
          : keyOf(name, value),
      ),
    ),
};

function keyOf(name: string, value: string | undefined): readonly string[] {
  const found = OURS.exec(name)?.[1];
  return found === undefined || value === THEIRS ? [] : [found];
}

/** Values that a key may keep at AWS: its last one that is not empty. */
interface History {
  readonly world: World;
  readonly id: string;
  readonly places: Places;
  readonly held: Set<string>;
  readonly copied: Set<string>;
}

async function take(history: History, one: Step): Promise<void> {
  const { world, id, places, held, copied } = history;
  switch (one.do) {
    case 'set':
      await world.set({ [one.key]: one.value });
      if (one.value === null) {
        held.delete(one.key);
        copied.delete(one.key);
      } else {
        held.add(one.key);
      }
      return;
    case 'move':
      await world.syncs.update(
        await world.row(id),
        { ...(places.targets[one.to] ?? {}), ...(schemas[one.schema] ?? {}) },
        'ann',
      );
      return;
    case 'theirs':
      places.occupy(world, places.targets[one.to] ?? {}, one.key);
      return;
    case 'fail':
      world.sandbox.faults.add({
        match: ({ service, operation }) => service !== 'sts' && (operations[one.operation] ?? /^/).test(operation),
        nth: one.nth,
        action: actions[one.action] ?? 'drop-before',
      });
      return;
    case 'wait':
      world.clock.advance(one.hours * HOUR);
      return;
  }
}

/** Runs as the engine does, until nothing is left to be done, and looks after each run. */
async function run(history: History): Promise<void> {
  const { world, id } = history;
  for (let times = 0; times < 12 && (await world.isDue(id)); times += 1) {
    const { outcome } = await world.runOnce(id);
    const found = history.places.look(world);
    for (const one of found) if (history.held.has(one)) history.copied.add(one);
    expect([...history.copied].filter((one) => !found.has(one))).toEqual([]);
    if (outcome.status !== 'continued' && outcome.status !== 'retry') return;
    await world.untilDue(id);
  }
}

/** More by hand: KEYFERRY_TEST_HISTORIES=500. */
const HISTORIES = Number(process.env['KEYFERRY_TEST_HISTORIES'] ?? 20);

test.each([
  ['parameters', {}, parameters],
  ['secrets', secretsManager(toPrefix('prod/')), secrets],
  ['keys of JSON secrets', secretsManager(toDocument('all')), secrets],
] as const)(
  'no history of edits, failures and moves of %s deletes the last copy of a key that the folder still holds',
  async (_what, input, places) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
        const world = await createWorld(stage);
        await world.set({ A: '1', B: '2' });
        const { id } = await world.createSync(input);
        const history: History = { world, id, places, held: new Set(['A', 'B']), copied: new Set() };
        await run(history);
        for (const one of steps) {
          await take(history, one);
          if (one.do !== 'fail') await run(history);
          if (one.do !== 'fail') world.sandbox.faults.clear();
        }
      }),
      { numRuns: HISTORIES },
    );
  },
  60_000 + HISTORIES * 10_000,
);
