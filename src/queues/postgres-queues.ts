/**
 * The queues in PostgreSQL, on BullMQ's own backend, given the same server, TLS and session
 * settings as keyferry's tables.
 */
import { createPostgresBackend, type Queue, runMigrations, withBackend, type Worker } from 'bullmq';
import pg from 'pg';

import { createSockets, databaseServerOf, sessionOptions, type Sockets, tlsOptionsOf } from '../database-server.ts';
import { defined } from '../domain/defined.ts';
import type { DatabaseServer } from '../domain/servers/database-url.ts';
import {
  isSchemaDenied,
  type SchemaRights,
  schemaRightsStatement,
  toSchemaDenied,
} from '../domain/servers/schema-rights.ts';
import { postgresProblem } from '../domain/servers/postgres-problems.ts';
import { hostsOf } from '../domain/servers/url-hosts.ts';
import { JobError } from '../errors.ts';
import { lazily, type QueueBackend, queueSettings, retention, type Traced, workerSettings } from './settings.ts';

/** Each queue and each worker has a pool of this many, and one connection more to listen. */
const POOL_SIZE = 4;
const TRIM_EVERY_MS = 60_000;
const MISSING_TABLES =
  'The tables of the queue are missing in PostgreSQL. Run `keyferry migrate` with the same REDIS_URL (or none) as the workers.';

export function createPostgresQueues(databaseUrl: string, traced: Traced): QueueBackend {
  const server = databaseServerOf(databaseUrl);
  const sockets = createSockets();
  const Bound = withBackend(createPostgresBackend);
  let hasTls = server.tls.mode !== 'disable';
  const connection = () => ({ ...driverOptions(server, { sockets, hasTls }), max: POOL_SIZE });
  const queues = lazily(
    (kind) =>
      new Bound.Queue(kind, {
        ...queueSettings,
        ...traced(),
        connection: connection(),
        skipWaitingForReady: true,
      }) as unknown as Queue,
  );
  /** `prefer`: what the server does not offer is left out from here on. */
  const withClient = async <T>(use: (client: pg.Client) => Promise<T>): Promise<T> => {
    try {
      return await useClient(driverOptions(server, { sockets, hasTls }), use);
    } catch (error) {
      if (server.tls.mode === 'prefer' && hasTls && isTlsRefused(error)) {
        hasTls = false;
        return withClient(use);
      }
      throw toQueueError(error, databaseUrl);
    }
  };
  const check = () => withClient(proveWork);
  return {
    engine: 'postgres',
    queue: queues.get,
    worker(kind, handler, { concurrency, name }) {
      const { removeOnComplete, removeOnFail } = retention[kind];
      const { age, count } = removeOnComplete;
      const settings = { ...workerSettings, removeOnComplete: { age }, removeOnFail, ...traced() };
      const worker = new Bound.Worker(kind, handler, { ...settings, connection: connection(), concurrency, name });
      worker.on('error', (error) => {
        if ((error as { code?: unknown }).code === '25006') sockets.dropAll();
      });
      const trimming = setInterval(() => {
        void keepNewest(queues.get(kind), count).catch(() => undefined);
      }, TRIM_EVERY_MS).unref();
      worker.on('closed', () => {
        clearInterval(trimming);
      });
      return worker as unknown as Worker;
    },
    prepare: () => withClient(prepareSchema),
    check,
    async checkAfresh() {
      await check();
    },
    async close() {
      await Promise.allSettled(queues.all().map((queue) => queue.close()));
    },
  };
}

/**
 * Deletes completed jobs beyond the newest `count`. As a setting of its worker BullMQ does that at
 * the end of each job, with a statement that reads all of them: most of what a job took of
 * PostgreSQL.
 */
export async function keepNewest(queue: Pick<Queue, 'getJobs' | 'clean'>, count: number): Promise<void> {
  const [firstTooMany] = await queue.getJobs(['completed'], count, count);
  if (firstTooMany?.finishedOn === undefined) return;
  await queue.clean(Math.max(0, Date.now() - firstTooMany.finishedOn), 0, 'completed');
}

type DriverOptions = Omit<pg.ClientConfig, 'password'> & { readonly password?: string };

function driverOptions(
  server: DatabaseServer,
  { sockets, hasTls }: { readonly sockets: Sockets; readonly hasTls: boolean },
): DriverOptions {
  return {
    host: server.host,
    port: server.port,
    ...defined({ user: server.user, password: server.password, database: server.database }),
    ssl: hasTls && tlsOptionsOf(server),
    stream: () => sockets.create(),
    options: sessionOptions(server),
    connectionTimeoutMillis: server.connectSeconds * 1_000,
    application_name: 'keyferry queue',
    ...(server.tls.isDirect && { sslnegotiation: 'direct' }),
  };
}

async function useClient<T>(options: DriverOptions, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(options);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Creating the schema needs a right that using it does not, also where it exists: that statement
 * runs only where it does not.
 */
async function prepareSchema(client: pg.Client): Promise<void> {
  const [rights] = (await client.query<SchemaRights>(schemaRightsStatement, ['bullmq'])).rows;
  const hasSchema = rights !== undefined && rights.owner !== null;
  const isDone = (text: unknown) =>
    hasSchema && typeof text === 'string' && text.startsWith('CREATE SCHEMA IF NOT EXISTS');
  const query = (text: string, values?: unknown[]) =>
    isDone(text) ? Promise.resolve({ rows: [] }) : client.query(text, values);
  try {
    await runMigrations({ query });
  } catch (error) {
    if (rights !== undefined && isSchemaDenied(codeOf(error))) throw toSchemaDenied('bullmq', rights, error);
    throw error;
  }
}

const codeOf = (error: unknown): unknown => ((error ?? {}) as { readonly code?: unknown }).code;

/**
 * A statement that a standby refuses and that needs the rights of a worker, on rows that do not
 * exist.
 */
async function proveWork(client: pg.Client): Promise<readonly string[]> {
  // Workers on a store without its tables would do nothing but fail, millions of times a second.
  const { rows } = await client.query<{ exists: boolean }>(`select
    to_regclass('bullmq.job') is not null as exists`);
  if (rows[0]?.exists !== true) throw new JobError('DB_NOT_MIGRATED', { message: MISSING_TABLES });
  await client.query(`update bullmq.job set priority = priority where false`);
  return [];
}

const isTlsRefused = (error: unknown): boolean => error instanceof Error && /does not support SSL/.test(error.message);

function toQueueError(cause: unknown, databaseUrl: string): JobError {
  if (cause instanceof JobError) return cause;
  const sentence = sentenceOf(cause);
  const hosts = hostsOf(databaseUrl);
  return new JobError('QUEUE_UNAVAILABLE', {
    message: `The queue in PostgreSQL ${sentence}`,
    operatorMessage: hosts === undefined ? undefined : `The queue in PostgreSQL at ${hosts} ${sentence}`,
    cause,
  });
}

function sentenceOf(cause: unknown): string {
  if (isTlsRefused(cause)) return 'does not offer TLS. Use sslmode=disable in DATABASE_URL, or switch TLS on.';
  const code = codeOf(cause);
  return (
    postgresProblem(typeof code === 'string' ? code : '') ??
    'cannot be reached. Check DATABASE_URL and that the server is running.'
  );
}
