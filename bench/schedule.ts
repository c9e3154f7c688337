/**
 * What a million connections cost while they wait: the time of a tick per due row beside a table a
 * hundredth the size, the memory that Redis spends on those that are not due, and how evenly their
 * validations fall into the hour.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql } from 'drizzle-orm';
import { Redis } from 'ioredis';

import { type DatabaseHandle, openDatabase } from '../src/db/client.ts';
import { dispatchDue } from '../src/db/engine/dispatch.ts';
import { migrate } from '../src/db/migrate.ts';
import { fractionOf, nextValidationMs } from '../src/domain/connection/schedule.ts';
import { createQueueBackend } from '../src/queues/backend.ts';
import { enqueue } from '../src/queues/enqueue.ts';
import { startEmbeddedPostgres } from '../src/sandbox/postgres.ts';
import { startRedis } from '../test/support/redis.ts';
import type { Figure } from './figure.ts';

const SMALL = 10_000;
const LARGE = 1_000_000;
/** Due at each measured tick: what two seconds bring of a million an hour. */
const DUE = 500;
const TICKS = 30;
const WARM_UP_TICKS = 5;
/** Rows of one statement, each of which PostgreSQL gives half a minute. */
const CHUNK = 50_000;
const HOUR_MS = 3_600_000;
const MINUTES = 60;
/** Hours of validations that are played. */
const ROUNDS = 8;

export async function measureSchedule(): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const [postgres, redis] = await Promise.all([startEmbeddedPostgres({ directory, persistent: false }), startRedis()]);
  const [small, large] = [await openTable(postgres.url, 'small'), await openTable(postgres.url, 'large')];
  const client = new Redis(redis.url);
  const backend = await createQueueBackend({ databaseUrl: postgres.url, redisUrl: redis.url });
  const queue = backend.queue('validate');
  try {
    await fill(small, SMALL);
    // The queue's own keys are there before the first measurement.
    await enqueue(queue, 'validate', [
      {
        id: crypto.randomUUID(),
        reason: 'scheduled',
        requestedBy: undefined,
        traceparent: undefined,
        isPatient: false,
      },
    ]);
    const before = await usedMemory(client);
    await fill(large, LARGE);
    await enqueue(queue, 'validate', (await dispatchDue(large.db, 'validate', DUE)).subjects);
    const after = await usedMemory(client);
    return [...scanFigures(await measureTicks(small, large)), ...memoryFigures(before, after), ...measureSpread()];
  } finally {
    client.disconnect();
    await Promise.all([backend.close(), small.close(), large.close()]);
    await Promise.all([postgres.stop(), redis.stop()]);
    await rm(directory, { recursive: true, force: true });
  }
}

async function openTable(serverUrl: string, name: string): Promise<DatabaseHandle> {
  const server = openDatabase(serverUrl, { poolSize: 1 });
  await server.db.execute(sql`create database ${sql.identifier(name)}`);
  await server.close();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await migrate(url.href);
  return openDatabase(url.href, { poolSize: 2 });
}

/** Valid connections, due somewhere within the coming hours: idle now. */
async function fill({ db }: DatabaseHandle, count: number): Promise<void> {
  for (let left = count; left > 0; left -= CHUNK) {
    await db.execute(sql`
      insert into keyferry.connections (org_id, name, method, role_arn, external_id, region, status,
        account_id, next_due_at, next_validation_at)
      select 'org-' || n, 'c', 'assume-role', 'arn:aws:iam::111122223333:role/app', 'org-' || n,
        'eu-west-1', 'valid', '111122223333', due, due
      from (select gen_random_uuid() as n,
        now() + interval '1 hour' + random() * interval '1 hour' as due
        from generate_series(1, ${Math.min(left, CHUNK)}::int)) rows`);
  }
  await db.execute(sql`vacuum analyze keyferry.connections`);
}

interface TickTimes {
  readonly busy: number[];
  readonly idle: number[];
}

/**
 * Ticks that find `DUE` rows, and ticks that find none, on both tables by turns: what else the
 * machine does falls on both.
 */
