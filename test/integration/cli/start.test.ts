/**
 * A command that only asks the database loads no queue, no client of AWS, no server and no worker.
 */
import { expect, test } from 'vitest';

import { cleanEnvironment } from '../../support/environment.ts';
import { loadedModules } from '../../support/loaded-modules.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();

test('`keyferry status` loads what it reads and prints', { timeout: 60_000 }, async () => {
  const environment = cleanEnvironment({
    DATABASE_URL: database().url,
    KEYFERRY_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 3).toString('base64')}`,
  });
  const { own, packages, stdout } = await loadedModules(['status'], environment);
  expect(stdout).toContain('queue on postgres');
  expect(packages).toContain('drizzle-orm');
  const foreign = ['bullmq', 'ioredis', 'pg', 'hono'];
  expect(packages.filter((name) => foreign.includes(name) || name.startsWith('@aws-sdk/'))).toEqual([]);
  expect(own.filter((path) => /^(workers|server|sandbox|queues)\//.test(path))).toEqual([]);
});
