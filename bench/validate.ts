/**
 * Validations per second, beside a bare BullMQ worker that makes the same SDK call: what engine,
 * budget and history cost. The worker as it is deployed, the queues of both in one Redis, 50 jobs
 * at once, the AWS sandbox as a process of its own; the two take turns, and the median of the
 * turns' ratios counts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Queue, Worker } from 'bullmq';
import { sql } from 'drizzle-orm';

import { loadConfig } from '../src/config/config.ts';
import { generateEncryptionKey } from '../src/config/encryption-key.ts';
import { migrate } from '../src/db/migrate.ts';
import { createLog } from '../src/observe/log.ts';
import { compose, type Program } from '../src/main.ts';
import { connectAwsSandbox } from '../src/sandbox/aws/index.ts';
import { enterSandboxEnvironment } from '../src/sandbox/environment.ts';
import { startEmbeddedPostgres } from '../src/sandbox/postgres.ts';
import { validationPolicy } from '../src/domain/policy/session.ts';
import { trustPolicy } from '../src/domain/policy/policies.ts';
import { startUnboundKeyferry } from '../test/support/processes.ts';
import { startRedis } from '../test/support/redis.ts';
import { build } from './build.ts';
import { cpuMs } from './cpu.ts';
import type { Figure } from './figure.ts';

/** Short turns, so that what else the machine does falls on both sides. */
const JOBS = 3_000;
const TURNS = 7;
/** Until both sides are compiled. */
const WARM_UPS = 2;
const CONCURRENCY = 50;
const ORG = 'bench';
const BASE = '111122223333';
const ACCOUNT = '444455556666';
const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/bench`;
const REGION = 'eu-west-1';
const POLL_MS = 20;

interface Stage {
  readonly redisUrl: string;
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly program: Program;
  readonly environment: Record<string, string>;
}

export async function measureValidate(): Promise<readonly Figure[]> {
  await build();
  enterSandboxEnvironment();
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const [postgres, redis] = await Promise.all([startEmbeddedPostgres({ directory, persistent: false }), startRedis()]);
  const sandbox = await startSandbox();
  await migrate(postgres.url);
  const environment = {
    ...definedOf(process.env),
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    KEYFERRY_CONCURRENCY: `validate=${String(CONCURRENCY)}`,
    AWS_ENDPOINT_URL: sandbox.url,
    AWS_REGION: REGION,
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: sandbox.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: sandbox.secretAccessKey,
    // The other side writes no log either.
    KEYFERRY_LOG_LEVEL: 'warn',
  };
  const program = compose(loadConfig(environment), createLog({ level: 'silent' }));
  try {
    await addConnections(program);
    return await measure({ redisUrl: redis.url, endpoint: sandbox.url, credentials: sandbox, program, environment });
  } finally {
    await program.close();
    await Promise.all([postgres.stop(), redis.stop(), sandbox.stop()]);
    await rm(directory, { recursive: true, force: true });
  }
}

const definedOf = (environment: NodeJS.ProcessEnv) =>
  Object.fromEntries(Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined));

/** In its own process, as AWS is, so that its work is not counted as keyferry's. */
async function startSandbox() {
  const child = startUnboundKeyferry(['sandbox', '--json']);
  await child.waitForLine(/^\}$/, 60_000);
  const found = JSON.parse(child.stdout()) as { url: string; accessKeyId: string; secretAccessKey: string };
  const sandbox = connectAwsSandbox(found.url);
  await sandbox.createAccount(ACCOUNT);
  await sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'bench',
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE, externalId: ORG }),
    policy: [],
  });
  return { ...found, stop: () => child.kill() };
}

/** Healthy ones: validated before, their external ID probed this week. */
async function addConnections({ stores }: Program): Promise<void> {
  await stores.database.db.execute(sql`
    insert into keyferry.connections (org_id, name, method, role_arn, external_id, region, status,
      account_id, external_id_probed_at, checks, last_validated_at)
    select ${ORG}, 'bench-' || n, 'assume-role', ${ROLE_ARN}, ${ORG}, ${REGION}, 'valid',
      ${ACCOUNT}, now(),
      '[{"name":"external-id","verdict":"pass","detail":"probed"}]'::jsonb, now()
    from generate_series(1, ${JOBS}::int) n`);
}

async function measure(stage: Stage): Promise<readonly Figure[]> {
  const worker = startUnboundKeyferry(['worker', '--queues', 'validate'], { environment: stage.environment });
  const turns: { ours: Turn; bare: Turn }[] = [];
  try {
    for (let turn = 0; turn < WARM_UPS; turn += 1) {
      await runOurs(stage, worker.pid);
      await runBare(stage);
    }
    await liftQuota(stage.program);
    for (let turn = 0; turn < TURNS; turn += 1) {
      const bare = await runBare(stage);
      turns.push({ bare, ours: await runOurs(stage, worker.pid) });
    }
  } finally {
    worker.signal('SIGTERM');
    await worker.waitForExit(35_000);
  }
  const ratio = median(turns.map(({ ours, bare }) => ours.perSecond / bare.perSecond));
  const middle = (side: 'ours' | 'bare', what: keyof Turn) => median(turns.map((turn) => turn[side][what]));
  const rate = (side: 'ours' | 'bare') => Math.round(middle(side, 'perSecond'));
  const cpu = (side: 'ours' | 'bare') => `${middle(side, 'cpuMs').toFixed(2)} ms`;
  return [
    {
      name: 'validate.jobs-ratio',
      value: ratio,
      unit: `(${String(rate('ours'))} / ${String(rate('bare'))} jobs per second)`,
      goal: '>= 0.6',
    },
    {
      name: 'validate.cpu-ratio',
      value: middle('bare', 'cpuMs') / middle('ours', 'cpuMs'),
      unit: `(${cpu('bare')} / ${cpu('ours')} of the worker’s process per job)`,
      goal: 'the same without what PostgreSQL, Redis and other programs take of this machine',
    },
    {
      name: 'validate.calls',
      value: await callsOfLast(stage.program),
      unit: 'AWS calls of a healthy validation',
      goal: '1',
    },
  ];
}

/**
 * STS allows one account 600 calls a second, and keyferry keeps to that; measured is what a job
 * costs.
 */
async function liftQuota({ stores }: Program): Promise<void> {
  await stores.database.db.execute(
    sql`update keyferry.call_budgets set burst = 1000000, tokens = 1000000
      where quota_group = 'sts.validation'`,
  );
}

interface Turn {
  readonly perSecond: number;
  /** Of the worker's process, a job. */
  readonly cpuMs: number;
}

function startTurn(pid: number): () => Turn {
  const startedAt = performance.now();
  const before = cpuMs(pid);
  return () => ({ perSecond: (JOBS * 1_000) / (performance.now() - startedAt), cpuMs: (cpuMs(pid) - before) / JOBS });
}

/** From when all are due until the last verdict is in the database. */
async function runOurs({ program }: Stage, pid: number): Promise<Turn> {
  const { db } = program.stores.database;
  const end = startTurn(pid);
  await db.execute(sql`
    with due as (
      update keyferry.connections
      set next_due_at = now(), due_reason = 'scheduled', last_validated_at = null returning id
    )
    select pg_notify('keyferry_due', 'validate') from due limit 1`);
  for (;;) {
    const [row] = await db.execute(
      sql`select exists (select 1 from keyferry.connections
        where last_validated_at is null) as is_open`,
    );
    if (row?.is_open !== true) break;
    await sleep(POLL_MS);
  }
  const turn = end();
  const [bad] = await db.execute(sql`select count(*)::int as n from keyferry.connections
    where status <> 'valid'`);
  if (Number(bad?.n) > 0) throw new Error(`${String(bad?.n)} connections are not valid.`);
  return turn;
}

/** The same call on the same Redis by BullMQ alone. */
async function runBare(stage: Stage): Promise<Turn> {
  const connection = { url: stage.redisUrl };
  const name = `bare-${crypto.randomUUID()}`;
  const queue = new Queue(name, { connection });
  const sts = new STSClient({
    region: REGION,
    endpoint: stage.endpoint,
    credentials: stage.credentials,
    requestHandler: new NodeHttpHandler({
      httpsAgent: { keepAlive: true, maxSockets: 100 },
      httpAgent: { keepAlive: true, maxSockets: 100 },
    }),
  });
  let left = JOBS;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const end = startTurn(process.pid);
  const worker = new Worker(name, () => assumeRole(sts), {
    connection,
    concurrency: CONCURRENCY,
    removeOnComplete: { count: 1_000 },
  });
  worker.on('completed', () => {
    left -= 1;
    if (left === 0) finish();
  });
  await queue.addBulk(Array.from({ length: JOBS }, (_, index) => ({ name: 'validate', data: { index } })));
  await finished;
  const turn = end();
  await Promise.all([worker.close(), queue.close()]);
  sts.destroy();
  return turn;
}

/** With all that a validation asks for. */
async function assumeRole(sts: STSClient): Promise<void> {
  await sts.send(
    new AssumeRoleCommand({
      RoleArn: ROLE_ARN,
      RoleSessionName: 'bare',
      ExternalId: ORG,
      DurationSeconds: 3_600,
      Policy: JSON.stringify(validationPolicy),
    }),
  );
}

async function callsOfLast({ stores }: Program): Promise<number> {
  const [row] = await stores.database.db.execute<{ calls: number }>(sql`
    select (select sum(value::int) from jsonb_each_text(aws_calls))::int as calls from keyferry.runs
    where kind = 'validate' order by started_at desc limit 1`);
  return Number(row?.calls);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
