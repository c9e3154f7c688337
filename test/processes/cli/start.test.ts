/** What a person waits for before the first line: a command loads what it was asked for. */
import { expect, onTestFinished, test } from 'vitest';

import { hasRedis } from '../../support/backends.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { loadedModules } from '../../support/loaded-modules.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';

/** The command line itself: output, errors, what options take, words; nothing behind them. */
const MOST_MODULES = 36;

const database = useTestDatabase();

/** No queue, no client of AWS, no server and no worker. */
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

test.skipIf(!hasRedis)(
  'a worker on Redis does not load the driver of the queue in PostgreSQL',
  { timeout: 180_000 },
  async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const environment = cleanEnvironment({
      DATABASE_URL: database().url,
      REDIS_URL: redis.url,
      KEYFERRY_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 3).toString('base64')}`,
    });
    const { own, packages } = await loadedModules(['worker', '--queues', 'sync'], environment, /worker started/);
    expect(packages).toContain('ioredis');
    expect(packages).not.toContain('pg');
    expect(own.filter((path) => path.startsWith('queues/postgres'))).toEqual([]);
  },
);

test.each([['--help'], ['--version'], ['help'], ['nonsense']])(
  '`keyferry %s` loads the command line and no command',
  { timeout: 60_000 },
  async (arg) => {
    const { own, packages } = await loadedModules([arg], cleanEnvironment());
    expect(packages).toEqual(['commander']);
    expect(own).toContain('cli/program');
    expect(own.filter((path) => path.startsWith('cli/commands/'))).toEqual([]);
    expect(own.length).toBeLessThanOrEqual(MOST_MODULES);
  },
);

test('the help of a word loads the commands of that word only', { timeout: 60_000 }, async () => {
  const environment = cleanEnvironment();
  const asked = await loadedModules(['secrets', 'set', '--help'], environment);
  const helped = await loadedModules(['help', 'secrets'], environment);
  expect(asked.stdout).toContain('--allow-empty');
  expect(helped.stdout).toContain('unset [options] <keys...>');
  for (const { own, packages } of [asked, helped]) {
    expect(packages).toEqual(['commander']);
    expect(own.filter((path) => path.startsWith('cli/commands/'))).toEqual(['cli/commands/secrets']);
  }
});
