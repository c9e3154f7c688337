/**
 * What a first sync of 10,000 secrets of 1 KB takes of a worker's memory: the peak of a real
 * `keyferry worker` process, compiled as it is deployed, as the kernel counts it. PostgreSQL and
 * the sandbox, which hold the secrets too, are elsewhere.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'drizzle-orm';

import { ACCOUNT, createWorld, REGION } from '../src/cli/sandbox-world.ts';
import { SANDBOX_BASE_ACCOUNT } from '../src/cli/embedded.ts';
import { generateEncryptionKey } from '../src/config/encryption-key.ts';
import { openDatabase } from '../src/db/client.ts';
import { connect, type Keyferry } from '../src/index.ts';
import { createAwsSandbox, startAwsSandboxServer } from '../src/sandbox/aws/index.ts';
import { sandboxEnvironment } from '../src/sandbox/environment.ts';
import { startEmbeddedPostgres } from '../src/sandbox/postgres.ts';
import { runKeyferry, startUnboundKeyferry } from '../test/support/processes.ts';
import { build } from './build.ts';
import { peakMb } from './cpu.ts';
import type { Figure } from './figure.ts';

const SECRETS = 10_000;
const VALUE_BYTES = 1_024;
const LIMIT_MS = 300_000;

export async function measurePeak(): Promise<readonly Figure[]> {
  await build();
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const postgres = await startEmbeddedPostgres({ directory, persistent: false });
  const sandbox = createAwsSandbox();
  const aws = await startAwsSandboxServer(sandbox);
  const encryptionKeys = generateEncryptionKey();
  const base = { accountId: SANDBOX_BASE_ACCOUNT, userName: 'keyferry-base' };
  sandbox.createUser({ ...base, policy: assumeAnything });
  const key = sandbox.createAccessKey(base);
  const environment = {
    ...sandboxEnvironment(process.env),
    DATABASE_URL: postgres.url,
    KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
    AWS_ENDPOINT_URL: aws.url,
    AWS_REGION: REGION,
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  };
  await runKeyferry(['migrate'], { environment }, 60_000);
  await liftQuota(postgres.url);
  const keyferry = await connect({ databaseUrl: postgres.url, encryptionKeys, org: 'bench' });
  const worker = startUnboundKeyferry(['worker'], { environment });
  try {
    await worker.waitForLine(/worker started/, 60_000);
    const idleMb = peakMb(worker.pid);
    const seconds = await runFirstSync(keyferry, createWorld(sandbox, 'bench').roleArn);
    return [
      {
        name: 'sync.peak-mb@10000',
        value: Math.round(peakMb(worker.pid)),
        unit: `MB (${String(Math.round(idleMb))} before the sync, which took ${String(Math.round(seconds))} s)`,
        goal: '< 350',
      },
    ];
  } finally {
    worker.signal('SIGTERM');
    await worker.waitForExit(30_000).catch(() => worker.kill());
    await keyferry.close();
    await aws.close();
    await postgres.stop();
  }
}

const assumeAnything = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }],
} as const;

/**
 * As if the account were known to allow any rate: waiting for 50 calls a second would only make the
 * sync longer.
 */
async function liftQuota(databaseUrl: string): Promise<void> {
  const handle = openDatabase(databaseUrl);
  const plenty = 100_000;
  await handle.db.execute(sql`
    insert into keyferry.call_budgets (account_id, region, quota_group, rate_per_second, burst,
      tokens, refilled_at, window_started_at, window_granted)
    values (${ACCOUNT}, ${REGION}, 'secretsmanager.create', ${plenty}, ${plenty}, ${plenty}, now(),
      now(), 0)`);
  await handle.close();
}

async function runFirstSync(keyferry: Keyferry, roleArn: string): Promise<number> {
  const { requestId } = await keyferry.connections.create({
    name: 'aws',
    region: REGION,
    credentials: { method: 'assume-role', roleArn },
  });
  await keyferry.runs.wait(requestId);
  const source = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
  const name = (index: number) => `KEY_${String(index).padStart(5, '0')}`;
  const values = Array.from({ length: SECRETS }, (_, index) => [name(index), String(index).padEnd(VALUE_BYTES, 'x')]);
  await keyferry.secrets.set(source, { values: Object.fromEntries(values) });
  const startedAt = performance.now();
  const sync = await keyferry.syncs.create({
    name: 'api',
    connection: 'aws',
    source,
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'shop/prod/' },
  });
  for (;;) {
    const { syncStatus, statusMessage } = await keyferry.syncs.get(sync.id);
    const elapsed = performance.now() - startedAt;
    if (syncStatus === 'succeeded') return elapsed / 1_000;
    if (/failed|partial|blocked/.test(syncStatus) || elapsed > LIMIT_MS)
      throw new Error(`The sync is ${syncStatus}: ${statusMessage ?? 'it takes too long'}`);
    await sleep(200);
  }
}
