/**
 * How long a change takes to reach AWS: from the commit of a folder's change to AWS's answer to the
 * write, while 50 changes a second come in. Producer, worker, sandbox and database share the
 * machine, so the figures are upper bounds. Many accounts, so that no quota of an account is the
 * limit.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Embedded, SANDBOX_BASE_ACCOUNT, startEmbedded } from '../src/cli/embedded.ts';
import { policyFor, trustPolicy } from '../src/domain/policy/policies.ts';
import type { AwsSandbox } from '../src/sandbox/aws/index.ts';
import { startRedis } from '../test/support/redis.ts';
import type { Figure } from './figure.ts';
import type { Client } from '../src/client/types/client.ts';

const ACCOUNTS = 100;
const CHANGES_PER_SECOND = 50;
const SECONDS = 20;
const REGION = 'eu-west-1';
/** A change that has not arrived by then counts with this much. */
const LIMIT_MS = 30_000;

interface Target {
  readonly name: string;
  readonly source: { readonly projectId: string; readonly environment: string; readonly secretPath: string };
  readonly parameter: string;
}

interface Change {
  readonly parameter: string;
  readonly committedAtMs: number;
}

export async function measureLatencies(): Promise<readonly Figure[]> {
  const redis = await startRedis();
  try {
    return [...(await measureOn('redis', redis.url)), ...(await measureOn('postgres', undefined))];
  } finally {
    await redis.stop();
  }
}

async function measureOn(queue: string, redisUrl: string | undefined): Promise<readonly Figure[]> {
  const embedded = await startEmbedded({
    directory: await mkdtemp(join(tmpdir(), 'keyferry-bench-')),
    isPersistent: false,
    withSandbox: true,
    withServer: false,
    logLevel: 'silent',
    settings: { REDIS_URL: redisUrl, KEYFERRY_CONCURRENCY: 'sync=50' },
  });
  try {
    const latencies = await measure(embedded);
    const at = (share: number) =>
      latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
    return [
      { name: `latency.change-to-aws.p50.${queue}`, value: at(0.5), unit: 'ms', goal: 'no goal' },
      { name: `latency.change-to-aws.p95.${queue}`, value: at(0.95), unit: 'ms', goal: '<= 1000' },
      { name: `latency.change-to-aws.p99.${queue}`, value: at(0.99), unit: 'ms', goal: '<= 2000' },
    ];
  } finally {
    await embedded.stop();
  }
}

async function measure({ program, sandbox }: Embedded): Promise<readonly number[]> {
  if (!sandbox) throw new Error('the bench runs on the sandbox');
  const client = program.client();
  const targets: Target[] = [];
  for (let n = 0; n < ACCOUNTS; n += 1) targets.push(await createTarget(client, sandbox, n));
  await untilQuiet(sandbox);
  sandbox.calls.clear();
  const changes = await makeChanges(client, targets);
  await untilQuiet(sandbox);
  return latenciesOf(sandbox, changes);
}

async function createTarget(client: Client, sandbox: AwsSandbox, n: number): Promise<Target> {
  const accountId = String(200_000_000_000 + n);
  sandbox.createAccount(accountId);
  const { arn } = sandbox.createRole({
    accountId,
    roleName: 'keyferry',
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: SANDBOX_BASE_ACCOUNT, externalId: client.orgId }),
    policy: [policyFor({ use: 'parameter-store', region: REGION, path: '/bench/' }, { partition: 'aws', accountId })],
  });
  const name = `bench-${String(n)}`;
  const source = { projectId: 'bench', environment: 'prod', secretPath: `/${name}` };
  const credentials = { method: 'assume-role', roleArn: arn } as const;
  const { requestId } = await client.connections.create({ name, region: REGION, credentials });
  await client.runs.wait(requestId);
  await client.secrets.set(source, { values: { VALUE: 'first' } });
  const destinationConfig = { region: REGION, path: `/bench/${name}/` };
  await client.syncs.create({ name, connection: name, source, destination: 'aws-parameter-store', destinationConfig });
  return { name, source, parameter: `/bench/${name}/VALUE` };
}

async function makeChanges(client: Client, targets: readonly Target[]): Promise<readonly Change[]> {
  const startedAtMs = performance.now();
  const count = CHANGES_PER_SECOND * SECONDS;
  const pending = Array.from({ length: count }, async (_, n): Promise<Change> => {
    const target = targets[n % targets.length] as Target;
    await sleep(startedAtMs + (n * 1_000) / CHANGES_PER_SECOND - performance.now());
    await client.secrets.set(target.source, { values: { VALUE: `change ${String(n)}` } });
    return { parameter: target.parameter, committedAtMs: Date.now() };
  });
  return Promise.all(pending);
}

/** A change that a later one overtook before a run began arrives with that one's write. */
function latenciesOf(sandbox: AwsSandbox, changes: readonly Change[]): readonly number[] {
  const puts = sandbox.calls.list({ service: 'ssm', operation: 'PutParameter', outcome: 'ok' });
  const latencies = changes.map(({ parameter, committedAtMs }) => {
    const put = puts.find((call) => call.parameters['Name'] === parameter && call.at.getTime() >= committedAtMs);
    return put ? put.at.getTime() - committedAtMs : LIMIT_MS;
  });
  return latencies.sort((a, b) => a - b);
}

/** Two seconds without a write. */
async function untilQuiet(sandbox: AwsSandbox): Promise<void> {
  let seen = -1;
  for (;;) {
    const now = sandbox.calls.count({ service: 'ssm', operation: 'PutParameter' });
    if (now === seen) return;
    seen = now;
    await sleep(2_000);
  }
}
