/** `npm run test:chaos -- rotation`: all crash points; `npm test` runs a sample of them. */
import { expect, test } from 'vitest';

import { useTestDatabase } from '../support/postgres.ts';
import { runRotationChaos } from './rotation.ts';
import { runRotationKills } from './rotation-kill.ts';

const database = useTestDatabase();
const killed = useTestDatabase();

test('a rotation survives a crash at any point, from any starting state', { timeout: 30 * 60_000 }, async () => {
  const result = await runRotationChaos({
    databaseUrl: database().url,
    every: Number(process.env['CHAOS_EVERY'] ?? 1),
    name: process.env['CHAOS_NAME'] ?? '',
    print: (line) => {
      console.log(line);
    },
  });

  expect(result.failures).toEqual([]);
  expect(result.survived).toBe(result.tried);
});

test('a rotation survives SIGKILL of its worker while a call is on its way', { timeout: 20 * 60_000 }, async () => {
  const result = await runRotationKills({
    databaseUrl: killed().url,
    print: (line) => {
      console.log(line);
    },
  });

  expect(result.survived).toBe(result.tried);
});
