/** A listening server on real queues and a real database, for the tests of this folder. */
import type { Queue } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { requireCurrentSchema } from '../../../src/db/migrate.ts';
import { createAuditLog } from '../../../src/db/audit-log.ts';
import { createStatusQueries } from '../../../src/db/status/queries.ts';
import { createLog } from '../../../src/observe/log.ts';
import { createMetrics, type Metrics } from '../../../src/observe/metrics.ts';
import { createQueueBackend, type QueueBackend } from '../../../src/queues/backend.ts';
import { createServer, type ServerDependencies } from '../../../src/server/server.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

export interface ServerFixture {
  readonly database: TestDatabase;
  readonly handle: DatabaseHandle;
  readonly backend: QueueBackend;
  readonly queues: readonly Queue[];
  readonly metrics: Metrics;
  dependencies(overrides?: Partial<ServerDependencies>): ServerDependencies;
  /** Starts a server that ends with the test file. */
  start(overrides?: Partial<ServerDependencies>): Promise<string>;
}

/** For the top of a test file. */
export function useServer(redisUrl: string | undefined): () => ServerFixture {
  let fixture: (ServerFixture & { close(): Promise<void> }) | undefined;
  beforeAll(async () => {
    fixture = await createFixture(redisUrl);
  });
  afterAll(async () => {
    await fixture?.close();
  });
  return () => {
    if (fixture === undefined) throw new Error('There is no server before the first test begins.');
    return fixture;
  };
}

async function createFixture(redisUrl: string | undefined): Promise<ServerFixture & { close(): Promise<void> }> {
  const database = await createTestDatabase();
  const handle = openDatabase(database.url, { poolSize: 4 });
  const backend = await createQueueBackend({ databaseUrl: database.url, redisUrl });
  await backend.prepare();
  // Waits for the connection: producers fail fast until it is there.
  await backend.check();
  const queues = (['validate', 'sync', 'rotate'] as const).map((kind) => backend.queue(kind));
  const metrics = createMetrics({ version: '0.0.0-test' });
  const opened: { close(): Promise<void> }[] = [];
  const dependencies = (overrides: Partial<ServerDependencies> = {}): ServerDependencies => ({
    host: '127.0.0.1',
    port: 0,
    login: undefined,
    log: createLog({ level: 'silent' }),
    health: {
      database: () => handle.client`select 1`,
      queue: () => backend.check(),
      migrations: () => requireCurrentSchema(database.url),
    },
    metrics,
    queues,
    status: createStatusQueries(handle.db),
    audit: createAuditLog(handle.db),
    ...overrides,
  });
  return {
    database,
    handle,
    backend,
    queues,
    metrics,
    dependencies,
    async start(overrides) {
      const server = await createServer(dependencies(overrides)).listen();
      opened.push(server);
      return server.url;
    },
    async close() {
      await Promise.all(opened.map((server) => server.close()));
      await backend.close();
      await handle.close();
      await database.drop();
    },
  };
}

/** Ids that no other test uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
