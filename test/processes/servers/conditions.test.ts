/**
 * Each condition that PostgreSQL or Redis can be in: whose fault it is, which code says so, and
 * what reaches the operator. The cause's code does, no value and no text of the server.
 */
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { openDatabase } from '../../../src/db/client.ts';
import { toDatabaseError } from '../../../src/db/database-error.ts';
import { readSchemaState } from '../../../src/db/migrate.ts';
import { JobError } from '../../../src/errors.ts';
import { createQueueBackend } from '../../../src/queues/backend.ts';
import { hasRedis } from '../../support/backends.ts';
import { startFakeRedis } from '../../support/fake-redis.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';

const SECRET = 'hunter2-canary';
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function refusalOf(act: () => Promise<unknown>): Promise<JobError> {
  const error: unknown = await act().then(
    () => new Error('it worked'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof JobError)) throw error;
  expect(`${error.message} ${error.operatorMessage} ${JSON.stringify(error.context)}`).not.toContain(SECRET);
  return error;
}

describe('PostgreSQL', () => {
  let database: TestDatabase;
  const role = `kf_conditions_${crypto.randomUUID().slice(0, 8)}`;
  beforeAll(async () => {
    database = await createTestDatabase();
    await administer(`create role ${role} login password '${SECRET}' connection limit 0`);
  });
  afterAll(async () => {
    await administer(`drop role ${role}`);
    await database.drop();
  });

  async function administer(statement: string): Promise<void> {
    const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
    try {
      await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  }

  const changed = (change: (url: URL) => void): string => {
    const url = new URL(database.url);
    change(url);
    return url.href;
  };
  const refused: readonly (readonly [string, () => string, RegExp])[] = [
    ['nobody listens', () => changed((url) => (url.port = '1')), /cannot be reached \(ECONNREFUSED\)/],
    ['the host has no address', () => changed((url) => (url.hostname = 'nowhere.invalid')), /has no address \(E/],
    ['the database is missing', () => changed((url) => (url.pathname = '/missing')), /no such database \(3D000\)/],
    [
      'the role has no connection left',
      () =>
        changed((url) => {
          url.username = role;
          url.password = SECRET;
        }),
      /no connection left \(53300\)/,
    ],
    [
      'the role is unknown',
      () =>
        changed((url) => {
          url.username = 'kf_nobody';
          url.password = SECRET;
        }),
      /refused the (login|password) \(28/,
    ],
  ];
  it.each(refused)('for our tables, when %s', async (_what, url, expected) => {
    const error = await refusalOf(() => readSchemaState(url()));
    expect(error.code).toBe('DB_UNAVAILABLE');
    expect(error.operatorMessage).toMatch(expected);
  });
  it.each(refused)('for the queue, when %s', async (_what, url, expected) => {
    const backend = await createQueueBackend({ databaseUrl: url(), redisUrl: undefined });
    ends.push(() => backend.close());
    const error = await refusalOf(() => backend.check());
    expect(error.code).toBe('QUEUE_UNAVAILABLE');
    expect(error.operatorMessage).toMatch(expected);
  });

  it.each([
    '25006 25P03 25P04 40001 40003 40P01 42501 53000 53100 53200 53300 53400 55000 55006 55P03 57014 57P01 57P02',
    '57P03 57P04 57P05 58000 58030 58P01 F0000 08000 08001 08003 08004 08006 08007 08P01 28000 28P01 3D000',
  ])('a statement that fails with a condition of the server is not our defect: %s', async (states) => {
    const handle = openDatabase(database.url, { poolSize: 1 });
    ends.push(() => handle.close());
    for (const state of states.split(' ')) {
      const error = await handle.db
        .execute(`do $$ begin raise exception '${SECRET}' using errcode = '${state}'; end $$`)
        .then(
          () => undefined,
          (thrown: unknown) => toDatabaseError(thrown),
        );
      expect({ state, code: error?.code }).toEqual({ state, code: 'DB_UNAVAILABLE' });
      expect(error?.message).toContain(`(${state})`);
      expect(error?.message).not.toContain(SECRET);
    }
  });

  it.each(['CONNECT_TIMEOUT', 'CONNECTION_DESTROYED', 'AUTH_TYPE_NOT_IMPLEMENTED', 'SASL_SIGNATURE_MISMATCH'])(
    'a driver that says %s is no defect of ours',
    (code) => {
      const error = toDatabaseError(Object.assign(new Error(SECRET), { code }));
      expect(error).toMatchObject({ code: 'DB_UNAVAILABLE', context: { sqlState: code } });
      expect(error.message).toContain(`(${code})`);
    },
  );

  it.each(['EACCES', 'EADDRNOTAVAIL', 'ENETDOWN', 'EHOSTDOWN', 'ENOTCONN', 'EMFILE', 'ENFILE', 'EAI_FAIL'])(
    'a network that says %s is no defect of ours',
    (code) => {
      expect(toDatabaseError(Object.assign(new Error(SECRET), { code }))).toMatchObject({ code: 'DB_UNAVAILABLE' });
    },
  );

  it('a wrong statement is a defect of ours, and its code is kept', () => {
    for (const code of ['42601', '22P02', '23502', '42883'])
      expect(toDatabaseError({ code })).toMatchObject({ code: 'BUG_UNEXPECTED', context: { sqlState: code } });
  });
});

describe('Redis', () => {
  it.each([
    ['NOAUTH Authentication required.', /\(NOAUTH\)/],
    ['WRONGPASS invalid username-password pair or user is disabled.', /\(WRONGPASS\)/],
    ["READONLY You can't write against a read only replica.", /\(READONLY\)/],
    ["OOM command not allowed when used memory > 'maxmemory'.", /\(OOM\)/],
    ['MOVED 3999 10.0.0.1:6381', /\(MOVED\)/],
    ['LOADING Redis is loading the dataset in memory', /\(LOADING\)/],
    ['NOSCRIPT No matching script. Please use EVAL.', /\(NOSCRIPT\)/],
    ['NOPERM this user has no permissions to run the command', /\(NOPERM\)/],
    ['MISCONF Redis is configured to save RDB snapshots', /\(MISCONF\)/],
    ['NOREPLICAS Not enough good replicas to write.', /\(NOREPLICAS\)/],
    ['CLUSTERDOWN The cluster is down', /\(CLUSTERDOWN\)/],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", /\(MASTERDOWN\)/],
    ['BUSY Redis is busy running a script.', /\(BUSY\)/],
    ['TRYAGAIN Multiple keys request during rehashing of slot', /\(TRYAGAIN\)/],
    ['ERR max number of clients reached', /no connection left/],
    ['DENIED Redis is running in protected mode', /\(DENIED\)/],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', /\(WRONGTYPE\)/],
    ["ERR unknown command 'eval'", /does not know a command/],
    ['SOMETHINGNEW that nobody knows', /\(SOMETHINGNEW\)/],
  ])('that answers %s is named with its code, and is fine once it works', async (answer, expected) => {
    const server = await startFakeRedis();
    ends.push(() => server.close());
    server.answerWith(`${answer} ${SECRET}`);
    const backend = await createQueueBackend({ databaseUrl: 'postgres://127.0.0.1/none', redisUrl: server.url });
    ends.push(() => backend.close());

    const error = await refusalOf(() => backend.check());
    expect(error.code).toBe('QUEUE_UNAVAILABLE');
    expect(error.operatorMessage).toMatch(expected);
    expect(error.operatorMessage).not.toContain('cannot be reached');

    server.answerWith(undefined);
    expect(await backend.check()).toEqual([]);
  });

  it('that is still loading says so, though it accepts connections', async () => {
    const server = await startFakeRedis({ info: 'loading:1\r\nloading_eta_seconds:60' });
    ends.push(() => server.close());
    const backend = await createQueueBackend({ databaseUrl: 'postgres://127.0.0.1/none', redisUrl: server.url });
    ends.push(() => backend.close());
    expect((await refusalOf(() => backend.check())).operatorMessage).toMatch(/\(LOADING\)/);
  });

  it.skipIf(!hasRedis)('names what a real server says, and heals', async () => {
    const redis = await startRedis({ appendOnly: false });
    ends.push(() => redis.stop());
    const admin = new Redis(redis.url);
    ends.push(() => admin.quit());
    const backend = await createQueueBackend({ databaseUrl: 'postgres://127.0.0.1/none', redisUrl: redis.url });
    ends.push(() => backend.close());
    const conditions = [
      ['maxmemory', '1', '0', /\(OOM\)/],
      ['min-replicas-to-write', '1', '0', /\(NOREPLICAS\)/],
    ] as const;
    for (const [setting, bad, good, expected] of conditions) {
      await admin.config('SET', setting, bad);
      expect((await refusalOf(() => backend.check())).operatorMessage).toMatch(expected);
      await admin.config('SET', setting, good);
      expect(await backend.check()).toEqual([]);
    }
  });
});
