/**
 * A server that turns read-only, as in a failover: readiness says so, nothing is lost, nothing
 * ends, and work resumes as soon as it can.
 */
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';

import { waitForAnswer } from '../../../src/client/waiting.ts';
import { openDatabase } from '../../../src/db/client.ts';
import { startWatchdog } from '../../../src/workers/engine/watchdog.ts';
import { createLog } from '../../../src/observe/log.ts';
import { hasRedis } from '../../support/backends.ts';
import { startForwarder } from '../../support/forwarder.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';
import { addConnection, type Engine, eventually, openEngine } from '../../integration/engine/support.ts';

const RESUMES_WITHIN_MS = 15_000;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function newDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  ends.push(() => database.drop());
  return database;
}

async function administer(database: TestDatabase, statement: string): Promise<void> {
  const sql = postgres(database.url, { max: 1 });
  await sql`set default_transaction_read_only = off`;
  await sql.unsafe(statement.replaceAll('$name', database.name));
  await sql.end();
}

/**
 * New sessions can only read; those that are open are ended, as by a server that became a standby.
 */
async function turnReadOnly(database: TestDatabase): Promise<void> {
  await administer(database, 'alter database "$name" set default_transaction_read_only = on');
  await administer(
    database,
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = '$name' and pid <> pg_backend_pid()`,
  );
}

const turnWritable = (database: TestDatabase) =>
  administer(database, 'alter database "$name" reset default_transaction_read_only');

const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => 'it worked',
    (error: unknown) => String(error),
  );

async function doesTheJob(engine: Engine, name: string): Promise<void> {
  const { requestId } = await addConnection(engine.stores, name);
  const run = await waitForAnswer(engine.stores.requests, requestId, { timeoutMs: RESUMES_WITHIN_MS });
  expect(run.status).toBe('succeeded');
}

describe('PostgreSQL', () => {
  it('that is read-only is named, and its sessions leave the pool', async () => {
    const database = await newDatabase();
    await turnReadOnly(database);
    const handle = openDatabase(database.url, { poolSize: 1 });
    ends.push(() => handle.close());
    expect(await refusal(handle.requireWritable())).toMatch(/is read-only: a standby.*\(25006\)/);
    await turnWritable(database);
    // Without dropping, the one session of this pool would stay read-only for half an hour.
    await eventually(
      () => refusal(handle.requireWritable()),
      (answer) => answer === 'it worked',
      5_000,
    );
  });

  it('under state and queue: work waits, and resumes within 15 s of the failover', async () => {
    const database = await newDatabase();
    const engine = await openEngine(database.url, undefined);
    ends.push(() => engine.close());
    engine.stores.database.watch(1_000);
    const worker = await engine.startWorker({});
    await doesTheJob(engine, 'before');
    await turnReadOnly(database);
    // A session that the failover broke may still answer first.
    await expect
      .poll(() => refusal(engine.backend.check()), { timeout: 10_000 })
      .toMatch(/queue in PostgreSQL is read-only/);
    expect(await refusal(engine.stores.database.requireWritable())).toMatch(/25006|57P01|CONNECTION/);
    let hasEnded = false;
    void worker.mustBeReplaced.then(() => {
      hasEnded = true;
    });
    await turnWritable(database);
    const writableAgain = performance.now();
    await eventually(
      () => refusal(engine.stores.database.requireWritable()),
      (answer) => answer === 'it worked',
    );
    await doesTheJob(engine, 'after');
    expect(performance.now() - writableAgain).toBeLessThan(RESUMES_WITHIN_MS);
    expect(hasEnded).toBe(false);
  }, 60_000);
});

describe.skipIf(!hasRedis)('Redis', () => {
  async function open(redisUrl: string): Promise<Engine> {
    const engine = await openEngine((await newDatabase()).url, redisUrl);
    ends.push(() => engine.close());
    return engine;
  }

  it('that became a replica is named, and work resumes within 15 s of its promotion', async () => {
    const redis = await startRedis({ appendOnly: false });
    ends.push(() => redis.stop());
    const admin = new Redis(redis.url);
    ends.push(() => admin.quit());
    const engine = await open(redis.url);
    await engine.startWorker({});
    await doesTheJob(engine, 'before');
    await admin.replicaof('127.0.0.1', 1);
    expect(await refusal(engine.backend.check())).toMatch(/is a replica \(READONLY\)/);
    expect(await refusal(engine.backend.checkAfresh())).toMatch(/is a replica \(READONLY\)/);
    const { requestId } = await addConnection(engine.stores, 'during');
    await admin.replicaof('NO', 'ONE');
    const run = await waitForAnswer(engine.stores.requests, requestId, { timeoutMs: RESUMES_WITHIN_MS });
    expect(run.status).toBe('succeeded');
    expect(await engine.backend.check()).toEqual([]);
  }, 60_000);

  it('whose address leads to another server after a failover is followed, though the old one still answers', async () => {
    const [old, next] = [await startRedis({ appendOnly: false }), await startRedis({ appendOnly: false })];
    ends.push(
      () => old.stop(),
      () => next.stop(),
    );
    const address = await startForwarder(old.port, { host: '127.0.0.1', port: 0 });
    ends.push(() => address.close());
    const engine = await open(`redis://127.0.0.1:${String(address.port)}`);
    await engine.startWorker({});
    await doesTheJob(engine, 'before');
    const admin = new Redis(old.url);
    ends.push(() => admin.quit());
    address.leadTo(next.port);
    await admin.replicaof('127.0.0.1', next.port);
    await doesTheJob(engine, 'after');
  }, 60_000);

  it.each<readonly [string, readonly string[], (port: number) => string, RegExp]>([
    [
      'a wrong password',
      ['--requirepass', 'right'],
      (port) => `redis://:wrong@127.0.0.1:${String(port)}`,
      /refused the password \(WRONGPASS\)/,
    ],
    [
      'no password',
      ['--requirepass', 'right'],
      (port) => `redis://127.0.0.1:${String(port)}`,
      /asks for a password \(NOAUTH\)/,
    ],
    ['TLS to a plain port', [], (port) => `rediss://127.0.0.1:${String(port)}`, /TLS/],
    ['a database that is not there', [], (port) => `redis://127.0.0.1:${String(port)}/99`, /no such database number/],
  ])('says what is wrong with %s', async (_name, settings, url, expected) => {
    const redis = await startRedis({ appendOnly: false, arguments: settings });
    ends.push(() => redis.stop());
    const engine = await open(url(redis.port));
    const answer = await refusal(engine.backend.check());
    expect(answer).toMatch(expected);
    expect(answer).not.toContain('wrong');
  });

  it('that a user may not write to is named', async () => {
    const redis = await startRedis({ appendOnly: false });
    ends.push(() => redis.stop());
    const admin = new Redis(redis.url);
    await admin.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@read', '+@connection', '+info');
    admin.disconnect();
    const engine = await open(`redis://reader:secret@127.0.0.1:${String(redis.port)}`);
    expect(await refusal(engine.backend.check())).toMatch(/denies a command or key .*\(NOPERM\)/);
  });
});

