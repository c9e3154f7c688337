/**
 * `npm run test:restore`: random points in the life of an installation at which its database goes
 * back in time. RESTORE_POINTS=n plays n of them, spread over all; RESTORE_POINT=k plays the one
 * with this number; RESTORE_SEED moves all of them.
 */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { openStage, type Stage } from '../support/stage.ts';
import { databaseClock } from '../support/database-clock.ts';
import { findPgTools } from '../support/pg-tools.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { playClone } from './clones.ts';
import { playFailover, playRestore } from './points.ts';
import { emptyDatabase } from './scene.ts';

const COUNTS = { restores: 200, failovers: 60, clones: 40 };
const ALL = COUNTS.restores + COUNTS.failovers + COUNTS.clones;
const WANTED = Number(process.env['RESTORE_POINTS'] ?? ALL);
const ONE = process.env['RESTORE_POINT'];
const SEED = Number(process.env['RESTORE_SEED'] ?? 1);
const LANES = 4;
const HOUR_MS = 3_600_000;

type Play = (stage: Stage, seed: number, copy: Stage) => Promise<void>;

interface Lane {
  readonly stage: Stage;
  readonly copy: Stage;
}

/**
 * Points wait for the database most of the time. Each lane has one of its own, whose clock it
 * moves, and one for copies.
 */
const databases = Array.from({ length: LANES }, () => ({ original: useTestDatabase(), copy: useTestDatabase() }));
const total = { points: 0, safe: 0 };
let lanes: readonly Lane[];
let copiedBy: string;

beforeAll(async () => {
  for (const { original, copy } of databases) {
    await databaseClock(original().url);
    await databaseClock(copy().url);
  }
  const tools = await findPgTools(inject('postgresUrl'));
  copiedBy = tools === undefined ? 'row by row' : 'by pg_dump and pg_restore';
  lanes = databases.map(({ original, copy }) => ({ stage: openStage(original().url), copy: openStage(copy().url) }));
});

afterAll(async () => {
  for (const { stage, copy } of lanes) await Promise.all([stage.close(), copy.close()]);
  const { points, safe } = total;
  console.log(
    `restore: ${String(points)} points, ${String(safe)} safe (seed ${String(SEED)}; copies made ${copiedBy})`,
  );
});

const kinds: readonly (readonly [string, { first: number; count: number; play: Play }])[] = [
  ['a restored backup', { first: 0, count: COUNTS.restores, play: playRestore }],
  ['a failover that lost the last commits', { first: COUNTS.restores, count: COUNTS.failovers, play: playFailover }],
  ['a copy beside the original', { first: COUNTS.restores + COUNTS.failovers, count: COUNTS.clones, play: playClone }],
];

test.each(kinds)('%s is safe at every point', { timeout: HOUR_MS }, async (_, { first, count, play }) => {
  const numbers = Array.from({ length: count }, (__, index) => first + index).filter(isWanted);
  const failures = await playAll(numbers, play);
  total.points += numbers.length;
  total.safe += numbers.length - failures.length;
  expect(failures).toEqual([]);
});

function isWanted(number: number): boolean {
  if (ONE !== undefined) return ONE.split(',').includes(String(number));
  // Of every kind its share, and the same ones in every run.
  return Math.floor(((number + 1) * WANTED) / ALL) > Math.floor((number * WANTED) / ALL);
}

async function playAll(numbers: readonly number[], play: Play): Promise<readonly string[]> {
  const queue = [...numbers];
  const failures: string[] = [];
  const work = async ({ stage, copy }: Lane): Promise<void> => {
    for (let number = queue.shift(); number !== undefined; number = queue.shift()) {
      const problem = await play(stage, SEED * 100_000 + number, copy).then(
        () => undefined,
        (error: unknown) => toText(error),
      );
      await emptyDatabase(stage);
      if (problem !== undefined) failures.push(`point ${String(number)}: ${problem}`);
    }
  };
  await Promise.all(lanes.map(work));
  return failures;
}

/** A violation tells its story; anything else is a defect of this suite. */
function toText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message.includes('→')) return error.message;
  return [error.stack, error.cause instanceof Error ? error.cause.stack : ''].join('\n');
}
