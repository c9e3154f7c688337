/**
 * The one place that decides where queues live: Redis when there is a URL, else BullMQ's own PostgreSQL backend in the same database. Nothing else in
 * the program knows. It makes queues and workers with the settings that must differ from BullMQ's defaults.
 */
import { createPostgresBackend, Queue, runMigrations, withBackend, Worker, type Job, type WorkerOptions } from 'bullmq';
import pg from 'pg';

import type { Kind } from '../domain/run.ts';
import { hostsOf } from '../domain/url-hosts.ts';
import { JobError } from '../errors.ts';
import { connectRedis, type RedisConnection } from './redis.ts';
import type { QueueTelemetry } from './telemetry.ts';

export const QUEUE_PREFIX = '{keyferry}';

export type JobHandler = (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<unknown>;

export interface QueueBackend {
  readonly engine: 'redis' | 'postgres';
  /** For producing and for the board; its calls fail fast. One per kind, shared. */
  queue(kind: Kind): Queue;
  worker(kind: Kind, handler: JobHandler, options: { readonly concurrency: number; readonly name: string }): Worker;
  /** Creates what the queue needs in its store. Throws QUEUE_UNAVAILABLE. */
  prepare(): Promise<void>;
  /** Throws QUEUE_UNAVAILABLE unless the queue answers. Returns warnings about its settings. */
  check(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const DAY_SECONDS = 86_400;

/** Removal is set on the worker, so that jobs of outside producers obey it too. */
const retention: Readonly<Record<Kind, Pick<WorkerOptions, 'removeOnComplete' | 'removeOnFail'>>> = {
  validate: { removeOnComplete: { age: 3_600, count: 1_000 }, removeOnFail: { age: 7 * DAY_SECONDS, count: 5_000 } },
  sync: { removeOnComplete: { age: 3_600, count: 1_000 }, removeOnFail: { age: 7 * DAY_SECONDS, count: 5_000 } },
  rotate: {
    removeOnComplete: { age: DAY_SECONDS, count: 1_000 },
    removeOnFail: { age: 30 * DAY_SECONDS, count: 5_000 },
  },
};

const workerSettings = {
  prefix: QUEUE_PREFIX,
  autorun: false,
  // A killed worker's job comes back within 20 s; stalls are no verdict on the job, the run lease decides.
  lockDuration: 30_000,
  stalledInterval: 10_000,
  maxStalledCount: 10,
  drainDelay: 5,
} as const;

const queueSettings = {
  prefix: QUEUE_PREFIX,
  // One BullMQ job is one attempt: the next one is PostgreSQL's.
  defaultJobOptions: { attempts: 1, stackTraceLimit: 1, sizeLimit: 4_096 },
} as const;

/** Asked when a queue or worker is made: undefined where nobody collects traces. */
export type FindTelemetry = () => QueueTelemetry | undefined;

export function createQueueBackend(
  options: { readonly databaseUrl: string; readonly redisUrl: string | undefined },
  findTelemetry: FindTelemetry = () => undefined,
): QueueBackend {
  const traced = () => {
    const telemetry = findTelemetry();
    return telemetry ? { telemetry } : {};
  };
  return options.redisUrl === undefined
    ? createPostgresQueues(options.databaseUrl, traced)
    : createRedisQueues(options.redisUrl, traced);
}

type Traced = () => { readonly telemetry?: QueueTelemetry };

/** Queues by kind, made when first asked for. One that could not connect at its beginning never would: it is made anew for the next caller. */
function lazily(make: (kind: Kind) => Queue): { get(kind: Kind): Queue; all(): Queue[] } {
  const made = new Map<Kind, Queue>();
  const create = (kind: Kind): Queue => {
    const queue = make(kind);
    queue.on('error', () => undefined);
    queue.waitUntilReady().catch(() => {
      if (made.get(kind) === queue) made.delete(kind);
      void queue.close().catch(() => undefined);
    });
    made.set(kind, queue);
    return queue;
  };
  return { get: (kind) => made.get(kind) ?? create(kind), all: () => [...made.values()] };
}

function createRedisQueues(url: string, traced: Traced): QueueBackend {
  let producer: RedisConnection | undefined;
  const workerConnections: RedisConnection[] = [];
  const connection = (): RedisConnection => (producer ??= silenced(connectRedis(url, 'producer')));
  // Without the version check: it is BullMQ's first command, and when Redis is not there yet, its failure stays with the queue for ever: with the
  // board's too, which holds on to the queues that it was given.
  const settings = { ...queueSettings, skipWaitingForReady: true, skipVersionCheck: true };
  const queues = lazily((kind) => new Queue(kind, { ...settings, ...traced(), connection: connection() }));
  return {
    engine: 'redis',
    queue: queues.get,
    worker(kind, handler, { concurrency, name }) {
      const own = silenced(connectRedis(url, 'worker'));
      workerConnections.push(own);
      const settings = { ...workerSettings, ...retention[kind], ...traced() };
      return new Worker(kind, handler, { ...settings, connection: own, concurrency, name });
    },
    prepare: () => Promise.resolve(),
    check: () => checkRedis(connection(), url),
    async close() {
      await Promise.allSettled(queues.all().map((queue) => queue.close()));
      // `quit` would wait for a server that may be gone.
      for (const one of [producer, ...workerConnections]) one?.disconnect();
    },
  };
}

/** Errors of a connection are reported by the worker's rate-limited handler; without a listener they would end the process. */
function silenced(connection: RedisConnection): RedisConnection {
  connection.on('error', () => undefined);
  return connection;
}

async function checkRedis(connection: RedisConnection, url: string): Promise<readonly string[]> {
  try {
    await ready(connection);
    await connection.ping();
    const policy = await evictionPolicy(connection);
    if (policy === undefined || policy === 'noeviction') return [];
    return [`Redis has maxmemory-policy ${policy}: it may drop jobs when full. Set it to noeviction.`];
  } catch (cause) {
    const problem = 'cannot be reached. Check REDIS_URL and that the server runs.';
    const hosts = hostsOf(url);
    throw new JobError('QUEUE_UNAVAILABLE', {
      message: `Redis ${problem}`,
      operatorMessage: hosts === undefined ? undefined : `Redis at ${hosts} ${problem}`,
      cause,
    });
  }
}

/** A producer connection refuses commands until it is connected; give it the time of one command. */
async function ready(connection: RedisConnection): Promise<void> {
  if (connection.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('timeout'));
    }, 2_000);
    connection.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function evictionPolicy(connection: RedisConnection): Promise<string | undefined> {
  try {
    const answer = await connection.call('CONFIG', 'GET', 'maxmemory-policy');
    return Array.isArray(answer) ? String(answer[1]) : undefined;
  } catch {
    // Managed services often forbid CONFIG.
    return undefined;
  }
}

function createPostgresQueues(databaseUrl: string, traced: Traced): QueueBackend {
  const Bound = withBackend(createPostgresBackend);
  const connection = {
    connectionString: databaseUrl,
    max: 4,
    connectionTimeoutMillis: 5_000,
    application_name: 'keyferry queue',
  };
  const queues = lazily(
    (kind) =>
      new Bound.Queue(kind, {
        ...queueSettings,
        ...traced(),
        connection,
        skipWaitingForReady: true,
      }) as unknown as Queue,
  );
  return {
    engine: 'postgres',
    queue: queues.get,
    worker: (kind, handler, { concurrency, name }) =>
      new Bound.Worker(kind, handler, {
        ...workerSettings,
        ...retention[kind],
        ...traced(),
        connection,
        concurrency,
        name,
      }) as unknown as Worker,
    prepare: () =>
      withClient(databaseUrl, async (client) => {
        await runMigrations(client);
      }),
    check: () =>
      withClient(databaseUrl, async (client) => {
        // Workers on a store without its tables would do nothing but fail, millions of times a second.
        const { rows } = await client.query<{ exists: boolean }>(
          `select to_regnamespace('bullmq') is not null as exists`,
        );
        if (rows[0]?.exists === true) return [];
        throw new JobError('DB_NOT_MIGRATED', {
          message:
            'The tables of the queue are missing in PostgreSQL. Run `keyferry migrate` with the same REDIS_URL (or none) as the workers.',
        });
      }),
    async close() {
      await Promise.allSettled(queues.all().map((queue) => queue.close()));
    },
  };
}

async function withClient<T>(databaseUrl: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5_000,
    application_name: 'keyferry queue',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    throw new JobError('QUEUE_UNAVAILABLE', {
      message: 'The queue in PostgreSQL cannot be reached. Check DATABASE_URL.',
      cause,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}
