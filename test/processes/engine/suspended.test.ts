/**
 * A worker that stands still in the middle of a write for longer than its lease, while another one
 * takes the run over and a person changes the value again: once as a stopped process, whose clocks
 * run on, once as a suspended machine, whose monotonic clock and timers stood still as well.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { isMutation } from '../../../src/domain/call-log.ts';
import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import { connect, generateEncryptionKey, type Keyferry } from '../../../src/index.ts';
import { createQueueBackend } from '../../../src/queues/backend.ts';
import { createAwsSandbox, startAwsSandboxServer, type AwsSandbox } from '../../../src/sandbox/aws/index.ts';
import { type AwsGate, openAwsGate } from '../../support/aws-gate.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { startUnboundKeyferry, type TestProcess } from '../../support/processes.ts';
import { eventually } from '../../integration/engine/support.ts';

const [BASE_ACCOUNT, ACCOUNT, REGION] = ['111122223333', '444455556666', 'eu-west-1'];
const SOURCE = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
/** A lease, a round of the tick, and a machine that is busy. */
const TAKEN_OVER_WITHIN_MS = 110_000;
const ALONE_WITHIN_MS = 40_000;
/** A throttled call is repeated within half a second. */
const REPEAT_MS = 3_000;
const machine = new URL('../../support/suspended-machine.mjs', import.meta.url).href;

interface Installation {
  readonly reader: DatabaseHandle;
  readonly keyferry: Keyferry;
  readonly sandbox: AwsSandbox;
  readonly gates: readonly [AwsGate, AwsGate];
  startWorker(gate: AwsGate, extra?: Readonly<Record<string, string>>): Promise<TestProcess>;
}

interface Outcome {
  /** Changes at AWS by the worker that stood still, after it went on. */
  readonly writesAfterwards: readonly string[];
  readonly valueAfterwards: string | undefined;
  /** Of Parameter Store, by operation: those that reached AWS, and those that all runs report. */
  readonly sent: Readonly<Record<string, number>>;
  readonly reported: Readonly<Record<string, number>>;
  readonly runs: readonly (readonly unknown[])[];
  /** What the worker that stood still wrote at last, alone again. */
  readonly lastValue: string | undefined;
}

const endings: (() => Promise<unknown>)[] = [];
const outcomes: Record<string, Outcome> = {};

beforeAll(async () => {
  await Promise.all([
    play({}).then((outcome) => (outcomes['process'] = outcome)),
    play({ NODE_OPTIONS: `--import ${machine}` }).then((outcome) => (outcomes['machine'] = outcome)),
  ]);
}, 280_000);
afterAll(async () => {
  for (const end of endings.reverse()) await end();
}, 60_000);

describe.each(['process', 'machine'])(
  'a %s that stood still in the middle of a write, longer than its lease',
  (what) => {
    const outcome = (): Outcome => {
      const found = outcomes[what];
      if (!found) throw new Error('The story was not played to its end.');
      return found;
    };

    it('makes no write any more when it goes on', () => {
      expect(outcome().writesAfterwards).toEqual([]);
      expect(outcome().valueAfterwards).toBe('three');
    });

    it('leaves no call that no run reports', () => {
      expect(outcome().reported).toEqual(outcome().sent);
      expect(outcome().runs).toContainEqual(['abandoned', 'LEASE_LOST', 1]);
    });

    it('takes the next run like any other worker', () => {
      expect(outcome().lastValue).toBe('four');
    });
  },
);

async function play(extra: Readonly<Record<string, string>>): Promise<Outcome> {
  const installation = await install();
  const { keyferry, gates } = installation;
  const first = await installation.startWorker(gates[0], extra);
  await firstSync(installation);
  const held = gates[0].hold('PutParameter');
  await keyferry.secrets.set(SOURCE, { values: { SECRET: 'two' } });
  await held.arrived;
  first.signal('SIGSTOP');
  held.throttle();
  const second = await installation.startWorker(gates[1]);
  await reaches(installation, 'two');
  await keyferry.secrets.set(SOURCE, { values: { SECRET: 'three' } });
  await reaches(installation, 'three');
  const before = gates[0].operations.length;
  first.signal('SIGCONT');
  await sleep(REPEAT_MS);
  const writesAfterwards = gates[0].operations.slice(before).filter(isMutation);
  const valueAfterwards = valueOf(installation);
  second.signal('SIGTERM');
  await second.waitForExit(35_000);
  await keyferry.secrets.set(SOURCE, { values: { SECRET: 'four' } });
  // What was written without right would stand in its way.
  await reaches(installation, 'four', ALONE_WITHIN_MS).catch(() => undefined);
  return { writesAfterwards, valueAfterwards, lastValue: valueOf(installation), ...(await accounts(installation)) };
}

