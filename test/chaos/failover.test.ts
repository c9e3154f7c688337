/**
 * `npm run test:chaos -- failover`: 100 failovers each of PostgreSQL (state and queues) and of
 * Redis, under load. Each request that was accepted is answered, and the first run that begins
 * after the server is writable again succeeds within 15 s. `CHAOS_EVERY=10` tries every tenth.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { migrate } from '../../src/db/migrate.ts';
import { hasRedis } from '../support/backends.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { addConnection, type Engine, eventually, openEngine } from '../integration/engine/support.ts';
import { type FailingServer, startFailingPostgres, startFailingRedis } from './failover-servers.ts';

const HOUR_MS = 3_600_000;
const FAILOVERS = Math.ceil(100 / Number(process.env['CHAOS_EVERY'] ?? 1));
const RESUMES_WITHIN_MS = 15_000;
const ANSWERED_WITHIN_MS = 120_000;
const SUBJECTS = 20;
const REQUEST_EVERY_MS = 25;

test('PostgreSQL under state and queues', { timeout: HOUR_MS }, async () => {
  const server = await startFailingPostgres();
  await migrate(server.url);
  const engine = await openEngine(server.url, undefined);
  try {
    await failOver(engine, server);
  } finally {
    await engine.close();
    await server.stop();
  }
});

test.skipIf(!hasRedis)('Redis under the queues', { timeout: HOUR_MS }, async () => {
  const [server, database] = [await startFailingRedis(), await createTestDatabase()];
  const engine = await openEngine(database.url, server.url);
  try {
    await failOver(engine, server);
  } finally {
    await engine.close();
    await server.stop();
    await database.drop();
  }
});

async function failOver(engine: Engine, server: FailingServer): Promise<void> {
  engine.stores.database.watch();
  const worker = await engine.startWorker({});
  let hasEnded = false;
  void worker.mustBeReplaced.then(() => {
    hasEnded = true;
  });
  const load = await startLoad(engine);
  const failovers = Object.entries(server.failovers);
  const waits: { readonly name: string; readonly ms: number }[] = [];
  for (let index = 0; index < FAILOVERS; index += 1) {
    const [name, perform] = failovers[index % failovers.length] ?? failovers[0] ?? ['', () => Promise.resolve()];
    await perform();
    await server.writable();
    waits.push({ name, ms: await firstSuccess(engine) });
  }
  const accepted = await load.stop();
  const lost = await unanswered(engine, accepted);
  report(waits, { accepted: accepted.length, lost: lost.length });
  expect(lost).toEqual([]);
  expect(hasEnded).toBe(false);
  expect(waits.filter(({ ms }) => ms > RESUMES_WITHIN_MS)).toEqual([]);
}

/** Asks for validations all the time. What is returned was accepted: PostgreSQL said so. */
async function startLoad({ stores }: Engine): Promise<{ stop(): Promise<readonly string[]> }> {
  const subjects: string[] = [];
  for (let n = 0; n < SUBJECTS; n += 1) subjects.push((await addConnection(stores, `load-${String(n)}`)).id);
  const accepted: string[] = [];
  let isStopped = false;
  const work = (async () => {
    for (let n = 0; !isStopped; n += 1) {
      const subjectId = subjects[n % SUBJECTS] ?? '';
      const request = { orgId: 'acme', kind: 'validate', subjectId, actor: 'chaos' } as const;
      await stores.requests.open(request).then(
        (id) => accepted.push(id),
        () => undefined,
      );
      await sleep(REQUEST_EVERY_MS);
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await work;
      return accepted;
    },
  };
}

/** Until a run that began from now on has succeeded. */
async function firstSuccess({ stores }: Engine): Promise<number> {
  const startedAt = performance.now();
  const { db } = stores.database;
  let since: string | undefined;
  const look = async () => {
    // The pool itself may need a moment: that counts.
    since ??= String((await db.execute<{ at: string }>(sql`select clock_timestamp()::text as at`))[0]?.at);
    const rows = await db.execute(
      sql`select 1 from keyferry.runs
        where started_at >= ${since}::timestamptz and status = 'succeeded' limit 1`,
    );
    return rows.length > 0;
  };
  await eventually(
    () => look().catch(() => false),
    (hasSucceeded) => hasSucceeded,
    ANSWERED_WITHIN_MS,
  );
  return performance.now() - startedAt;
}

async function unanswered({ stores }: Engine, ids: readonly string[]): Promise<readonly unknown[]> {
  const look = () =>
    stores.database.db.execute(sql`
      select id from keyferry.requests
      where id = any(${sql.param(`{${ids.join(',')}}`)}::uuid[])
        and done_at is null`);
  const deadline = performance.now() + ANSWERED_WITHIN_MS;
  for (;;) {
    const left = await look();
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(100);
  }
}

function report(
  waits: readonly { readonly name: string; readonly ms: number }[],
  { accepted, lost }: { readonly accepted: number; readonly lost: number },
): void {
  const names = [...new Set(waits.map(({ name }) => name))];
  for (const name of names) {
    const own = waits.filter((one) => one.name === name).map(({ ms }) => ms);
    const sorted = own.sort((one, other) => one - other);
    const at = (share: number) => `${((sorted[Math.ceil(sorted.length * share) - 1] ?? 0) / 1_000).toFixed(2)} s`;
    console.log(`${name}: ${String(own.length)} failovers, first success after p50 ${at(0.5)}, max ${at(1)}`);
  }
  console.log(`failovers: ${String(waits.length)}, requests accepted: ${String(accepted)}, lost: ${String(lost)}`);
}
