/**
 * What a sync costs: the runs, AWS calls and statements of each piece of work. Whoever saves or
 * adds one changes this table. Statements are counted from claim to settlement, calls without
 * AssumeRole and permission probes. Nobody waits for the sync. Where several objects share
 * statements, how many do depends on what is under way together: those figures are limits, all
 * others exact.
 */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { WorkStore } from '../../../src/db/engine/work.ts';
import { countStatements, type CountedStatements } from '../../support/count-statements.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { openStage, type Stage } from '../../support/stage.ts';
import { createWorld, HOUR, type Ran, REGION, type SyncInput, total } from './world.ts';

const database = useTestDatabase();
let stage: Stage;
let counted: CountedStatements;
beforeAll(() => {
  const opened = openStage(database().url);
  counted = countStatements(opened.handle);
  stage = { ...opened, handle: { ...opened.handle, db: counted.db } };
});
afterAll(() => stage.close());

/** Runs, calls, statements. */
type Cost = readonly [number, number, number];
type Work = 'first' | 'woken' | 'updated' | 'asked' | 'checked' | 'one changed' | 'all changed' | 'removed';
type Costs = Readonly<Record<Work, Cost>>;

const parameters: SyncInput = {};
const secrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const json: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' },
};

const jsonCosts: Costs = {
  first: [1, 1, 14],
  woken: [1, 0, 2],
  updated: [1, 0, 7],
  asked: [1, 1, 7],
  checked: [1, 1, 7],
  'one changed': [1, 3, 12],
  'all changed': [1, 3, 12],
  removed: [1, 3, 10],
};

const exact: readonly (readonly [number, string, SyncInput, Costs])[] = [
  [
    1,
    'parameter',
    parameters,
    {
      first: [1, 1, 13],
      woken: [1, 0, 2],
      updated: [1, 0, 7],
      asked: [1, 1, 8],
      checked: [1, 1, 7],
      'one changed': [1, 2, 11],
      'all changed': [1, 2, 11],
      removed: [1, 2, 9],
    },
  ],
  [
    1,
    'secret',
    secrets,
    {
      first: [1, 1, 13],
      woken: [1, 0, 2],
      updated: [1, 0, 7],
      asked: [1, 1, 7],
      checked: [1, 1, 7],
      'one changed': [1, 2, 11],
      'all changed': [1, 2, 11],
      removed: [1, 2, 9],
    },
  ],
  [1, 'key of a JSON secret', json, jsonCosts],
  [100, 'keys of a JSON secret', json, jsonCosts],
];

test.each(exact)('%i %s costs what the table says', async (size, _name, input, costs) => {
  expect(await measure(input, size)).toEqual(costs);
});

const limited: typeof exact = [
  [
    100,
    'parameters',
    parameters,
    {
      first: [1, 100, 28],
      woken: [1, 0, 2],
      updated: [1, 0, 7],
      asked: [1, 2, 8],
      checked: [1, 2, 7],
      'one changed': [1, 2, 11],
      'all changed': [1, 102, 26],
      removed: [1, 12, 27],
    },
  ],
  [
    100,
    'secrets',
    secrets,
    {
      first: [1, 100, 28],
      woken: [1, 0, 2],
      updated: [1, 0, 7],
      asked: [1, 1, 7],
      checked: [1, 1, 7],
      'one changed': [1, 2, 11],
      'all changed': [1, 200, 26],
      removed: [1, 200, 34],
    },
  ],
];

test.each(limited)('%i %s cost so many calls, and no more statements', async (size, _name, input, costs) => {
  const measured = await measure(input, size);
  for (const work of Object.keys(costs) as Work[]) {
    const [runs, calls, statements] = costs[work];
    expect([work, ...measured[work]]).toEqual([work, runs, calls, expect.any(Number)]);
    expect(measured[work][2], work).toBeLessThanOrEqual(statements);
  }
});

async function measure(input: SyncInput, size: number): Promise<Costs> {
  const meter = createMeter();
  const world = await createWorld(stage, { wrapWork: meter.wrapWork });
  const values = (value: string) =>
    Object.fromEntries(Array.from({ length: size }, (_, index) => [`K${String(index)}`, value]));
  await world.set(values('first'));
  const { id } = await world.createSync(input);
  const costOf = async (prepare: () => Promise<unknown>, request?: 'sync' | 'remove'): Promise<Cost> => {
    await prepare();
    return meter.read(() => world.runUntilDone(id, { isAwaited: () => false, ...(request ? { request } : {}) }));
  };
  /** Reads need not lag any more. */
  const later = async (): Promise<void> => world.clock.advance(HOUR);
  return {
    first: await costOf(async () => undefined),
    woken: await costOf(() =>
      stage.handle.db.execute(sql`
        update keyferry.syncs
        set wanted_revision = wanted_revision + 1, next_due_at = now(), due_reason = 'changed'
        where id = ${id}`),
    ),
    updated: await costOf(async () => {
      const row = await world.row(id);
      await world.syncs.update(row, { syncOptions: row.syncOptions }, 'test');
    }),
    asked: await costOf(later, 'sync'),
    checked: await meter.read(() => world.runScheduled(id)),
    'one changed': await costOf(() => world.set({ K0: 'second' })),
    'all changed': await costOf(async () => {
      await later();
      await world.set(values('third'));
    }),
    removed: await costOf(later, 'remove'),
  };
}

/** Counts while a run is under way: what a test does in between is no cost. */
function createMeter() {
  let runs = 0;
  let spent = 0;
  let before = 0;
  return {
    wrapWork: (work: WorkStore): WorkStore => ({
      ...work,
      claim: async (...input) => {
        runs += 1;
        before = counted.statements();
        return work.claim(...input);
      },
      settle: async (...input) => {
        const isSettled = await work.settle(...input);
        spent += counted.statements() - before;
        return isSettled;
      },
    }),
    async read(use: () => Promise<Ran>): Promise<Cost> {
      runs = 0;
      spent = 0;
      const { calls } = await use();
      return [runs, total(calls), spent];
    },
  };
}
