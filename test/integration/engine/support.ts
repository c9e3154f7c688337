/** An engine with scripted processors: real PostgreSQL, real queues, no AWS. */
import { randomBytes } from 'node:crypto';

import { sql } from 'drizzle-orm';
import { pino, type Logger } from 'pino';
import { afterAll, beforeAll } from 'vitest';

import { openStores, type OpenStores } from '../../../src/stores.ts';
import { repairInvariants } from '../../../src/db/invariants.ts';
import type { WorkStore } from '../../../src/db/engine/work.ts';
import { DUE_CHANNEL } from '../../../src/db/engine/subjects.ts';
import { kinds, type Kind, type Outcome } from '../../../src/domain/run.ts';
import { createQueueBackend, type QueueBackend } from '../../../src/queues/backend.ts';
import type { Processor, Run } from '../../../src/workers/engine/processor.ts';
import type { WatchdogTimes } from '../../../src/workers/engine/watchdog.ts';
import { startWorker, type WorkerProcess } from '../../../src/workers/engine/worker.ts';
import { useTestDatabase } from '../../support/postgres.ts';

export const ENCRYPTION_KEYS = [{ id: 'test', key: randomBytes(32) }] as const;

export interface Engine {
  readonly stores: OpenStores;
  readonly backend: QueueBackend;
  startWorker(script: Script): Promise<WorkerProcess>;
  close(): Promise<void>;
}

/**
 * For the top of a test file: an engine on a database of its own, with its queues in PostgreSQL,
 * from before the first test to after the last.
 */
export function useEngine(): () => Engine {
  const database = useTestDatabase();
  let engine: Engine | undefined;
  beforeAll(async () => {
    engine = await openEngine(database().url, undefined);
  });
  afterAll(() => engine?.close());
  return () => {
    if (engine === undefined) throw new Error('There is no engine before the first test begins.');
    return engine;
  };
}

export interface Script {
  /** What a run of any kind does; default: succeeds. */
  perform?(run: Run<Kind>): Promise<Outcome>;
  dueAt?(): Date | null;
  onHotLoop?(kind: Kind): void;
  onLeaseLost?(kind: Kind): void;
  readonly watchdogTimes?: WatchdogTimes;
  /** Its queue workers take nothing, as if their connections were dead. */
  readonly isDeaf?: boolean;
  readonly log?: Logger;
  readonly outageQuietMs?: number;
  /** In place of the engine's own. */
  readonly work?: Partial<WorkStore>;
}

export async function openEngine(databaseUrl: string, redisUrl: string | undefined): Promise<Engine> {
  const stores = openStores({ databaseUrl, encryptionKeys: ENCRYPTION_KEYS });
  const backend = await createQueueBackend({ databaseUrl, redisUrl });
  await backend.prepare();
  const workers: WorkerProcess[] = [];
  return {
    stores,
    backend,
    async startWorker(script) {
      const worker = await startScriptedWorker(stores, backend, script);
      workers.push(worker);
      return worker;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.stop(5_000)));
      await backend.close();
      await stores.close();
    },
  };
}

function startScriptedWorker(stores: OpenStores, backend: QueueBackend, script: Script): Promise<WorkerProcess> {
  const conclude = (outcome: Outcome) => ({ outcome, changes: {}, dueAt: script.dueAt?.() ?? null });
  const processor = <K extends Kind>(kind: K): Processor<K> => ({
    kind,
    perform: async (run) => conclude((await script.perform?.(run)) ?? { status: 'succeeded' }),
    conclude,
  });
  return startWorker({
    backend: script.isDeaf === true ? deafen(backend) : backend,
    work: { ...stores.work, ...script.work },
    kinds,
    concurrency: { validate: 5, sync: 5, rotate: 2 },
    processors: { validate: processor('validate'), sync: processor('sync'), rotate: processor('rotate') },
    async listen(onDue) {
      const subscription = await stores.database.client.listen(DUE_CHANNEL, onDue);
      return () => subscription.unlisten();
    },
    ...(script.watchdogTimes && { watchdogTimes: script.watchdogTimes }),
    checkDatabase: () => stores.database.checkAfresh(),
    deleteExpired: () => Promise.resolve({ deleted: 0, mayHaveMore: false }),
    repairInvariants: () => repairInvariants(stores.database.db),
    name: 'test',
    log: script.log ?? pino({ level: process.env['KEYFERRY_TEST_LOG'] ?? 'silent' }),
    ...(script.outageQuietMs !== undefined && { outageQuietMs: script.outageQuietMs }),
    random: () => 0.5,
    onRun: () => undefined,
    onHotLoop: (kind) => script.onHotLoop?.(kind),
    onLeaseLost: (kind) => script.onLeaseLost?.(kind),
  });
}

function deafen(backend: QueueBackend): QueueBackend {
  return {
    ...backend,
    worker(...given) {
      const worker = backend.worker(...given);
      worker.run = () => Promise.resolve();
      return worker;
    },
  };
}

export async function addConnection(stores: OpenStores, name: string): Promise<{ id: string; requestId: string }> {
  const { connection, requestId } = await stores.connections.create('acme', {
    name,
    createdVia: 'operator',
    requestedBy: 'test',
    credentials: { method: 'assume-role', roleArn: 'arn:aws:iam::444455556666:role/keyferry', externalId: 'acme' },
  });
  return { id: connection.id, requestId };
}

/** Polls a query until `isDone`; fails with what it saw last. */
export async function eventually<T>(
  look: () => Promise<T>,
  isDone: (seen: T) => boolean,
  limitMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (isDone(seen)) return seen;
    if (performance.now() > deadline)
      throw new Error(`did not happen within ${limitMs} ms; last seen: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function rowOf(stores: OpenStores, id: string): Promise<Record<string, unknown>> {
  const [row] = await stores.database.db.execute(sql`select * from keyferry.connections
    where id = ${id}`);
  return row ?? {};
}

export async function runsOf(stores: OpenStores, id: string): Promise<Record<string, unknown>[]> {
  return stores.database.db.execute(sql`select * from keyferry.runs where subject_id = ${id}
    order by started_at`);
}
