import fc from 'fast-check';
import { expect, test } from 'vitest';

import { isOwned } from '../../../src/domain/sync/ledger.ts';
import { JobError } from '../../../src/errors.ts';
import type { SyncDependencies } from '../../../src/workers/sync/processor.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, MINUTE, REGION, type SyncInput, type World } from '../../integration/sync/world.ts';

/**
 * Random histories of edits, crashes and foreign changes. Whatever happened: in the end, what is
 * ours is what the source says, and what others made is as they made it.
 */
const stage = useStage();

/** More by hand: KEYFERRY_TEST_HISTORIES=500. */
const HISTORIES = Number(process.env['KEYFERRY_TEST_HISTORIES'] ?? 15);
const KEYS = ['A', 'B', 'C', 'D'];
const key = fc.constantFrom(...KEYS);
const value = fc.constantFrom('one', 'two', 'three');
const typeChange = fc.constantFrom('refused' as const, 'allowed' as const);

type Step =
  | { readonly do: 'set'; readonly key: string; readonly value: string }
  | { readonly do: 'unset'; readonly key: string }
  | { readonly do: 'foreign-put'; readonly key: string; readonly value: string; readonly isPlain: boolean }
  | { readonly do: 'foreign-delete'; readonly key: string }
  | { readonly do: 'run'; readonly how: 'wish' | 'scheduled' }
  | { readonly do: 'crash'; readonly at: number; readonly isAfter: boolean }
  | { readonly do: 'drop'; readonly action: 'drop-before' | 'drop-after'; readonly nth: number }
  | { readonly do: 'wait'; readonly minutes: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('set' as const), key, value }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unset' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('foreign-put' as const),
      key,
      value: fc.constantFrom('theirs-1', 'theirs-2'),
      isPlain: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('foreign-delete' as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      how: fc.constantFrom('wish' as const, 'scheduled' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      at: fc.integer({ min: 1, max: 6 }),
      isAfter: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('drop' as const),
      action: fc.constantFrom('drop-before' as const, 'drop-after' as const),
      nth: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.constantFrom(1, 15, 70) }) },
);

/** Lets the worker die before or after the n-th statement on the ledger from now. */
function createDeath() {
  let left = 0;
  let isAfter = false;
  const guard = async <T>(statement: () => Promise<T>): Promise<T> => {
    const isLast = left === 1;
    left = Math.max(0, left - 1);
    if (isLast && !isAfter) throw new JobError('LEASE_LOST');
    const result = await statement();
    if (isLast) throw new JobError('LEASE_LOST');
    return result;
  };
  return {
    arm: (at: number, after: boolean) => {
      [left, isAfter] = [at, after];
    },
    wrap: (deps: SyncDependencies): SyncDependencies => ({
      ...deps,
      entries: {
        ...deps.entries,
        claim: (run, entries) => guard(() => deps.entries.claim(run, entries)),
        store: (run, entries) => guard(() => deps.entries.store(run, entries)),
      },
    }),
  };
}

/** The destination as somebody else sees and changes it. */
interface Others {
  /** `isPlain`: as another type of parameter, where AWS lets it. */
  put(world: World, edit: { readonly key: string; readonly value: string; readonly isPlain: boolean }): void;
  delete(world: World, name: string): void;
  /** Every object as it is. */
  look(world: World): Readonly<Record<string, string>>;
  isOurs(world: World, name: string, syncId: string): boolean | Promise<boolean>;
  /** Somebody else made what all names lie in: none of ours can be there. */
  isAllForeign(world: World, syncId: string): boolean;
}

