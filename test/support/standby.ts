/**
 * A primary with a streaming standby, both of the embedded PostgreSQL, which has no
 * `pg_basebackup`: the standby begins as a copy of the primary's files, made between
 * `pg_backup_start` and `pg_backup_stop`.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import postgres from 'postgres';

import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { findPostgresBinaries, linkPostgresBinaries } from '../../src/sandbox/postgres-binaries.ts';
import { endServer, spawnServer } from '../../src/sandbox/postgres-server.ts';
import { findClosedFolders, findRuntimeUser, giveTo } from '../../src/sandbox/postgres-user.ts';
import { startWatcher } from '../../src/sandbox/watcher.ts';

const run = promisify(execFile);
const LIMIT_MS = 15_000;

export interface Standby {
  readonly port: number;
  /** Resolves once it has replayed everything that the primary has written by now. */
  caughtUp(): Promise<void>;
  /**
   * From here on it receives nothing; the primary does not notice, since replication is
   * asynchronous.
   */
  disconnect(): Promise<void>;
  promote(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPrimary(): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ directory: await mkdtemp(join(tmpdir(), 'keyferry-primary-')), persistent: false });
}

export async function startStandby(primary: EmbeddedPostgres): Promise<Standby> {
  const [home, port, user, found] = await Promise.all([
    mkdtemp(join(tmpdir(), 'keyferry-standby-')),
    freePort(),
    findRuntimeUser(),
    findPostgresBinaries(),
  ]);
  const watcher = startWatcher({ signal: 'INT', removeFolders: [home] });
  const isClosed = (await findClosedFolders(user, found.directory)).length > 0;
  const { postgres: program } = isClosed ? await linkPostgresBinaries(found, join(home, 'programs')) : found;
  await chmod(home, 0o711);
  await copyFiles(primary, join(home, 'data'));
  for (const file of ['standby.signal', 'backup_label', 'postgresql.auto.conf'])
    await giveTo(user, join(home, 'data', file));
  const server = await spawnServer({ program, home, port, user, durable: false });
  watcher.watch(server.pid);
  const url = new URL(primary.url);
  url.port = String(port);
  const stop = async (): Promise<void> => {
    await endServer(server);
    watcher.release();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await until(() => ask(url.href, 'select pg_is_in_recovery()', (row) => row['pg_is_in_recovery'] === true));
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop, ...actions(primary.url, url.href) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

/**
 * The files as they are while the primary runs, with the label that says from where its log makes
 * them consistent.
 */
async function copyFiles(primary: EmbeddedPostgres, target: string): Promise<void> {
  await onServer(primary.url, async (sql) => {
    const [place] = await sql<{ data_directory: string }[]>`show data_directory`;
    const source = place?.data_directory ?? '';
    await sql`select pg_backup_start('standby', true)`;
    await mkdir(target, { mode: 0o700 });
    await run('cp', ['-a', `${source}/.`, target]);
    const [label] = await sql<{ labelfile: string }[]>`select labelfile from pg_backup_stop(false)`;
    await rm(join(target, 'postmaster.pid'), { force: true });
    await writeFile(join(target, 'backup_label'), label?.labelfile ?? '', { mode: 0o600 });
    await writeFile(join(target, 'standby.signal'), '', { mode: 0o600 });
    await writeFile(join(target, 'postgresql.auto.conf'), `primary_conninfo = '${conninfoOf(primary.url)}'\n`);
  });
}

function conninfoOf(url: string): string {
  const { hostname, port, username, password } = new URL(url);
  return `host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}`;
}

function actions(primaryUrl: string, standbyUrl: string): Pick<Standby, 'caughtUp' | 'disconnect' | 'promote'> {
  const isReceiving = () =>
    ask(standbyUrl, 'select count(*)::int as receivers from pg_stat_wal_receiver', (row) => row['receivers'] === 1);
  return {
    async caughtUp() {
      const written = await ask(primaryUrl, 'select pg_current_wal_insert_lsn()::text as lsn', (row) =>
        String(row['lsn']),
      );
      const replayed = `select coalesce(pg_last_wal_replay_lsn() >= '${written}'::pg_lsn,
        false) as is_there`;
      await until(() => ask(standbyUrl, replayed, (row) => row['is_there'] === true));
    },
    async disconnect() {
      await onServer(standbyUrl, async (sql) => {
        await sql.unsafe(`alter system set primary_conninfo = ''`);
        await sql`select pg_reload_conf()`;
      });
      await until(async () => !(await isReceiving()));
    },
    promote: () => ask(standbyUrl, 'select pg_promote(true, 15)', () => undefined),
  };
}

async function ask<T>(url: string, statement: string, read: (row: Readonly<Record<string, unknown>>) => T): Promise<T> {
  return onServer(url, async (sql) => {
    const [row] = await sql.unsafe(statement);
    return read(row ?? {});
  });
}

async function onServer<T>(url: string, use: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await use(sql);
  } finally {
    await sql.end();
  }
}

/** While a server starts it refuses connections. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const answer = await isSo().catch((error: unknown) => error);
    if (answer === true) return;
    if (Date.now() > deadline) throw new Error('The standby did not get there in time.', { cause: answer });
    await sleep(20);
  }
}