async function install(): Promise<Installation> {
  const database = await createTestDatabase();
  const sandbox = createAwsSandbox();
  const aws = await startAwsSandboxServer(sandbox);
  const gates = [await openAwsGate(aws), await openAwsGate(aws)] as const;
  const encryptionKeys = generateEncryptionKey();
  const keyferry = await connect({ databaseUrl: database.url, encryptionKeys, org: 'acme', actor: 'test' });
  const reader = openDatabase(database.url);
  const backend = await createQueueBackend({ databaseUrl: database.url, redisUrl: undefined });
  await backend.prepare();
  await backend.close();
  const base = prepareAccounts(sandbox);
  const closing = [aws, ...gates, keyferry, reader].map((one) => () => one.close());
  endings.push(() => database.drop(), ...closing);
  return {
    reader,
    keyferry,
    sandbox,
    gates,
    async startWorker(gate, extra = {}) {
      const settings = { DATABASE_URL: database.url, KEYFERRY_ENCRYPTION_KEYS: encryptionKeys, AWS_REGION: REGION };
      const environment = cleanEnvironment({ ...settings, ...base, AWS_ENDPOINT_URL: gate.url, ...extra });
      const worker = startUnboundKeyferry(['worker'], { environment });
      endings.push(() => worker.kill());
      await worker.waitForLine(/worker started/, 90_000);
      return worker;
    },
  };
}

/** Returns the worker's own identity, as the variables that a worker reads it from. */
function prepareAccounts(sandbox: AwsSandbox): Record<string, string> {
  const user = { accountId: BASE_ACCOUNT, userName: 'keyferry-base' };
  sandbox.createAccount(BASE_ACCOUNT);
  sandbox.createUser({
    ...user,
    policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] },
  });
  const key = sandbox.createAccessKey(user);
  const place = { partition: 'aws', accountId: ACCOUNT };
  sandbox.createAccount(ACCOUNT);
  sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'keyferry',
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId: 'acme' }),
    policy: [policyFor({ use: 'parameter-store', region: REGION, path: '/api/' }, place)],
  });
  return {
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  };
}

async function firstSync(installation: Installation): Promise<void> {
  const { keyferry } = installation;
  const { requestId } = await keyferry.connections.create({
    name: 'prod',
    region: REGION,
    credentials: { method: 'assume-role', roleArn: `arn:aws:iam::${ACCOUNT}:role/keyferry` },
  });
  await keyferry.runs.wait(requestId);
  await keyferry.secrets.set(SOURCE, { values: { SECRET: 'one' } });
  await keyferry.syncs.create({
    name: 'api',
    connection: 'prod',
    source: SOURCE,
    destination: 'aws-parameter-store',
    destinationConfig: { region: REGION, path: '/api/' },
  });
  await reaches(installation, 'one');
}

const valueOf = ({ sandbox }: Installation) =>
  sandbox.inspect.parameter({ accountId: ACCOUNT, region: REGION, name: '/api/SECRET' })?.value;

/** At AWS and in the sync's own row. */
async function reaches(
  installation: Installation,
  value: string,
  limitMs: number = TAKEN_OVER_WITHIN_MS,
): Promise<void> {
  const look = async (): Promise<Record<string, unknown>> => {
    const [sync] = await installation.reader.db.execute(
      sql`select sync_status, run_token, wanted_revision, done_revision from keyferry.syncs`,
    );
    return { ...sync, value: valueOf(installation) };
  };
  await eventually(
    look,
    (seen) =>
      seen['value'] === value &&
      seen['sync_status'] === 'succeeded' &&
      seen['wanted_revision'] === seen['done_revision'],
    limitMs,
  );
}

const ofParameters = /Parameters?|Tags/;

async function accounts({ reader, gates }: Installation): Promise<Pick<Outcome, 'sent' | 'reported' | 'runs'>> {
  const sent: Record<string, number> = {};
  for (const operation of gates.flatMap((gate) => gate.operations).filter((one) => ofParameters.test(one)))
    sent[operation] = (sent[operation] ?? 0) + 1;
  const calls = await reader.db.execute(sql`
    select replace(key, 'ssm.', '') as operation, sum(value::int)::int as count
    from keyferry.runs, jsonb_each_text(aws_calls)
    where key like 'ssm.%'
    group by key`);
  const runs = await reader.db.execute(sql`
    select status, error_code, (aws_calls ->> 'ssm.PutParameter')::int as puts
    from keyferry.runs`);
  return {
    sent,
    reported: Object.fromEntries(calls.map(({ operation, count }) => [String(operation), Number(count)])),
    runs: runs.map(({ status, error_code: code, puts }) => [status, code, puts]),
  };
}
