/**
 * The life of one PostgreSQL server process: start, readiness, end. It knows a data directory, and
 * nothing about the caller.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobError } from '../errors.ts';
import type { RuntimeUser } from './postgres-user.ts';
import { findCommandLine, identifyProcess, isProcessAlive } from './process-identity.ts';

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;
const POLL_MS = 15;
/**
 * Nothing of the caller's: PG* variables would redirect the server, and a foreign locale its
 * messages.
 */
export const SERVER_ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

export interface ServerPlan {
  readonly program: string;
  /** Holds `data` and `postgres.log`. */
  readonly home: string;
  readonly port: number;
  readonly user: RuntimeUser;
  /**
   * Flushes to disk; without it a power cut loses everything, and tests are several times faster.
   */
  readonly durable: boolean;
}

export async function spawnServer(plan: ServerPlan): Promise<ChildProcess> {
  await endStaleLock(plan.home);
  const log = await open(logFile(plan.home), 'w', 0o600);
  const settings = serverSettings(plan).flatMap((setting) => ['-c', setting]);
  // Its own process group: Ctrl-C in a terminal must reach only the program, which stops the server
  // when its work is settled.
  const server = spawn(plan.program, ['-D', join(plan.home, 'data'), '-p', String(plan.port), ...settings], {
    ...plan.user,
    env: SERVER_ENVIRONMENT,
    cwd: '/',
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  server.on('error', () => undefined);
  await log.close();
  return server;
}

function serverSettings({ durable }: ServerPlan): string[] {
  return [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=64MB',
    'timezone=UTC',
    'log_timezone=UTC',
    // Its log must hold no value: no failed statement, no "Key (…)=(…)".
    'log_min_error_statement=panic',
    'log_error_verbosity=terse',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
}

const logFile = (home: string): string => join(home, 'postgres.log');

/**
 * PostgreSQL refuses to start while the pid in its lock lives, even when the system has since given
 * it to another program.
 */
async function endStaleLock(home: string): Promise<void> {
  const lock = join(home, 'data', 'postmaster.pid');
  const pid = Number((await readFile(lock, 'utf8').catch(() => '')).split('\n')[0]);
  // Of a pid that is free PostgreSQL makes sure by itself.
  const command = pid > 0 ? findCommandLine(pid) : undefined;
  if (command === undefined) return;
  if (command.includes(join(home, 'data'))) await endProcess(pid);
  else await rm(lock, { force: true });
}

/**
 * False when it ended instead. The eighth line of its lock file is its own word on its state, as
 * `pg_ctl` reads it.
 */
export async function becomesReady(server: ChildProcess, home: string): Promise<boolean> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && isRunning(server)) {
    const lock = await readFile(join(home, 'data', 'postmaster.pid'), 'utf8').catch(() => '');
    const [pid, , , , , , , state] = lock.split('\n');
    if (Number(pid) === server.pid && state?.trim() === 'ready') return true;
    await sleep(POLL_MS);
  }
  return false;
}

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

export async function endServer(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || !isRunning(server)) return;
  const exited = once(server, 'exit');
  server.ref();
  await endProcess(server.pid);
  await exited;
}

/** Fast shutdown (SIGINT: open connections are cut), then immediate, then by force. */
export async function endProcess(pid: number): Promise<void> {
  const identity = identifyProcess(pid);
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!sendSignal(pid, signal)) return;
    const deadline = Date.now() + STOP_LIMIT_MS;
    while (Date.now() < deadline) {
      if (!isProcessAlive(identity)) return;
      await sleep(POLL_MS);
    }
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

export async function startFailure(home: string): Promise<JobError> {
  return serverError('did not start', await readFile(logFile(home), 'utf8').catch(() => ''));
}

export function serverError(what: string, output: string): JobError {
  const reason = output.split('\n').findLast((line) => /FATAL|PANIC|error|ENOENT|EACCES/i.test(line));
  return new JobError('DB_UNAVAILABLE', {
    message: `The embedded PostgreSQL ${what} (${reason?.slice(0, 120) ?? 'it gave no reason'}). Set DATABASE_URL to use another server.`,
    cause: new Error(output),
  });
}