describe('the watchdog', () => {
  const works = () => Promise.resolve();
  const isOut = () => Promise.reject(new Error('out'));

  it.each<readonly ['queue' | 'database', string, () => Promise<void>, boolean]>([
    ['queue', 'ends the process when a fresh connection works', works, true],
    ['queue', 'waits while the server itself is out', isOut, false],
    ['database', 'ends the process when a fresh connection works', works, true],
    ['database', 'waits while the server itself is out', isOut, false],
  ])('of a silent %s %s', async (silent, _name, checkAfresh, mustEnd) => {
    let isDeaf = false;
    const asked: string[] = [];
    const watchdog = startWatchdog({
      kinds: ['sync'],
      concurrency: { validate: 1, sync: 1, rotate: 1 },
      countWaiting: () => Promise.resolve(silent === 'queue' ? 3 : 0),
      unansweredMs: () => (silent === 'database' ? 60_000 : 0),
      checkAfresh: (part) => {
        asked.push(part);
        return checkAfresh();
      },
      onDeaf: () => {
        isDeaf = true;
      },
      log: createLog({ level: 'silent' }),
      times: { silentMs: 1, lookEveryMs: 10 },
    });
    onTestFinished(() => {
      watchdog.stop();
    });
    await eventually(
      () => Promise.resolve(asked.length),
      (count) => count >= 6,
    );
    expect([...new Set(asked)]).toEqual([silent]);
    expect(isDeaf).toBe(mustEnd);
  });
});
