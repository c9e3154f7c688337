/**
 * Databases that were copied, renamed, rewound or failed over, seen by workers that knew the
 * original.
 */
import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { createInstallation } from '../../../src/db/installation.ts';
import { createInstallationGuard, WORKER_SESSIONS } from '../../../src/db/installation-guard.ts';
import { createLog } from '../../../src/observe/log.ts';
import { startInstallationWatch, type InstallationWatch } from '../../../src/workers/engine/installation-watch.ts';
import { countStatements } from '../../support/count-statements.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let database: TestDatabase;
let open: DatabaseHandle[];
let databases: TestDatabase[];

beforeEach(async () => {
  database = await createTestDatabase();
  open = [];
  databases = [database];
});

afterEach(async () => {
  for (const handle of open) await handle.close();
  for (const one of databases) await one.drop();
});

function connect(url: string, name?: string): DatabaseHandle {
  const handle = openDatabase(url, { poolSize: 2, ...(name === undefined ? {} : { name }) });
  open.push(handle);
  return handle;
}

interface Watching {
  readonly name?: string;
  readonly isGuardAsked?: boolean;
}

function watch({ db }: DatabaseHandle, { name, isGuardAsked = false }: Watching = {}): Promise<InstallationWatch> {
  return startInstallationWatch({
    guard: createInstallationGuard(db),
    name,
    isGuardAsked,
    log: createLog({ level: 'silent' }),
    everyMs: 3_600_000,
  });
}

/** The database as a dump would bring it back: the same rows under another oid. */
async function copy(): Promise<TestDatabase> {
  for (const handle of open.splice(0)) await handle.close();
  const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => undefined });
  const name = `${database.name}_copy`;
  await server.unsafe(`create database "${name}" template "${database.name}"`);
  await server.end();
  const url = new URL(database.url);
  url.pathname = `/${name}`;
  const copied = { name, url: url.href, drop: () => drop(name) };
  databases.push(copied);
  return copied;
}

async function drop(name: string): Promise<void> {
  const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => undefined });
  await server.unsafe(`drop database if exists "${name}" with (force)`);
  await server.end();
}

it('records server, database and name at the first worker, and raises the counter', async () => {
  const handle = connect(database.url);
  const watching = await watch(handle, { name: 'production' });
  expect(watching.guardReason()).toBeUndefined();
  await watching.check();
  const row = await createInstallation(handle.db).get();
  expect(row).toMatchObject({ name: 'production', counter: 2, guardReason: null });
  expect(row.databaseName).toMatch(new RegExp(`^${database.name}/\\d+$`));
  expect(row.systemIdentifier).toMatch(/^\d+$/);
  expect(watching.counter()).toBe(2);
});

it('costs one statement a look, at a run the one that reads the installation, also while it is guarded', async () => {
  const handle = connect(database.url);
  const { db, statements } = countStatements(handle);
  const watching = await watch({ ...handle, db });
  for (let looks = 0; looks < 9; looks += 1) await watching.check();
  expect(statements()).toBe(10);
  for (let runs = 0; runs < 10; runs += 1) await watching.get();
  expect(statements()).toBe(20);
  await createInstallationGuard(handle.db).raise('asked');
  for (let looks = 0; looks < 10; looks += 1) await watching.check();
  expect([watching.guardReason(), statements()]).toEqual(['asked', 30]);
});

it('guards a copy, for every worker, and leaves its counter alone', async () => {
  (await watch(connect(database.url))).stop();
  const copied = connect((await copy()).url);
  const watching = await watch(copied);
  expect(watching.guardReason()).toBe('database-changed');
  expect(() => {
    watching.requireUnguarded();
  }).toThrow(/restored or copied/);
  expect((await watch(copied)).guardReason()).toBe('database-changed');
  expect(await createInstallation(copied.db).get()).toMatchObject({ counter: 1, guardReason: 'database-changed' });
  // The original goes on.
  expect((await watch(connect(database.url))).guardReason()).toBeUndefined();
});

it('guards a database of another installation, and one whose worker was asked to', async () => {
  const handle = connect(database.url);
  (await watch(handle, { name: 'production' })).stop();
  expect((await watch(handle, { name: 'production' })).guardReason()).toBeUndefined();
  expect((await watch(handle, { name: 'staging' })).guardReason()).toBe('name-differs');
  // The guard is on record: it outlives the setting.
  expect((await watch(handle, { name: 'production' })).guardReason()).toBe('name-differs');
  await createInstallationGuard(handle.db).accept({ as: 'restored', actor: 'test', name: undefined });
  expect((await watch(handle, { isGuardAsked: true })).guardReason()).toBe('asked');
});

it('notices at the next run that the database went back in time', async () => {
  const handle = connect(database.url);
  const watching = await watch(handle);
  await watching.check();
  await handle.db.execute(sql`update keyferry.installation set counter = 1`);
  expect(await watching.get()).toMatchObject({ guardReason: 'counter-went-back' });
  expect(watching.guardReason()).toBe('counter-went-back');
});

it('begins an epoch, once, when PostgreSQL failed over', async () => {
  const handle = connect(database.url);
  const workers = [await watch(handle), await watch(handle)];
  // As on the promoted standby: an older log position is stored, and the last check is missing.
  await handle.db.execute(sql`update keyferry.installation
    set timeline = timeline - 1, counter = counter - 1`);
  for (const worker of workers) await worker.check();
  const row = await createInstallation(handle.db).get();
  expect(row).toMatchObject({ epoch: 2, guardReason: null });
  expect(row.epochStartedAt).not.toBeNull();
});

it('begins an epoch at the first run after a failover, however soon it comes', async () => {
  const handle = connect(database.url);
  const watching = await watch(handle);
  // Nothing that the guard counts was lost.
  await handle.db.execute(sql`update keyferry.installation set timeline = timeline - 1`);
  expect(await watching.get()).toMatchObject({ epoch: 2, guardReason: null });
  expect(await watching.get()).toMatchObject({ epoch: 2 });
});

it('counts the sessions of workers, and of nothing else', async () => {
  const guard = createInstallationGuard(connect(database.url).db);
  expect(await guard.countWorkers()).toBe(0);
  await connect(database.url, WORKER_SESSIONS).ping();
  expect(await guard.countWorkers()).toBe(1);
});

it('makes a clone an installation that owns nothing', async () => {
  const handle = connect(database.url);
  const before = await createInstallation(handle.db).get();
  await watch(handle, { isGuardAsked: true });
  const guard = createInstallationGuard(handle.db);
  const { row } = await guard.accept({ as: 'clone', actor: 'ann', name: 'staging' });
  expect(row).toMatchObject({ name: 'staging', epoch: 1, epochStartedAt: null, guardReason: null });
  expect(row.id).not.toBe(before.id);
  const audited = await handle.db.execute(sql`select actor, action, subject from keyferry.audit_log`);
  expect(audited).toEqual([{ actor: 'ann', action: 'installation.accept-clone', subject: row.id }]);
});
