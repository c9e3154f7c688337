/**
 * What the AWS sandbox costs beside the SDK client that talks to it: a benchmark over the sandbox
 * measures keyferry only while that share is small. Requests are recorded from real SDK clients,
 * then both sides are run apart: the clients against recorded answers, the sandbox against recorded
 * requests.
 *
 *   tsx bench/sandbox.ts [--json] [--calls N]
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { GetSecretValueCommand, CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParametersCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import {
  createAwsSandbox,
  createSandboxRequestHandler,
  startAwsSandboxServer,
  type AwsSandbox,
  type SandboxRequest,
  type SandboxRequestHandler,
  type SandboxResponse,
} from '../src/sandbox/aws/index.ts';
import type { Figure } from './figure.ts';

interface Scenario {
  readonly name: string;
  /** Sends one SDK call. */
  readonly send: (clients: Clients) => Promise<unknown>;
}

interface Clients {
  readonly sts: STSClient;
  readonly ssm: SSMClient;
  readonly secrets: SecretsManagerClient;
}

interface Cost {
  readonly scenario: string;
  readonly clientMs: number;
  readonly sandboxMs: number;
}

const REGION = 'eu-west-1';
const ACCOUNT = '111122223333';
const WARM_UP_CALLS = 300;

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'sts.AssumeRole',
    send: ({ sts }) =>
      sts.send(
        new AssumeRoleCommand({
          RoleArn: `arn:aws:iam::${ACCOUNT}:role/bench`,
          RoleSessionName: 'bench',
          ExternalId: 'bench-1',
        }),
      ),
  },
  {
    name: 'ssm.PutParameter',
    send: ({ ssm }) =>
      ssm.send(
        new PutParameterCommand({ Name: '/bench/one', Value: 'x'.repeat(64), Type: 'SecureString', Overwrite: true }),
      ),
  },
  {
    name: 'ssm.GetParameters',
    send: ({ ssm }) => ssm.send(new GetParametersCommand({ Names: PARAMETER_NAMES })),
  },
  {
    name: 'secretsmanager.GetSecretValue',
    send: ({ secrets }) => secrets.send(new GetSecretValueCommand({ SecretId: 'bench/one' })),
  },
];

const PARAMETER_NAMES = Array.from({ length: 10 }, (_, index) => `/bench/many/${String(index)}`);

export async function measureSandbox(options: { readonly calls?: number } = {}): Promise<readonly Figure[]> {
  const { costs, callsPerSecond, httpCallsPerSecond } = await measure(options.calls ?? 2_000);
  const client = costs.reduce((sum, cost) => sum + cost.clientMs, 0);
  const sandbox = costs.reduce((sum, cost) => sum + cost.sandboxMs, 0);
  return [
    {
      name: 'sandbox.cost-ratio',
      value: round(sandbox / client),
      unit: 'sandbox CPU / SDK client CPU',
      goal: '<= 0.33',
    },
    ...costs.map((cost) => ({
      name: `sandbox.cost-ratio.${cost.scenario}`,
      value: round(cost.sandboxMs / cost.clientMs),
      unit: `sandbox CPU / SDK client CPU (client ${String(round(cost.clientMs))} ms per call)`,
      goal: '<= 0.33',
    })),
    {
      name: 'sandbox.calls-per-second',
      value: Math.round(callsPerSecond),
      unit: 'calls per second of CPU, SDK client and sandbox together',
      goal: '>= 1000',
    },
    {
      name: 'sandbox.http-calls-per-second',
      value: Math.round(httpCallsPerSecond),
      unit: 'calls per second of CPU, over loopback HTTP',
      goal: '>= 500',
    },
  ];
}

async function measure(calls: number): Promise<{ costs: Cost[]; callsPerSecond: number; httpCallsPerSecond: number }> {
  const sandbox = createBenchSandbox();
  const direct = createSandboxRequestHandler(sandbox);
  const credentials = benchCredentials(sandbox);
  await prepare(toClients({ requestHandler: direct, credentials }));
  const costs: Cost[] = [];
  for (const scenario of SCENARIOS) costs.push(await measureScenario({ sandbox, credentials, calls }, scenario));
  const callsPerSecond = await measureRate(toClients({ requestHandler: direct, credentials }), calls);
  const server = await startAwsSandboxServer(sandbox);
  const httpCallsPerSecond = await measureRate(toClients({ endpoint: server.url, credentials }), calls);
  await server.close();
  return { costs, callsPerSecond, httpCallsPerSecond };
}

