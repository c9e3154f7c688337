import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { findEmbeddedPostgres, startEmbeddedPostgres, type EmbeddedPostgres } from '../../../src/sandbox/postgres.ts';
import { identifyProcess, isProcessAlive, type ProcessIdentity } from '../../../src/sandbox/process-identity.ts';
import { hostileEnvironment } from '../../support/environment.ts';
import { runProcess, startProcess, type TestProcess } from '../../support/processes.ts';

const HOLDER = new URL('../../support/embedded-postgres-holder.ts', import.meta.url).pathname;

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyferry-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(directory: string, persistent: 'persistent' | 'temporary'): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ directory, persistent: persistent === 'persistent' });
  onTestFinished(() => server.stop());
  return server;
}

async function query(url: string, statement: string): Promise<unknown> {
  const sql = postgres(url, { max: 1 });
  try {
    return (await sql.unsafe(statement))[0]?.['value'];
  } finally {
    await sql.end();
  }
}

/** In a hostile environment, so that every test shows that PG* variables have no effect. */
function hold(directory: string, kind: 'persistent' | 'temporary'): TestProcess {
  const environment = hostileEnvironment();
  return startProcess(process.execPath, { arguments: ['--import', 'tsx', HOLDER, directory, kind], environment });
}

async function servedBy(holder: TestProcess): Promise<ProcessIdentity> {
  return identifyProcess(Number((await holder.waitForLine(/^serving/)).split(' ')[1]));
}

describe('an embedded PostgreSQL', () => {
  it('serves on loopback and leaves nothing when it stops', async () => {
    const directory = join(await createFolder(), 'postgres');
    const server = await start(directory, 'temporary');
    const identity = identifyProcess(server.pid);
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    expect(await query(server.url, `select version() as value`)).toMatch(/^PostgreSQL 18/);
    await server.stop();
    expect(isProcessAlive(identity)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });

  it('stops with clients connected, and twice', async () => {
    const server = await start(await createFolder(), 'temporary');
    const identity = identifyProcess(server.pid);
    const sql = postgres(server.url, { max: 1 });
    onTestFinished(() => sql.end());
    await sql`select 1`;
    await Promise.all([server.stop(), server.stop()]);
    expect(isProcessAlive(identity)).toBe(false);
  });

  it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('ends when its program gets %s', async (signal) => {
    const directory = join(await createFolder(), 'postgres');
    const holder = hold(directory, 'temporary');
    const server = await servedBy(holder);
    holder.signal(signal);
    await holder.waitForExit();
    await vi.waitUntil(() => !isProcessAlive(server) && !existsSync(directory), { timeout: 10_000 });
  });
});

describe('a persistent embedded PostgreSQL', () => {
  // Creating a cluster takes over a second, so these tests share one; each leaves it stopped.
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyferry-test-'));
    return () => rm(directory, { recursive: true, force: true });
  });

  it('prints nothing of its password and keeps it to its owner', async () => {
    const server = await start(directory, 'persistent');
    const password = new URL(server.url).password;
    expect(password.length).toBeGreaterThan(20);
    expect((await stat(join(directory, 'instance.json'))).mode & 0o777).toBe(0o600);
    await expect(query(server.url.replace(password, 'wrong'), 'select 1')).rejects.toThrow(/password/);
  });

  it('keeps its data, port and password over a restart', async () => {
    const first = await start(directory, 'persistent');
    await query(first.url, 'create table kept as select 42 as value');
    await first.stop();
    const second = await start(directory, 'persistent');
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'select value from kept')).toBe(42);
  });

  it('is joined by a second program, which does not stop it', async () => {
    const holder = hold(directory, 'persistent');
    const held = await servedBy(holder);
    const joined = await start(directory, 'persistent');
    expect(joined).toMatchObject({ joined: true, pid: held.pid });
    expect(await findEmbeddedPostgres(directory)).toMatchObject({ url: joined.url });
    await joined.stop();
    expect(isProcessAlive(held)).toBe(true);
  });

  it('is started once by programs that come at the same moment', async () => {
    const servers = await Promise.all([start(directory, 'persistent'), start(directory, 'persistent')]);
    expect(servers.map(({ joined }) => joined).sort()).toEqual([false, true]);
    expect(servers[0].url).toBe(servers[1].url);
  });

  it('is taken over when its program is gone and the server is not', async () => {
    const holder = hold(directory, 'persistent');
    const orphan = await servedBy(holder);
    await killWatcherOf(holder.pid);
    await holder.kill();
    expect(isProcessAlive(orphan)).toBe(true);
    expect(await findEmbeddedPostgres(directory)).toBeUndefined();
    const server = await start(directory, 'persistent');
    expect(server.joined).toBe(false);
    expect(isProcessAlive(orphan)).toBe(false);
  });

  it('starts although a lock names a process that is no PostgreSQL', async () => {
    await (await start(directory, 'persistent')).stop();
    await writeFile(join(directory, 'data', 'postmaster.pid'), `${process.pid}\n${directory}\n`);
    const server = await start(directory, 'persistent');
    expect(await query(server.url, 'select 1 as value')).toBe(1);
  });

  it('names the reason when it cannot start', async () => {
    await (await start(directory, 'persistent')).stop();
    await writeFile(join(directory, 'data', 'PG_VERSION'), '9\n');
    const failure = await startEmbeddedPostgres({ directory, persistent: true }).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/did not start.*incompatible.*Set DATABASE_URL/);
    expect(await readdir(directory)).not.toContain('start.lock');
  });
});

async function killWatcherOf(parent: number): Promise<void> {
  const { stdout } = await runProcess('ps', { arguments: ['-eo', 'pid=,ppid=,args='] });
  const processes = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  const watcher = processes.find((fields) => Number(fields[1]) === parent && fields.includes('keyferry-watcher'));
  process.kill(Number(watcher?.[0]), 'SIGKILL');
}
