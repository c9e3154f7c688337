/**
 * keyferry as it is deployed: compiled, a worker process, PostgreSQL and on demand Redis, all fresh
 * for each case. A work is timed from the request to the row that says it is done; processor time
 * and memory are the worker's.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import postgres from 'postgres';

import { generateEncryptionKey } from '../../src/config/encryption-key.ts';
import { services } from '../../src/domain/destinations/registry.ts';
import { connect, type Keyferry } from '../../src/index.ts';
import { createQueueBackend, type QueueBackend } from '../../src/queues/backend.ts';
import { startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { cleanEnvironment } from '../../test/support/environment.ts';
import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../../test/support/processes.ts';
import { startRedis } from '../../test/support/redis.ts';
import { cpuMs, peakMb } from '../cpu.ts';
import type { Contestant, Effort, Session } from './contest.ts';
import { ORG, type Place, prefixOf, REGION, valuesOf } from './place.ts';
import { EARLIER_SYNCS, type Work } from './results.ts';

const SOURCE = { projectId: 'shop', environment: 'prod', secretPath: '/bench' };
/** Looking takes time from what is looked at: no more often than a result has to be exact. */
const LOOK = { leastMs: 5, share: 0.02 } as const;
const LIMIT_MS = 600_000;

export const keyferryOnRedis: Contestant = {
  peer: 'keyferry-redis',
  open: (place) => open(place, { withRedis: true, isLifted: false, earlierSyncs: 0 }),
};
export const keyferryOnPostgres: Contestant = {
  peer: 'keyferry-postgres',
  open: (place) => open(place, { withRedis: false, isLifted: false, earlierSyncs: 0 }),
};
export const keyferryLifted: Contestant = {
  peer: 'keyferry-lifted',
  open: (place) => open(place, { withRedis: true, isLifted: true, earlierSyncs: 0 }),
};
export const keyferryRunning: Contestant = {
  peer: 'keyferry-running',
  open: (place) => open(place, { withRedis: true, isLifted: true, earlierSyncs: EARLIER_SYNCS }),
};

interface Setup {
  readonly withRedis: boolean;
  readonly isLifted: boolean;
  /** First syncs of as many objects to other names, before anything is measured. */
  readonly earlierSyncs: number;
}

interface Site {
  readonly place: Place;
  readonly keyferry: Keyferry;
  readonly backend: QueueBackend;
  readonly sql: postgres.Sql;
  readonly worker: TestProcess;
}

