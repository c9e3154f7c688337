import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { SyncChanges } from '../../../src/db/sync/syncs.ts';
import { TOO_DEEP, toPath, toSchema } from '../../integration/sync/targets.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, type World } from '../../integration/sync/world.ts';

/**
 * However a key moves, and whatever keeps its new object from being written: its last object at AWS
 * is never deleted.
 */
const stage = useStage();

const toPrefix = (prefix: string): SyncChanges => ({
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix },
});
const toDocument = (secretName: string): SyncChanges => ({
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName },
});
const secretsManager = (changes: SyncChanges): SyncInput => ({ destination: 'aws-secrets-manager', ...changes });

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
