/**
 * One installation of keyferry as it is deployed: a database, the queues (in Redis or in the same
 * PostgreSQL), one `keyferry worker` process, and the command line. The witness changes it through
 * the command line or as an outside producer, and reads the columns that the documentation
 * promises.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import postgres from 'postgres';

import { cleanEnvironment } from '../support/environment.ts';
import { runKeyferry, runProcess, startUnboundKeyferry, type TestProcess } from '../support/processes.ts';

export type Queues = 'redis' | 'postgres';

export interface InstallationOptions {
  /** Of a PostgreSQL server; the installation makes a database of its own there. */
  readonly serverUrl: string;
  readonly redisUrl: string | undefined;
  /** Undefined: AWS itself. */
  readonly awsUrl: string | undefined;
  readonly region: string;
  /** Further settings. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly baseIdentity: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface CommandResult {
  readonly code: number | null;
  /** What it printed with `--json`. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export type Counts = Readonly<Record<string, number>>;
export type Row = Readonly<Record<string, unknown>>;

export interface RestOptions {
  readonly limitMs?: number;
  /** Rotations that may wait for their syncs or for a person, and are asked for all the while. */
  readonly waiting?: ReadonlySet<string>;
}

export interface Installation {
  readonly queues: Queues;
  /** `keyferry …`, whatever it ends with. */
  run(command: string, input?: string): Promise<CommandResult>;
  /** `keyferry …` that must end with 0. */
  must(command: string, input?: string): Promise<CommandResult>;
  /** Adds a job with nothing but BullMQ, in a process of its own. */
  addJob(queue: string, name: string, data: Readonly<Record<string, unknown>>): Promise<void>;
  rows(query: string, ...parameters: readonly string[]): Promise<readonly Row[]>;
  /** The calls that all runs together say they made. */
  reportedCalls(): Promise<Counts>;
  /**
   * Waits until nothing is due, asked for, or running; what rotations that wait were asked for
   * stays open.
   */
  rest(options?: RestOptions): Promise<void>;
  until(isSo: () => Promise<boolean>, limitMs?: number): Promise<void>;
  startWorker(): Promise<void>;
  /** SIGKILL; returns at once. */
  killWorker(): void;
  close(): Promise<void>;
}

const PRODUCER = fileURLToPath(new URL('producer.mjs', import.meta.url));
const POLL_MS = 100;
const REST_LIMIT_MS = 120_000;

export async function openInstallation(options: InstallationOptions): Promise<Installation> {
  const database = await createDatabase(options.serverUrl);
  const key = await runKeyferry(['keys', 'generate']);
  const environment = environmentOf(options, { databaseUrl: database.url, encryptionKeys: key.stdout.trim() });
  const sql = postgres(database.url, { max: 2, onnotice: () => undefined });
  const migrated = await runKeyferry(['migrate'], { environment }, 90_000);
  if (migrated.code !== 0) throw new Error(`keyferry migrate: ${migrated.stderr}`);
  return {
    queues: options.redisUrl === undefined ? 'postgres' : 'redis',
    ...commands(environment),
    ...readings(sql),
    ...workers(environment),
    async addJob(queue, name, data) {
      const exit = await runProcess(
        process.execPath,
        { arguments: [PRODUCER, queue, name, JSON.stringify(data)], environment },
        60_000,
      );
      if (exit.code !== 0) throw new Error(`The producer failed: ${exit.stderr}`);
    },
    async close() {
      await sql.end();
      await database.drop();
    },
  };
}

async function createDatabase(serverUrl: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `keyferry_witness_${randomBytes(4).toString('hex')}`;
  const onServer = async (statement: string): Promise<void> => {
    const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined });
    try {
      await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };
  await onServer(`create database "${name}"`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => onServer(`drop database "${name}" with (force)`) };
}

