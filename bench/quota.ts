/**
 * How long a sync of 500 parameters takes under AWS's quotas, beside the time that the quotas themselves allow. Nothing is simulated: worker, queue, database
 * and the sandbox's token buckets run in real time, at both rates side by side, each in a database and an account of its own.
 *
 *   cold    → a first sync by a budget that has never seen the account
 *   learned → the next one, with a sync of 5 secrets of the same account queued behind it
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startEmbedded, type Embedded } from '../src/cli/embedded.ts';
import { ACCOUNT, createWorld, REGION } from '../src/cli/sandbox-world.ts';
import type { Client } from '../src/client/client.ts';
import type { AwsSandbox } from '../src/sandbox/aws/index.ts';
import type { Figure } from './figure.ts';

const SECRETS = 500;
const SMALL = 5;
const BURST = 20;
const RATES = [3, 10] as const;
/** The large sync is well under way by then. */
const SMALL_AFTER_WRITES = 100;
const LOOK_MS = 100;
const LIMIT_MS = 400_000;

interface Measured {
  readonly timeRatio: number;
  readonly throttledShare: number;
}

interface Rated {
  readonly cold: Measured;
  readonly learned: Measured;
  readonly smallWaitSeconds: number;
}

export async function measureQuota(): Promise<readonly Figure[]> {
  const rated = await Promise.all(RATES.map(measureRate));
  const worst = (pick: (one: Rated) => number) => Math.max(...rated.map(pick));
  const each = (pick: (one: Rated) => number) =>
    RATES.map((rate, index) => `${String(rate)}/s: ${round(pick(rated[index] as Rated))}`).join(', ');
  const figure = (name: string, goal: string, pick: (one: Rated) => number, unit = ''): Figure => ({
    name,
    value: round(worst(pick)),
    unit: `${unit}(${each(pick)})`,
    goal,
  });
  return [
    figure('ssm.cold.time-ratio@500', '<= 1.25', (one) => one.cold.timeRatio),
    figure('ssm.cold.throttled-share@500', '<= 0.03', (one) => one.cold.throttledShare),
    figure('ssm.learned.time-ratio@500', '<= 1.1', (one) => one.learned.timeRatio),
    figure('ssm.learned.throttled-share@500', '<= 0.01', (one) => one.learned.throttledShare),
    figure('small-tenant.wait-seconds', '<= 10', (one) => one.smallWaitSeconds, 's '),
  ];
}

async function measureRate(ratePerSecond: number): Promise<Rated> {
  const embedded = await startEmbedded({
    directory: await mkdtemp(join(tmpdir(), 'keyferry-bench-')),
    isPersistent: false,
    withSandbox: true,
    withServer: false,
    logLevel: 'silent',
    settings: {},
  });
  try {
    const stage = await prepare(embedded, ratePerSecond);
    const cold = await measureSync(stage, { name: 'cold', secrets: SECRETS });
    // AWS's bucket is full again, as the ideal assumes.
    await sleep((BURST / ratePerSecond) * 1_000 + 1_000);
    const large = measureSync(stage, { name: 'learned', secrets: SECRETS + SMALL });
    const small = await measureSmall(stage);
    return { cold, learned: await large, smallWaitSeconds: small };
  } finally {
    await embedded.stop();
  }
}

interface Stage {
  readonly client: Client;
  readonly sandbox: AwsSandbox;
  readonly ratePerSecond: number;
}

async function prepare({ program, sandbox }: Embedded, ratePerSecond: number): Promise<Stage> {
  if (!sandbox) throw new Error('the bench runs on the sandbox');
  const client = program.client();
  const { roleArn } = createWorld(sandbox, client.orgId);
  const { requestId } = await client.connections.create({
    name: 'aws',
    region: REGION,
    credentials: { method: 'assume-role', roleArn },
  });
  await client.runs.wait(requestId);
  sandbox.setQuotas({
    preset: 'support-2023',
    buckets: [{ operations: ['ssm.PutParameter'], ratePerSecond, burst: BURST }],
  });
  return { client, sandbox, ratePerSecond };
}

/** From the creation of the sync to its success; `secrets` is what the account's quota has to bear meanwhile. */
async function measureSync(stage: Stage, input: { name: string; secrets: number }): Promise<Measured> {
  const before = countPuts(stage.sandbox);
  const seconds = await runFirstSync(stage, { name: input.name, size: SECRETS });
  const after = countPuts(stage.sandbox);
  const idealSeconds = (input.secrets - BURST) / stage.ratePerSecond;
  return {
    timeRatio: seconds / idealSeconds,
    throttledShare: (after.throttled - before.throttled) / (after.all - before.all),
  };
}

async function measureSmall(stage: Stage): Promise<number> {
  const from = countPuts(stage.sandbox).all;
  while (countPuts(stage.sandbox).all - from < SMALL_AFTER_WRITES) await sleep(LOOK_MS);
  return runFirstSync(stage, { name: 'small', size: SMALL });
}

function countPuts({ calls }: AwsSandbox): { readonly all: number; readonly throttled: number } {
  const puts = calls.list({ service: 'ssm', operation: 'PutParameter', accountId: ACCOUNT });
  return { all: puts.length, throttled: puts.filter((call) => call.outcome === 'ThrottlingException').length };
}

async function runFirstSync({ client }: Stage, input: { name: string; size: number }): Promise<number> {
  const { name, size } = input;
  const source = { projectId: 'shop', environment: 'prod', secretPath: `/${name}` };
  const values = Object.fromEntries(
    Array.from({ length: size }, (_, index) => [`KEY_${String(index).padStart(3, '0')}`, `value ${String(index)}`]),
  );
  await client.secrets.set(source, { values });
  const startedAt = performance.now();
  const sync = await client.syncs.create({
    name,
    connection: 'aws',
    source,
    destination: 'aws-parameter-store',
    destinationConfig: { region: REGION, path: `/shop/prod/${name}/` },
  });
  for (;;) {
    const { syncStatus, statusMessage } = await client.syncs.get(sync.id);
    const elapsed = performance.now() - startedAt;
    if (syncStatus === 'succeeded') return elapsed / 1_000;
    if (syncStatus === 'failed' || syncStatus === 'partial' || syncStatus === 'blocked' || elapsed > LIMIT_MS)
      throw new Error(`The sync ${name} is ${syncStatus}: ${statusMessage ?? 'it takes too long'}`);
    await sleep(LOOK_MS);
  }
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