async function open(place: Place, { withRedis, isLifted, earlierSyncs }: Setup): Promise<Session> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const server = await startEmbeddedPostgres({ directory, persistent: false });
  const redis = withRedis ? await startRedis() : undefined;
  const encryptionKeys = generateEncryptionKey();
  const environment = {
    ...cleanEnvironment(),
    // As the image has it.
    NODE_OPTIONS: '--max-semi-space-size=8',
    DATABASE_URL: server.url,
    ...(redis ? { REDIS_URL: redis.url } : {}),
    KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
    AWS_ENDPOINT_URL: place.sandbox.url,
    AWS_REGION: REGION,
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: place.sandbox.base.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: place.sandbox.base.secretAccessKey,
  };
  const { code, stderr } = await runKeyferry(['migrate'], { environment }, 60_000);
  if (code !== 0) throw new Error(stderr);
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  if (isLifted) await liftBudgets(sql, place);
  const worker = startUnboundKeyferry(['worker'], { environment });
  const keyferry = await connect({ databaseUrl: server.url, encryptionKeys, org: ORG });
  const backend = await createQueueBackend({ databaseUrl: server.url, redisUrl: redis?.url });
  const site = { place, keyferry, backend, sql, worker };
  await worker.waitForLine(/worker started/, 60_000);
  await prepare(site);
  for (let count = 1; count <= earlierSyncs; count += 1) {
    const name = `earlier-${String(count)}`;
    await createSync(site, { name, prefix: place.service === 'ssm' ? `/${name}/` : `${name}/` });
  }
  return {
    perform: (work) => measure(site, work),
    async close() {
      worker.signal('SIGTERM');
      await worker.waitForExit(35_000);
      await Promise.all([keyferry.close(), backend.close(), sql.end()]);
      await Promise.all([redis?.stop(), server.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const quotaGroups = services.flatMap(({ quotas }) => quotas.map(([group]) => group.name));

async function liftBudgets(sql: postgres.Sql, { accountId }: Place): Promise<void> {
  const plenty = 1_000_000;
  await sql`
    insert into keyferry.call_budgets (account_id, region, quota_group, rate_per_second, burst,
      tokens, refilled_at, window_started_at, window_granted)
    select ${accountId}, ${REGION}, name, ${plenty}, ${plenty}, ${plenty}, now(), now(), 0
    from unnest(${quotaGroups}::text[]) name`;
}

async function prepare({ place, keyferry }: Site): Promise<void> {
  const { requestId } = await keyferry.connections.create({
    name: 'aws',
    region: REGION,
    credentials: { method: 'assume-role', roleArn: place.roleArn },
  });
  await keyferry.runs.wait(requestId);
  await keyferry.secrets.set(SOURCE, { values: valuesOf(place.size, 'first') });
}

async function measure(site: Site, work: Work): Promise<Effort> {
  const { pid } = site.worker;
  const before = cpuMs(pid);
  const startedAt = performance.now();
  await perform[work](site);
  const seconds = (performance.now() - startedAt) / 1_000;
  return { seconds, cpuSeconds: (cpuMs(pid) - before) / 1_000, peakMb: peakMb(pid) };
}

const perform: Readonly<Record<Work, (site: Site) => Promise<void>>> = {
  first: (site) => createSync(site, { name: 'bench', prefix: prefixOf(site.place.service) }),
  /** A producer's job, though nothing changed. */
  async unchanged(site) {
    const [sync] = await site.sql`select id from keyferry.syncs`;
    await site.backend.queue('sync').add('sync', { syncId: String(sync?.['id']) });
    await until(
      site,
      (sql) => sql`select true from keyferry.requests
        where source_queue is not null and done_at is not null`,
    );
  },
  async changed(site) {
    const values = Object.entries(valuesOf(site.place.size, 'changed')).filter(([, value]) => value.includes(' new '));
    await site.keyferry.secrets.set(SOURCE, { values: Object.fromEntries(values) });
    await untilEqual(site);
  },
  verified: (site) => request(site, 'check'),
  deleted: (site) => request(site, 'remove'),
};

async function createSync(site: Site, { name, prefix }: { name: string; prefix: string }): Promise<void> {
  await site.keyferry.syncs.create({
    ...{ name, connection: 'aws', source: SOURCE },
    ...(site.place.service === 'ssm'
      ? { destination: 'aws-parameter-store', destinationConfig: { region: REGION, path: prefix } }
      : {
          destination: 'aws-secrets-manager',
          destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix },
        }),
  });
  await untilEqual(site);
}

async function request(site: Site, kind: 'check' | 'remove'): Promise<void> {
  const id = await site.keyferry.syncs.request(kind, 'bench');
  await until(
    site,
    (sql) => sql`select true from keyferry.requests
      where id = ${id} and done_at is not null`,
  );
}

const untilEqual = (site: Site) =>
  until(
    site,
    (sql) => sql`
      select true from keyferry.syncs s join keyferry.folders f on f.id = s.folder_id
      having bool_and(s.synced_revision = f.revision and s.sync_status = 'succeeded')`,
  );

async function until({ sql }: Site, isDone: (sql: postgres.Sql) => Promise<readonly unknown[]>): Promise<void> {
  const startedAt = performance.now();
  while ((await isDone(sql)).length === 0) {
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs > LIMIT_MS) {
      const [sync] = await sql`select sync_status, status_message from keyferry.syncs`;
      throw new Error(`keyferry does not come to an end: ${JSON.stringify(sync)}`);
    }
    await sleep(Math.max(LOOK.leastMs, LOOK.share * elapsedMs));
  }
}