function createBenchSandbox(): AwsSandbox {
  const sandbox = createAwsSandbox({ callRecordLimit: 10_000 });
  const allow = (...Action: string[]): object => ({ Effect: 'Allow', Action, Resource: '*' });
  const policy = {
    Version: '2012-10-17',
    Statement: [allow('sts:AssumeRole'), allow('ssm:*', 'secretsmanager:*')],
  } as never;
  sandbox.createUser({ accountId: ACCOUNT, userName: 'bench', policy });
  const condition = { StringEquals: { 'sts:ExternalId': 'bench-1' } };
  const trust = {
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
    Action: 'sts:AssumeRole',
    Condition: condition,
  };
  sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'bench',
    trustPolicy: { Version: '2012-10-17', Statement: trust },
    policy,
  });
  return sandbox;
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

function benchCredentials(sandbox: AwsSandbox): Credentials {
  return sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'bench' });
}

function toClients(given: {
  requestHandler?: SandboxRequestHandler;
  endpoint?: string;
  credentials: Credentials;
}): Clients {
  const config = { region: REGION, maxAttempts: 1, ...given };
  return { sts: new STSClient(config), ssm: new SSMClient(config), secrets: new SecretsManagerClient(config) };
}

async function prepare({ ssm, secrets }: Clients): Promise<void> {
  for (const Name of PARAMETER_NAMES)
    await ssm.send(new PutParameterCommand({ Name, Value: 'x'.repeat(64), Type: 'SecureString' }));
  await secrets.send(new CreateSecretCommand({ Name: 'bench/one', SecretString: 'x'.repeat(64) }));
}

interface Bench {
  readonly sandbox: AwsSandbox;
  readonly credentials: Credentials;
  readonly calls: number;
}

async function measureScenario({ sandbox, credentials, calls }: Bench, scenario: Scenario): Promise<Cost> {
  const recorded = await recordOne(sandbox, scenario, credentials);
  const replay = toClients({ requestHandler: toReplayHandler(recorded.response), credentials });
  const clientMs = await cpuPerCall(calls, () => scenario.send(replay));
  const sandboxMs = await cpuPerCall(calls, () => sandbox.handle(recorded.request));
  return { scenario: scenario.name, clientMs, sandboxMs };
}

interface Recorded {
  readonly request: SandboxRequest;
  readonly response: SandboxResponse;
}

/** Signatures are good for five minutes, so one recorded request serves a whole measurement. */
async function recordOne(sandbox: AwsSandbox, scenario: Scenario, credentials: Credentials): Promise<Recorded> {
  let recorded: Recorded | undefined;
  const spy = createSandboxRequestHandler({
    handle: async (request) => {
      const response = await sandbox.handle(request);
      if (response !== 'drop') recorded = { request, response };
      return response;
    },
  });
  await scenario.send(toClients({ requestHandler: spy, credentials }));
  if (recorded?.response.status !== 200) throw new Error(`${scenario.name} did not succeed; nothing to measure`);
  return recorded;
}

function toReplayHandler(answer: SandboxResponse): SandboxRequestHandler {
  const response = { statusCode: answer.status, headers: { ...answer.headers }, body: answer.body };
  return {
    ...createSandboxRequestHandler({ handle: () => Promise.resolve(answer) }),
    handle: () => Promise.resolve({ response }),
  };
}

/** CPU milliseconds, user and system, of this process. */
async function cpuPerCall(calls: number, call: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < WARM_UP_CALLS; i += 1) await call();
  const before = process.cpuUsage();
  for (let i = 0; i < calls; i += 1) await call();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1_000 / calls;
}

/** Calls per second of CPU time, so that other work on the machine does not count. */
async function measureRate(clients: Clients, calls: number): Promise<number> {
  const sends = SCENARIOS.map((scenario) => () => scenario.send(clients));
  let next = 0;
  const send = (): Promise<unknown> => sends[(next += 1) % sends.length]?.() ?? Promise.resolve();
  return 1_000 / (await cpuPerCall(calls, send));
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function describeMachine(): object {
  const processors = cpus();
  return {
    node: process.version,
    cpu: processors[0]?.model,
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'boolean' }, calls: { type: 'string' } } });
  const figures = await measureSandbox(values.calls === undefined ? {} : { calls: Number(values.calls) });
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify({ bench: 'sandbox', machine: describeMachine(), figures })}\n`);
    return;
  }
  const width = Math.max(...figures.map((figure) => figure.name.length));
  for (const { name, value, unit, goal } of figures) {
    process.stdout.write(`${name.padEnd(width)}  ${String(value).padStart(8)}  goal ${goal.padEnd(8)}  ${unit}\n`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
