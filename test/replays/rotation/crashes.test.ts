/** A sample of `npm run test:chaos -- rotation`. */
import { expect, test } from 'vitest';

import { runRotationChaos } from '../../chaos/rotation.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();

test.each(['no key', 'one adopted key', 'rotates its own key', 'a person makes a key'])(
  'a rotation survives crashes: %s',
  { timeout: 120_000 },
  async (name) => {
    const result = await runRotationChaos({ databaseUrl: database().url, name, every: 13, print: () => undefined });

    expect(result.failures).toEqual([]);
    expect(result.tried).toBeGreaterThan(2);
  },
);