const parameterNames = (name: string) => `/app/prod/${name}`;
const parameters: Others = {
  put: (world, { key: name, value: text, isPlain }) => {
    const edit = { ...world.at, name: parameterNames(name), value: text };
    const { type } = world.sandbox.inspect.parameter(edit) ?? { type: 'String' };
    const mayChange = type === 'String' || world.typeChange === 'allowed';
    world.sandbox.foreign.putParameter({ ...edit, ...(isPlain && mayChange ? { type: 'String' } : {}) });
  },
  delete: (world, name) => {
    if (world.sandbox.inspect.parameter({ ...world.at, name: parameterNames(name) }))
      world.sandbox.foreign.deleteParameter({ ...world.at, name: parameterNames(name) });
  },
  look: (world) =>
    Object.fromEntries(
      Object.entries(world.parameters()).map(([name, text]) => [name.slice('/app/prod/'.length), text]),
    ),
  isOurs: (world, name, syncId) =>
    world.sandbox.inspect.parameter({ ...world.at, name: parameterNames(name) })?.tags['keyferry:sync'] ===
    world.tagOf(syncId),
  isAllForeign: () => false,
};

const secrets: Others = {
  put: (world, { key: name, value: text }) => {
    const found = world.sandbox.inspect.secret({ ...world.at, name: `prod/${name}` });
    if (!found?.deletedAt) world.sandbox.foreign.putSecret({ ...world.at, name: `prod/${name}`, value: text });
  },
  delete: (world, name) => {
    if (world.sandbox.inspect.secret({ ...world.at, name: `prod/${name}` }))
      world.sandbox.foreign.deleteSecret({ ...world.at, name: `prod/${name}`, force: true });
  },
  look: (world) =>
    Object.fromEntries(
      Object.entries(world.secrets('prod/')).map(([name, text]) => [name.slice('prod/'.length), text ?? '']),
    ),
  isOurs: (world, name, syncId) =>
    world.sandbox.inspect.secret({ ...world.at, name: `prod/${name}` })?.tags['keyferry:sync'] === world.tagOf(syncId),
  isAllForeign: () => false,
};

const JSON_SECRET = 'prod-all';
const findDocument = (world: World) => {
  const found = world.sandbox.inspect.secret({ ...world.at, name: JSON_SECRET });
  return found?.deletedAt ? undefined : found;
};
const keysOf = (world: World) => JSON.parse(findDocument(world)?.value ?? '{}') as Record<string, string>;
/** A name that waits for its deletion takes no value. */
const putDocument = (world: World, keys: Readonly<Record<string, string>>) => {
  if (findDocument(world) || !world.sandbox.inspect.secret({ ...world.at, name: JSON_SECRET }))
    world.sandbox.foreign.putSecret({ ...world.at, name: JSON_SECRET, value: JSON.stringify(keys) });
};

/** Keys carry no tag: what the ledger has is ours, whoever wrote it last. */
const document: Others = {
  put: (world, { key: name, value: text }) => {
    putDocument(world, { ...keysOf(world), [name]: text });
  },
  delete: (world, name) => {
    const { [name]: gone, ...rest } = keysOf(world);
    if (gone === undefined) return;
    if (Object.keys(rest).length > 0) putDocument(world, rest);
    else world.sandbox.foreign.deleteSecret({ ...world.at, name: JSON_SECRET, force: true });
  },
  look: keysOf,
  isOurs: async (world, name, syncId) => {
    const entry = await world.entry(syncId, name);
    return entry !== undefined && isOwned(entry);
  },
  isAllForeign: (world, syncId) => {
    const found = findDocument(world);
    return found !== undefined && found.tags['keyferry:sync'] !== world.tagOf(syncId);
  },
};

const manyToOne: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: JSON_SECRET },
};

const oneToOne: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};

/** Names that somebody else made, as they made them. */
type Foreign = Map<string, string>;

interface History {
  readonly world: World;
  readonly id: string;
  readonly others: Others;
  readonly death: ReturnType<typeof createDeath>;
  readonly source: Map<string, string>;
  readonly foreign: Foreign;
}

