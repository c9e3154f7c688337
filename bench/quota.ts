/**
 * How long a first sync of 100 and 500 parameters takes under AWS's quotas, beside the time that
 * the quotas themselves allow. Nothing is simulated: worker, queue, database and the sandbox's
 * token buckets run in real time, all rates and sizes side by side, each in a database and an
 * account of its own. They start one after the other: what is measured is the budget, not how
 * four workers that start at once share a machine.
 *
 *   cold    → by a budget that has never seen the account
 *   learned → the next one; for 500 with a sync of 5 secrets of the same account queued behind it
 *   unlimited → cold, against an AWS that refuses nothing
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startEmbedded, type Embedded } from '../src/cli/embedded.ts';
import { ACCOUNT, createWorld, REGION } from '../src/cli/sandbox-world.ts';
import type { AwsSandbox } from '../src/sandbox/aws/index.ts';
import type { Figure } from './figure.ts';
import type { Client } from '../src/client/types/client.ts';

const SIZES = [100, 500] as const;
const SMALL = 5;
const BURST = 20;
const RATES = [3, 10] as const;
/** The large sync is well under way by then. */
const SMALL_AFTER_WRITES = 100;
const LOOK_MS = 50;
const LIMIT_MS = 400_000;
const START_APART_MS = 5_000;

interface Measured {
  readonly timeRatio: number;
  readonly throttledShare: number;
}

interface Case {
  readonly ratePerSecond: number;
  readonly size: number;
}

interface Rated extends Case {
  readonly cold: Measured;
  readonly learned: Measured;
  /** Only behind the larger syncs. */
  readonly smallWaitSeconds: number | undefined;
}

export async function measureQuota(): Promise<readonly Figure[]> {
  const cases = SIZES.flatMap((size) => RATES.map((ratePerSecond) => ({ ratePerSecond, size })));
  const rated = await Promise.all(cases.map((one, index) => measureCase(one, index * START_APART_MS)));
  const figure = (name: string, goal: string, pick: (one: Rated) => number | undefined, unit = ''): Figure => {
    const known = rated.flatMap((one) => {
      const value = pick(one);
      return value === undefined ? [] : [{ name: `${String(one.size)} at ${String(one.ratePerSecond)}/s`, value }];
    });
    const each = known.map((one) => `${one.name}: ${String(round(one.value))}`).join(', ');
    return { name, value: round(Math.max(...known.map(({ value }) => value))), unit: `${unit}(${each})`, goal };
  };
  return [
    figure('ssm.cold.time-ratio', '<= 1.1', (one) => one.cold.timeRatio),
    figure('ssm.cold.throttled-share', '<= 0.03', (one) => one.cold.throttledShare),
    figure('ssm.learned.time-ratio', '<= 1.06', (one) => one.learned.timeRatio),
    figure('ssm.learned.throttled-share', '<= 0.03', (one) => one.learned.throttledShare),
    figure('small-tenant.wait-seconds', '<= 10', (one) => one.smallWaitSeconds, 's '),
    { name: 'ssm.cold.seconds-unlimited@500', value: round(await measureUnlimited()), unit: 's', goal: '<= 15' },
  ];
}

async function measureCase({ ratePerSecond, size }: Case, startsAfterMs: number): Promise<Rated> {
  return withStage(ratePerSecond, async (stage) => {
    await sleep(START_APART_MS + startsAfterMs);
    const cold = await measureSync(stage, { name: 'cold', size, secrets: size });
    // AWS's bucket is full again, as the ideal assumes.
    await sleep((BURST / ratePerSecond) * 1_000 + 1_000);
    if (size < 500) {
      const learned = await measureSync(stage, { name: 'learned', size, secrets: size });
      return { ratePerSecond, size, cold, learned, smallWaitSeconds: undefined };
    }
    const large = measureSync(stage, { name: 'learned', size, secrets: size + SMALL });
    const smallWaitSeconds = await measureSmall(stage);
    return { ratePerSecond, size, cold, learned: await large, smallWaitSeconds };
  });
}

async function measureUnlimited(): Promise<number> {
  return withStage(undefined, (stage) => runFirstSync(stage, { name: 'unlimited', size: 500 }));
}

async function withStage<T>(ratePerSecond: number | undefined, measure: (stage: Stage) => Promise<T>): Promise<T> {
  const embedded = await startEmbedded({
    directory: await mkdtemp(join(tmpdir(), 'keyferry-bench-')),
    isPersistent: false,
    withSandbox: true,
    withServer: false,
    logLevel: 'silent',
    settings: {},
  });
  try {
    return await measure(await prepare(embedded, ratePerSecond));
  } finally {
    await embedded.stop();
  }
}

interface Stage {
  readonly client: Client;
  readonly sandbox: AwsSandbox;
  /** NaN: without a limit. */
  readonly ratePerSecond: number;
}

async function prepare({ program, sandbox }: Embedded, ratePerSecond: number | undefined): Promise<Stage> {
  if (!sandbox) throw new Error('the bench runs on the sandbox');
  const client = program.client();
  const { roleArn } = createWorld(sandbox, client.orgId);
  const { requestId } = await client.connections.create({
    name: 'aws',
    region: REGION,
    credentials: { method: 'assume-role', roleArn },
  });
  await client.runs.wait(requestId);
  if (ratePerSecond === undefined) return { client, sandbox, ratePerSecond: Number.NaN };
  sandbox.setQuotas({
    preset: 'support-2023',
    buckets: [{ operations: ['ssm.PutParameter'], ratePerSecond, burst: BURST }],
  });
  return { client, sandbox, ratePerSecond };
}

/**
 * From the creation of the sync to its success; `secrets` is what the account's quota has to bear
 * meanwhile.
 */
async function measureSync(stage: Stage, input: { name: string; size: number; secrets: number }): Promise<Measured> {
  const before = countPuts(stage.sandbox);
  const seconds = await runFirstSync(stage, input);
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
