/**
 * How fast the engine is where AWS is not asked: syncs whose source did not change, decided by
 * revisions alone. Worker processes as they are deployed, with PostgreSQL and Redis on the same
 * machine: the figures are of all of them together. Also what one such sync costs in round trips,
 * how long it takes from a producer's job to the row when nothing else is going on, and how many of
 * the same jobs BullMQ does that do nothing.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import postgres from 'postgres';

import { generateEncryptionKey } from '../src/config/encryption-key.ts';
import { createQueueBackend, type QueueBackend } from '../src/queues/backend.ts';
import { sandboxEnvironment } from '../src/sandbox/environment.ts';
import { startEmbeddedPostgres } from '../src/sandbox/postgres.ts';
import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../test/support/processes.ts';
import { startRedis } from '../test/support/redis.ts';
import { drainBare } from './bare-queue.ts';
import { build } from './build.ts';
import { cpuMs } from './cpu.ts';
import type { Figure } from './figure.ts';

const SYNCS = 6_000;
/** As many as keep the window of an account from being the limit. */
const CONNECTIONS = 1_500;
const LATENCY_SAMPLES = 300;
const CONCURRENCY = 50;

type Engine = 'redis' | 'postgres';

export async function measureThroughput(): Promise<readonly Figure[]> {
  await build();
  return [...(await measureOn('redis')), ...(await measureOn('postgres'))];
}

interface Site {
  readonly sql: postgres.Sql;
  readonly backend: QueueBackend;
  startWorker(): Promise<TestProcess>;
}

async function measureOn(engine: Engine): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const server = await startEmbeddedPostgres({ directory, persistent: false });
  const redis = engine === 'redis' ? await startRedis() : undefined;
  const environment = {
    ...sandboxEnvironment(process.env),
    DATABASE_URL: server.url,
    ...(redis ? { REDIS_URL: redis.url } : {}),
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    KEYFERRY_CONCURRENCY: `sync=${String(CONCURRENCY)}`,
    KEYFERRY_LOG_LEVEL: 'info',
  };
  const sql = postgres(server.url, { max: 2, onnotice: () => undefined });
  const backend = await createQueueBackend({ databaseUrl: server.url, redisUrl: redis?.url });
  try {
    const { code, stderr } = await runKeyferry(['migrate'], { environment }, 60_000);
    if (code !== 0) throw new Error(stderr);
    await createSyncs(sql);
    const site = { sql, backend, startWorker: () => startWorker(environment) };
    const { one, bare, two } = await takeTurns(site);
    const latency = await measureLatency(site);
    return [
      figure(
        'sync.unchanged.per-second',
        one.perSecond,
        'per second, one process',
        engine === 'redis' ? '>= 1000' : 'no goal',
      ),
      figure(
        'roundtrips.per-unchanged-sync',
        one.roundTrips,
        engine === 'redis' ? 'statements' : 'statements, the queue’s own included',
        'as few as possible',
      ),
      figure('sync.unchanged.cpu-ms', one.cpuMs, 'ms of the worker’s CPU per sync', '< 1 for 1000 per second'),
      figure(
        'workers2.speedup',
        two.perSecond / one.perSecond,
        'two processes / one',
        '>= 1; >= 1.6 where two cores are free',
      ),
      figure(
        'sync.unchanged.ratio-to-bare',
        one.perSecond / bare,
        `× bare BullMQ with the same job options (${String(Math.round(bare))} per second)`,
        // A bare job in Redis asks nothing of PostgreSQL, where each sync is claimed and settled.
        engine === 'redis' ? 'no goal' : '>= 0.9',
      ),
      figure('latency.p50-ms', latency.p50, 'ms, job added → row settled', engine === 'redis' ? '<= 15' : 'no goal'),
      figure('latency.p99-ms', latency.p99, 'ms', engine === 'redis' ? '<= 80' : 'no goal'),
    ].map((one) => ({ ...one, name: `${one.name}.${engine}` }));
  } finally {
    await backend.close();
    await sql.end();
    await redis?.stop();
    await server.stop();
  }
}

const figure = (name: string, value: number, unit: string, goal: string): Figure => ({ name, value, unit, goal });

async function startWorker(environment: Record<string, string>): Promise<TestProcess> {
  const worker = startUnboundKeyferry(['worker', '--queues', 'sync'], { environment });
  await worker.waitForLine(/worker started/, 60_000);
  return worker;
}

/** As after a successful sync: source and destination are equal. */
async function createSyncs(sql: postgres.Sql): Promise<void> {
  await sql`
    insert into keyferry.connections (org_id, name, method, role_arn, status, account_id,
      done_revision)
    select 'bench', 'c' || n, 'assume-role', 'arn:aws:iam::' || (100000000000 + n) || ':role/r',
      'valid', (100000000000 + n)::text, 1
    from generate_series(0, ${CONNECTIONS - 1}) n`;
  await sql`
    insert into keyferry.folders (org_id, project_id, environment, secret_path)
    select 'bench', 'p', 'e', '/' || n from generate_series(0, ${SYNCS - 1}) n`;
  await sql`
    insert into keyferry.syncs (org_id, name, connection_id, folder_id, destination,
      destination_config, sync_options, sync_status,
      synced_revision, synced_version, drift, done_revision, last_synced_at)
    select 'bench', 's' || n, c.id, f.id, 'aws-parameter-store',
      jsonb_build_object('region', 'eu-west-1', 'path', '/s' || n || '/'),
      '{}', 'succeeded', 1, 1, 'none', 1, now()
    from generate_series(0, ${SYNCS - 1}) n
      join keyferry.connections c on c.name = 'c' || (n % ${CONNECTIONS})
      join keyferry.folders f on f.secret_path = '/' || n`;
  await sql`analyze`;
}