async function take(history: History, one: Step): Promise<void> {
  const { world, others, death, source, foreign } = history;
  // A person needs a moment. What is deleted and made anew within 12 seconds of our own write
  // cannot be told from ours: AWS dates to the second.
  world.clock.advance(15_000);
  switch (one.do) {
    case 'set':
      source.set(one.key, one.value);
      await world.set({ [one.key]: one.value });
      return;
    case 'unset':
      source.delete(one.key);
      await world.set({ [one.key]: null });
      return;
    case 'foreign-put': {
      // Over an object of ours it is an edit; where nothing is, or something of theirs, it is
      // theirs.
      if (foreign.has(one.key) || !(await isOurEdit(history, one.key))) foreign.set(one.key, one.value);
      others.put(world, one);
      if (others.look(world)[one.key] === undefined) foreign.delete(one.key);
      return;
    }
    case 'foreign-delete':
      foreign.delete(one.key);
      others.delete(world, one.key);
      return;
    case 'run':
      await settle(one.how === 'wish' ? runNow(history) : runByItself(history));
      return;
    case 'crash':
      death.arm(one.at, one.isAfter);
      await settle(runNow(history));
      death.arm(0, false);
      return;
    case 'drop':
      world.sandbox.faults.add({
        match: (call) => /^(Put|Create|Update|Delete|Restore|AddTags|Tag)/.test(call.operation),
        nth: one.nth,
        action: one.action,
      });
      await settle(runNow(history));
      world.sandbox.faults.clear();
      return;
    case 'wait':
      world.clock.advance(one.minutes * MINUTE);
      return;
  }
}

/** An edit of an object of ours; of what a write left there whose answer was lost, too. */
async function isOurEdit({ world, id, others }: History, name: string): Promise<boolean> {
  if (others !== document) return others.isOurs(world, name, id);
  // A JSON secret that they made is theirs with all its keys.
  if (!findDocument(world) || document.isAllForeign(world, id)) return false;
  return keysOf(world)[name] !== undefined || (await document.isOurs(world, name, id));
}

/** What is due runs; else somebody asks for it. */
async function runNow({ world, id }: History): Promise<unknown> {
  return world.runOnce(id, (await world.isDue(id)) ? {} : { request: 'sync' });
}

/** By its schedule; what waits for a person has none. */
async function runByItself({ world, id }: History): Promise<unknown> {
  return (await world.row(id)).nextDueAt === null ? undefined : world.runScheduled(id);
}

/** A worker that died has said nothing. */
async function settle(run: Promise<unknown>): Promise<void> {
  await run.catch((error: unknown) => {
    if (!(error instanceof JobError) || error.code !== 'LEASE_LOST') throw error;
  });
}

/** A person looks at the plan, confirms its deletions, and asks for the sync. */
async function finish(history: History): Promise<void> {
  const { world, id } = history;
  for (let round = 0; round < 3; round += 1) {
    world.clock.advance(2 * HOUR);
    if (await world.isDue(id)) await world.runUntilDone(id);
    const { outcome } = await world.runUntilDone(id, { request: 'plan' });
    const { blockedBy } = (outcome as { result: { blockedBy?: { deletions: number } } }).result;
    await world.runUntilDone(id, {
      request: 'sync',
      parameters: blockedBy ? { confirmDeletions: blockedBy.deletions } : {},
    });
    await runByItself(history);
  }
}

test.each([
  ['parameters', {}, parameters],
  ['secrets', oneToOne, secrets],
  ['keys of a JSON secret', manyToOne, document],
] as const)(
  'any history of edits, crashes and foreign changes of %s ends with destination = source',
  async (_what, input, others) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), typeChange, async (steps, change) => {
        const death = createDeath();
        const behaviour = { parameterTypeChange: change };
        const world = await createWorld(stage, { wrap: death.wrap, sandbox: { behaviour } });
        await world.set({ A: 'one', B: 'two' });
        const { id } = await world.createSync(input);
        const history: History = {
          world,
          id,
          others,
          death,
          source: new Map([
            ['A', 'one'],
            ['B', 'two'],
          ]),
          foreign: new Map(),
        };
        await world.runUntilDone(id);
        for (const one of steps) await take(history, one);
        await finish(history);

        const ours = others.isAllForeign(world, id) ? {} : Object.fromEntries(history.source);
        const expected = { ...ours, ...Object.fromEntries(history.foreign) };
        expect(others.look(world)).toEqual(expected);
        for (const name of Object.keys(expected))
          expect([name, await others.isOurs(world, name, id)]).toEqual([name, !history.foreign.has(name)]);
      }),
      { numRuns: HISTORIES },
    );
  },
  60_000 + HISTORIES * 10_000,
);