function environmentOf(
  options: InstallationOptions,
  { databaseUrl, encryptionKeys }: { databaseUrl: string; encryptionKeys: string },
): Record<string, string> {
  return cleanEnvironment({
    DATABASE_URL: databaseUrl,
    ...(options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }),
    KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
    KEYFERRY_ORG: 'acme',
    // Only what a story asks for runs, so that calls can be counted.
    KEYFERRY_REVALIDATE_EVERY: '30d',
    KEYFERRY_RECONCILE_EVERY: '30d',
    ...(options.awsUrl === undefined ? {} : { AWS_ENDPOINT_URL: options.awsUrl }),
    ...options.environment,
    AWS_REGION: options.region,
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: options.baseIdentity.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: options.baseIdentity.secretAccessKey,
  });
}

function commands(environment: Record<string, string>): Pick<Installation, 'run' | 'must'> {
  const run: Installation['run'] = async (command, input = '') => {
    const exit = await runKeyferry([...words(command), '--json'], { environment, input }, 180_000);
    return { code: exit.code, json: parse(exit.stdout), text: `${exit.stdout}${exit.stderr}` };
  };
  return {
    run,
    async must(command, input) {
      const result = await run(command, input);
      if (result.code !== 0) throw new Error(`keyferry ${command} ended with ${String(result.code)}: ${result.text}`);
      return result;
    },
  };
}

/** Splits at blanks; stories use no quotes. */
const words = (command: string): string[] => command.split(/\s+/).filter((word) => word !== '');

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function readings(sql: postgres.Sql): Pick<Installation, 'rows' | 'reportedCalls' | 'rest' | 'until'> {
  const rows: Installation['rows'] = async (query, ...parameters) => sql.unsafe(query, [...parameters]);
  return {
    rows,
    async reportedCalls() {
      const found = await rows(
        `select key as operation, sum(value::int)::int as count
         from keyferry.runs, jsonb_each_text(aws_calls)
         group by key`,
      );
      return Object.fromEntries(found.map(({ operation, count }) => [String(operation), Number(count)]));
    },
    async until(isSo, limitMs = REST_LIMIT_MS) {
      const deadline = Date.now() + limitMs;
      while (!(await isSo())) {
        if (Date.now() > deadline) throw new Error(`Still not so after ${String(limitMs / 1_000)} s: ${String(isSo)}`);
        await sleep(POLL_MS);
      }
    },
    async rest({ limitMs = REST_LIMIT_MS, waiting = new Set() } = {}) {
      const deadline = Date.now() + limitMs;
      for (;;) {
        const [{ unrest } = {}] = await rows(UNREST, [...waiting].join(','));
        if (unrest === null) return;
        if (Date.now() > deadline)
          throw new Error(`Not at rest after ${String(limitMs / 1_000)} s: ${JSON.stringify(unrest)}`);
        await sleep(POLL_MS);
      }
    },
  };
}

/**
 * Null, or what is still to be done. A rotation that waits looks at its syncs ever more rarely, up
 * to every half minute; at a lost key every hour.
 */
const UNREST = `
  with waiting as (
    select id from keyferry.rotations
    where name = any (string_to_array($1, ','))
      and next_due_at > now() + interval '5 seconds' and run_token is null
  ), due as (
    select 'connection ' || name as what, next_due_at, run_token, wanted_revision, done_revision
    from keyferry.connections
    union all
    select 'sync ' || name, next_due_at, run_token, wanted_revision, done_revision
    from keyferry.syncs
    union all
    select 'rotation ' || name, next_due_at, run_token, wanted_revision, done_revision
    from keyferry.rotations
  ), open as (
    select what || ' is due' as what from due where next_due_at <= now() or run_token is not null
    union all
    select kind || ' was asked for' from keyferry.requests
    where done_at is null and subject_id not in (select id from waiting)
    union all
    select kind || ' runs' from keyferry.runs where status = 'running'
  )
  select string_agg(what, ', ') as unrest from open`;

function workers(environment: Record<string, string>): Pick<Installation, 'startWorker' | 'killWorker'> {
  let worker: TestProcess | undefined;
  return {
    async startWorker() {
      worker = startUnboundKeyferry(['worker'], { environment });
      await worker.waitForLine(/worker started/, 90_000);
    },
    killWorker() {
      worker?.signal('SIGKILL');
    },
  };
}
