/**
 * `npm run test:pairs`: every writer of a subject × every statement of the engine that may wait for
 * the subject's row, in both orders. The first is held open in a transaction until the second waits
 * for it. Whichever comes first, nothing is forgotten afterwards.
 */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';

import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { kinds, type Kind } from '../../src/domain/run.ts';
import { JobError } from '../../src/errors.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { findForgotten, putAway } from './invariants.ts';
import {
  beginRun,
  createScene,
  endRun,
  type Lane,
  makeDispatched,
  openLane,
  type Scene,
  type Stores,
} from './scene.ts';
import { type Statement, statements } from './statements.ts';
import { excusedModules, otherMethods, triedModules, type Writer, writers } from './writers.ts';

interface Pair {
  readonly kind: Kind;
  readonly writer: Writer;
  readonly statement: Statement;
  readonly isWriterFirst: boolean;
}

const total = { tried: 0, hold: 0 };
/**
 * Each kind has a database and statements of its own, so that they run side by side and no
 * housekeeping repairs what another kind forgot.
 */
const databases = kinds.map((kind) => [kind, useTestDatabase()] as const);
const lanes = new Map<Kind, Lane>();
const problems = new Map<Kind, Promise<readonly string[]>>();
beforeAll(async () => {
  for (const [kind, database] of databases) lanes.set(kind, await openLane(database().url));
  for (const [kind, lane] of lanes) problems.set(kind, tryAll(lane, kind));
});
afterAll(async () => {
  // Also those that no test of this run awaits.
  await Promise.all(problems.values());
  await Promise.all([...lanes.values()].map((lane) => lane.close()));
  appendFileSync(inject('pairsReport'), `${String(total.tried)} ${String(total.hold)}\n`);
}, 120_000);

const pairs: readonly Pair[] = writers.flatMap((writer) =>
  writer.kinds.flatMap((kind) =>
    statements.flatMap((statement) =>
      [true, false].map((isWriterFirst) => ({ kind, writer, statement, isWriterFirst })),
    ),
  ),
);

test.each(kinds)('no pair of statements on a subject of %s forgets anything', { timeout: 120_000 }, async (kind) => {
  expect(await problems.get(kind)).toEqual([]);
});

async function tryAll(lane: Lane, kind: Kind): Promise<readonly string[]> {
  const forgotten: string[] = [];
  for (const pair of pairs.filter((one) => one.kind === kind)) {
    const found = await tryPair(lane, pair);
    total.tried += 1;
    if (found.length === 0) total.hold += 1;
    forgotten.push(...found.map((problem) => `${nameOf(pair)}: ${problem}`));
  }
  return forgotten;
}

function nameOf({ writer, statement, isWriterFirst }: Pair): string {
  return isWriterFirst ? `${writer.name}, then ${statement.name}` : `${statement.name}, then ${writer.name}`;
}

/** What the pair forgot. */
async function tryPair(lane: Lane, pair: Pair): Promise<readonly string[]> {
  const { stores, held } = lane;
  const scene = await createScene(stores);
  await arrange(stores, scene, pair);
  const write = (by: Stores) => writeUnlessBusy(by, scene, pair.writer);
  const execute = (by: Stores) => pair.statement.execute(by, scene, pair.kind);
  const [first, second] = pair.isWriterFirst ? [write, execute] : [execute, write];
  try {
    await whileHeld(lane, { first: () => first(held), second: () => second(stores) });
    for (const id of [...scene.runs.keys()]) await endRun(stores, scene, { id });
    return await findForgotten(stores.db, scene.orgId);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  } finally {
    await putAway(stores.db, scene.orgId);
  }
}

async function arrange(stores: Stores, scene: Scene, { kind, writer, statement }: Pair): Promise<void> {
  const id = scene.ids[kind];
  await writer.arrange?.(stores, scene);
  await makeDispatched(stores, kind, id);
  if (statement.meets === 'running' || writer.isOfRun === true) await beginRun(stores, scene, { kind, id });
  else if (statement.meets === 'due') await stores.work.undispatch(kind, [id]);
}

async function writeUnlessBusy(stores: Stores, scene: Scene, { write, refusal }: Writer): Promise<void> {
  try {
    await write(stores, scene);
  } catch (error) {
    if (!(error instanceof JobError && error.code === refusal)) throw error;
  }
}

/**
 * The second begins while the first is open; the first commits once the second waits for it, or has
 * ended without.
 */
async function whileHeld(
  lane: Lane,
  { first, second }: { first: () => Promise<unknown>; second: () => Promise<unknown> },
): Promise<void> {
  await lane.begin();
  try {
    await first();
  } catch (error) {
    await lane.commit();
    throw error;
  }
  const state = { hasEnded: false };
  const acting = second().finally(() => (state.hasEnded = true));
  // Its failure is thrown below.
  acting.catch(() => undefined);
  while (!state.hasEnded && !(await lane.isWaitedFor()));
  await lane.commit();
  await acting;
}

test('every method of a store is listed, as a writer or as another', () => {
  const [lane] = lanes.values();
  if (lane === undefined) throw new Error('No lane is open.');
  const { db: _db, ...stores } = lane.stores;
  const methods = Object.entries({ ...stores, steps: stores.rotations.run }).flatMap(([name, store]) =>
    Object.keys(store).map((method) => `${name}.${method}`),
  );
  const tried = writers.map(({ name }) => name.split(' ')[0] ?? '');
  expect([...new Set([...tried, ...otherMethods])].sort()).toEqual(methods.sort());
});

test('every module that writes rows of subjects is tried or excused', () => {
  const folder = new URL('../../src/db/', import.meta.url);
  const writes =
    /\b(?:update|delete from) (?:keyferry\.(?:syncs|rotations|connections)\b|\$\{(?:target\.)?table)|\.(?:update|delete)\((?:syncs|rotations|connections)\)/;
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => writes.test(readFileSync(new URL(name, folder), 'utf8')));
  expect(found.sort()).toEqual([...triedModules, ...Object.keys(excusedModules)].sort());
});