async function measureTicks(...tables: readonly DatabaseHandle[]): Promise<readonly TickTimes[]> {
  const times = tables.map((): TickTimes => ({ busy: [], idle: [] }));
  for (let tick = 0; tick < WARM_UP_TICKS + TICKS; tick += 1) {
    for (const [index, table] of tables.entries()) {
      const idleMs = await timeTick(table, 0);
      await makeDue(table);
      const busyMs = await timeTick(table, DUE);
      await putBack(table);
      if (tick < WARM_UP_TICKS) continue;
      times[index]?.idle.push(idleMs);
      times[index]?.busy.push(busyMs);
    }
  }
  return times;
}

async function putBack({ db }: DatabaseHandle): Promise<void> {
  await db.execute(sql`
    update keyferry.connections
    set dispatch_lease_until = null,
      next_due_at = now() + interval '1 hour' + random() * interval '1 hour'
    where dispatch_lease_until is not null`);
}

/** Ids are random, so these rows lie anywhere in the table. */
async function makeDue({ db }: DatabaseHandle): Promise<void> {
  const from = `${String(Math.floor(Math.random() * 8))}${crypto.randomUUID().slice(1)}`;
  await db.execute(sql`
    update keyferry.connections set next_due_at = now() - interval '1 second'
    where id in (select id from keyferry.connections where id > ${from} order by id limit ${DUE})`);
}

async function timeTick({ db }: DatabaseHandle, expected: number): Promise<number> {
  const startedAt = performance.now();
  const { subjects } = await dispatchDue(db, 'validate', DUE);
  const ms = performance.now() - startedAt;
  if (subjects.length !== expected)
    throw new Error(`A tick found ${String(subjects.length)} rows, not ${String(expected)}.`);
  return ms;
}

function scanFigures([small, large]: readonly TickTimes[]): readonly Figure[] {
  const perRowMs = (times: TickTimes | undefined) => median(times?.busy ?? []) / DUE;
  const micros = (times: TickTimes | undefined) => `${(perRowMs(times) * 1_000).toFixed(1)} µs`;
  return [
    {
      name: 'due-scan.per-row-ratio',
      value: perRowMs(large) / perRowMs(small),
      unit: `a due row: ${micros(large)} / ${micros(small)}`,
      goal: '<= 1.3 (10^6 against 10^4 rows)',
    },
    {
      name: 'due-scan.idle-ms',
      value: median(large?.idle ?? []),
      unit: `ms (10^4 rows: ${median(small?.idle ?? []).toFixed(1)})`,
      goal: 'a tick that finds nothing, 10^6 rows',
    },
  ];
}

function memoryFigures(before: number, after: number): readonly Figure[] {
  return [
    {
      name: 'redis.bytes-per-idle-connection',
      value: (after - before) / LARGE,
      unit: `bytes (${String(after - before)} in all)`,
      goal: '0',
    },
  ];
}

async function usedMemory(redis: Redis): Promise<number> {
  const match = /used_memory:(\d+)/.exec(await redis.info('memory'));
  return Number(match?.[1] ?? Number.NaN);
}

/** All were made in one moment; each run plans the next by the processor's own rule. */
function measureSpread(): readonly Figure[] {
  const perMinute = new Uint32Array(MINUTES * (ROUNDS + 2));
  for (let connection = 0; connection < LARGE; connection += 1) {
    let at = 0;
    for (let round = 0; at < MINUTES * ROUNDS; round += 1) {
      const history = { consecutiveFailures: 0, isFirst: round === 0, ageMs: HOUR_MS * 24, isRoleRefused: false };
      at += nextValidationMs(HOUR_MS, history, fractionOf(crypto.randomUUID())) / 60_000;
      const minute = Math.floor(at);
      perMinute[minute] = (perMinute[minute] ?? 0) + 1;
    }
  }
  // The first hour begins with the first of them.
  const [first, last] = [3, MINUTES * ROUNDS];
  const ratios = [...perMinute.subarray(first, last)].map((count) => count / (LARGE / MINUTES));
  const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)];
  return [
    {
      name: 'spread.worst-minute-ratio',
      value: highest - 1 > 1 - lowest ? highest : lowest,
      unit: `of the mean (minutes between ${lowest.toFixed(3)} and ${highest.toFixed(3)} in ${String(ROUNDS)} hours)`,
      goal: '0.8 to 1.2',
    },
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