interface Drained {
  readonly perSecond: number;
  readonly roundTrips: number;
  readonly cpuMs: number;
}

/** One process, bare BullMQ and two processes, each twice and the other way round: means. */
async function takeTurns(site: Site): Promise<{ one: Drained; bare: number; two: Drained }> {
  const drainNothing = async () => {
    await site.sql`vacuum`;
    return drainBare(site.backend, { jobs: SYNCS, concurrency: CONCURRENCY });
  };
  const one = await drain(site, 1);
  const bare = await drainNothing();
  const two = await drain(site, 2);
  const twoAgain = await drain(site, 2);
  const bareAgain = await drainNothing();
  const oneAgain = await drain(site, 1);
  return { one: meanOf(one, oneAgain), bare: (bare + bareAgain) / 2, two: meanOf(two, twoAgain) };
}

function meanOf(first: Drained, second: Drained): Drained {
  const mean = (what: keyof Drained) => (first[what] + second[what]) / 2;
  return { perSecond: mean('perSecond'), roundTrips: mean('roundTrips'), cpuMs: mean('cpuMs') };
}

/** All syncs are requested together; the time from the first run's start to the last run's end. */
async function drain(site: Site, processes: number): Promise<Drained> {
  const { sql } = site;
  await sql`truncate keyferry.runs`;
  // Otherwise whoever comes later works on the rows that earlier drains left dead.
  await sql`vacuum`;
  const workers = await Promise.all(Array.from({ length: processes }, () => site.startWorker()));
  // Connected and compiled: the first jobs of a process are not what is measured.
  await setTimeout(1_000);
  const before = await transactions(sql);
  const cpuBefore = workers.map((worker) => cpuMs(worker.pid));
  await sql`update keyferry.syncs
    set wanted_revision = wanted_revision + 1, next_due_at = now(), due_reason = 'changed'`;
  await sql`select pg_notify('keyferry_due', 'sync')`;
  for (;;) {
    const [row] = await sql`select exists (
      select from keyferry.syncs where wanted_revision > done_revision) as is_left`;
    if (row?.['is_left'] === false) break;
    await setTimeout(250);
  }
  const [span] = await sql`
    select count(*)::int as runs,
      extract(epoch from max(finished_at) - min(started_at))::float8 as seconds from keyferry.runs`;
  const cpu = workers.reduce((sum, worker, index) => sum + cpuMs(worker.pid) - (cpuBefore[index] ?? 0), 0);
  for (const worker of workers) worker.signal('SIGTERM');
  await Promise.all(workers.map((worker) => worker.waitForExit(35_000)));
  const roundTrips = ((await transactions(sql)) - before) / SYNCS;
  if (span?.['runs'] !== SYNCS) throw new Error(`${String(span?.['runs'])} runs of ${String(SYNCS)} syncs`);
  return { perSecond: SYNCS / Number(span['seconds']), roundTrips, cpuMs: cpu / SYNCS };
}

/**
 * Each keyferry statement is its own transaction. The count includes idle ticks and this reader's
 * polls: a handful.
 */
async function transactions(sql: postgres.Sql): Promise<number> {
  await setTimeout(1_500);
  const [row] = await sql`select xact_commit::float8 as n from pg_stat_database
    where datname = current_database()`;
  return Number(row?.['n']);
}

/**
 * One job after the other, at rest in between: from before the producer's `add` to the row's
 * settlement by the database's clock, which is this machine's.
 */
async function measureLatency({ sql, backend, startWorker }: Site): Promise<{ p50: number; p99: number }> {
  await sql`vacuum`;
  const worker = await startWorker();
  const ids = (await sql`select id from keyferry.syncs limit ${LATENCY_SAMPLES + 20}`).map((row) => String(row['id']));
  const queue = backend.queue('sync');
  const samples: number[] = [];
  for (const id of ids) {
    const addedAtMs = performance.timeOrigin + performance.now();
    await queue.add('sync', { syncId: id });
    samples.push((await settledAtMs(sql, id)) - addedAtMs);
    await setTimeout(20 + Math.random() * 60);
  }
  worker.signal('SIGTERM');
  await worker.waitForExit(35_000);
  const sorted = samples.slice(20).sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

async function settledAtMs(sql: postgres.Sql, id: string): Promise<number> {
  for (;;) {
    const [row] = await sql`
      select extract(epoch from r.finished_at)::float8 * 1000 as at from keyferry.requests q
      join keyferry.runs r on r.id = q.run_id
      where q.subject_id = ${id} and q.done_at is not null`;
    if (row) return Number(row['at']);
    await setTimeout(4);
  }
}
