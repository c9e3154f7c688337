/**
 * `npm run test:chaos -- rotation`: all crash points, storms and kills; `npm run test:replays` runs
 * a sample of the points.
 */
import { afterAll, expect, test } from 'vitest';

import { useTestDatabase } from '../support/postgres.ts';
import { runRotationKills } from './rotation-kill.ts';
import { runRotationChaos, runRotationStorms, type ChaosResult } from './rotation.ts';

const database = useTestDatabase();
const killed = useTestDatabase();
const HOUR_MS = 3_600_000;
const total = { tried: 0, survived: 0 };

/** For work on the suite itself: every n-th point, only scenarios with this in their name. */
const every = Number(process.env['CHAOS_EVERY'] ?? 1);
const name = process.env['CHAOS_NAME'] ?? '';

const startedAtMs = performance.now();

/** With the time since the start, as the whole takes long. */
function print(line: string): void {
  console.log(`${String(Math.round((performance.now() - startedAtMs) / 1_000))} s: ${line}`);
}

function count(result: Pick<ChaosResult, 'tried' | 'survived'>): void {
  total.tried += result.tried;
  total.survived += result.survived;
}

afterAll(() => {
  print(`crash points: ${String(total.tried)} tried, ${String(total.survived)} survived`);
});

test('a rotation survives a crash at any point, from any starting state', { timeout: HOUR_MS }, async () => {
  const result = await runRotationChaos({ databaseUrl: database().url, every, name, print });
  count(result);

  expect(result.failures).toEqual([]);
  expect(result.survived).toBe(result.tried);
});

test('a rotation survives many crashes in a row', { timeout: HOUR_MS }, async () => {
  const result = await runRotationStorms({ databaseUrl: database().url, storms: Math.ceil(100 / every), print });
  count(result);

  expect(result.failures).toEqual([]);
});

test('a rotation survives SIGKILL of its worker while a call is on its way', { timeout: HOUR_MS }, async () => {
  const result = await runRotationKills({ databaseUrl: killed().url, print });
  count(result);

  expect(result.survived).toBe(result.tried);
});
