/**
 * The roles and the user that `keyferry policy servers` prints are enough for each program, and for
 * no more.
 */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { generateEncryptionKey } from '../../../src/index.ts';
import { databaseStatements, reportingStatements, reportingViews } from '../../../src/db/least-privilege.ts';
import { redisStatements } from '../../../src/queues/redis-user.ts';
import { hasRedis } from '../../support/backends.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/postgres.ts';
import { runKeyferry, startKeyferry } from '../../support/processes.ts';
import { startRedis } from '../../support/redis.ts';

/** Roles belong to the whole server, which other tests share: these have a suffix of their own. */
const suffix = randomBytes(4).toString('hex');
const own = (statement: string) => statement.replaceAll(/keyferry_(migrate|work|report)\b/g, `keyferry_$1_${suffix}`);
const password = randomBytes(12).toString('hex');

let database: TestDatabase;
let admin: postgres.Sql;
const keys = generateEncryptionKey();

beforeAll(async () => {
  database = await createEmptyDatabase();
  admin = postgres(database.url, { max: 1, onnotice: () => undefined });
  for (const statement of databaseStatements) await admin.unsafe(own(statement));
  for (const role of ['migrate', 'work', 'report'])
    await admin.unsafe(`alter role keyferry_${role}_${suffix} password '${password}'`);
}, 60_000);
afterAll(async () => {
  for (const role of ['migrate', 'work', 'report'])
    await admin.unsafe(`drop owned by keyferry_${role}_${suffix} cascade; drop role
      keyferry_${role}_${suffix}`);
  await admin.end();
  await database.drop();
});

function as(role: 'migrate' | 'work' | 'report'): string {
  const url = new URL(database.url);
  url.username = `keyferry_${role}_${suffix}`;
  url.password = password;
  return url.href;
}

const environmentOf = (databaseUrl: string, redisUrl?: string) =>
  cleanEnvironment({
    DATABASE_URL: databaseUrl,
    KEYFERRY_ENCRYPTION_KEYS: keys,
    KEYFERRY_WORKER_HTTP_PORT: '0',
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
  });

async function startsAndIsReady(databaseUrl: string, redisUrl?: string): Promise<void> {
  const worker = startKeyferry(['worker'], { environment: environmentOf(databaseUrl, redisUrl) });
  const line = await worker.waitForLine(/health and metrics/, 30_000);
  const ready = await fetch(`${(JSON.parse(line) as { url: string }).url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ready' }]);
  worker.signal('SIGTERM');
  expect(await worker.waitForExit()).toMatchObject({ code: 0 });
}

describe('the roles of PostgreSQL', () => {
  it('let one migrate, one work, and neither more', async () => {
    const early = await runKeyferry(['migrate'], { environment: environmentOf(as('work')) });
    expect(early).toMatchObject({ code: 2, stderr: expect.stringContaining('DB_DENIED') as string });
    expect(await runKeyferry(['migrate'], { environment: environmentOf(as('migrate')) })).toMatchObject({ code: 0 });
    const secret = 'planted-value-of-a-secret';
    const set = await runKeyferry(['secrets', 'set', '--project', 'p', '--env', 'e', '--path', '/'], {
      environment: environmentOf(as('work')),
      input: `NAME=${secret}`,
    });
    expect(set).toMatchObject({ code: 0 });
    const webhook = await runKeyferry(['webhook', 'create', 'hook', '--url', 'https://receiver.example.com/path'], {
      environment: environmentOf(as('work')),
    });
    expect(webhook).toMatchObject({ code: 0 });
    await startsAndIsReady(as('work'));
    const work = postgres(as('work'), { max: 1 });
    await expect(work`drop table keyferry.runs`).rejects.toMatchObject({ code: '42501' });
    await expect(work`create table keyferry.mine (id int)`).rejects.toMatchObject({ code: '42501' });
    await work.end();
  }, 120_000);

  it('let one read reports, without a ciphertext in them', async () => {
    for (const statement of reportingStatements) await admin.unsafe(own(statement));
    const report = postgres(as('report'), { max: 1 });
    await expect(report`select * from keyferry.secrets`).rejects.toMatchObject({ code: '42501' });
    const [stored] = await admin`select value from keyferry.secrets`;
    expect(stored?.['value']).toMatch(/^v1\./);
    let rows = 0;
    for (const { table } of reportingViews) {
      const found = await report.unsafe(`select to_jsonb(v)::text as text from reporting.${table} v`);
      for (const row of found) expect.soft(String(row['text']), table).not.toMatch(/"v1\.|planted-value/);
      rows += found.length;
    }
    expect(rows).toBeGreaterThan(2);
    await report.end();
  });
});

it('no column that may hold a ciphertext, a hash or a token is in a view', () => {
  const suspicious = /secret|cipher|hash|token|value|fingerprint|payload|candidate|target|state$/;
  const shown = reportingViews.flatMap(({ table, columns }) =>
    columns.filter((column) => suspicious.test(column)).map((column) => `${table}.${column}`),
  );
  // Paths, names of fields, revisions, run tokens (ids) and the bodies of notifications, which hold
  // names and codes.
  expect(shown.sort()).toEqual([
    'call_budgets.tokens',
    'connections.run_token',
    'folders.secret_path',
    'identities.secret_changed_at',
    'notification_states.state',
    'notifications.payload',
    'rotation_keys.state',
    'rotations.run_token',
    'rotations.secrets_mapping',
    'sources.lease_token',
    'sources.target_revision',
    'sync_entries.state',
    'syncs.run_token',
  ]);
});

describe.runIf(hasRedis)('the user of Redis', () => {
  it('is enough for a worker, and reads nothing of others', async () => {
    const redis = await startRedis();
    const { Redis } = await import('ioredis');
    const root = new Redis(redis.url);
    try {
      for (const statement of redisStatements)
        await root.call(...(statement.replace('PASSWORD', password).split(' ') as [string, ...string[]]));
      await root.set('of-another-program', 'x');
      const url = `redis://keyferry:${password}@127.0.0.1:${String(redis.port)}`;
      const user = new Redis(url);
      for (const refused of [
        ['get', 'of-another-program'],
        ['flushall'],
        ['config', 'get', '*'],
        ['keys', '*'],
        ['acl', 'list'],
      ])
        await expect.soft(user.call(...(refused as [string])), refused.join(' ')).rejects.toThrow(/NOPERM/);
      user.disconnect();
      await startsAndIsReady(as('work'), url);
    } finally {
      root.disconnect();
      await redis.stop();
    }
  }, 60_000);
});
