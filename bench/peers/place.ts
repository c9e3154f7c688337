/**
 * Where a contestant works: an AWS account of its own in the sandbox, which is a process of its own
 * as AWS is.
 */
import { trustPolicy } from '../../src/domain/policy/policies.ts';
import { connectAwsSandbox, type RemoteAwsSandbox } from '../../src/sandbox/aws/index.ts';
import { startUnboundKeyferry } from '../../test/support/processes.ts';
import { BURST, type Case, type Service, type Work } from './results.ts';

export const REGION = 'eu-west-1';
export const ORG = 'bench';
const BASE = '111122223333';
const VALUE_BYTES = 1_024;
/** Of a hundred objects. */
const CHANGED_SHARE = 0.01;

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Sandbox {
  readonly url: string;
  readonly base: Credentials;
  readonly remote: RemoteAwsSandbox;
  /** An account that nobody has used, whose user and role may do everything. */
  openPlace(one: Case): Promise<Place>;
  /** Null: AWS refuses nothing. */
  limit(ratePerSecond: number | null): Promise<void>;
  stop(): Promise<unknown>;
}

export interface Place extends Case {
  readonly sandbox: Sandbox;
  readonly accountId: string;
  readonly roleArn: string;
  readonly key: Credentials;
}

export async function startSandbox(): Promise<Sandbox> {
  const child = startUnboundKeyferry(['sandbox', '--json']);
  await child.waitForLine(/^\}$/, 60_000);
  const { url, ...base } = JSON.parse(child.stdout()) as { url: string } & Credentials;
  const remote = connectAwsSandbox(url);
  let places = 0;
  const sandbox: Sandbox = {
    ...{ url, base, remote },
    async openPlace(one) {
      places += 1;
      return { ...one, ...(await createAccount(remote, String(444_400_000_000 + places))), sandbox };
    },
    async limit(ratePerSecond) {
      const bucket = { operations: ['ssm.PutParameter'], ratePerSecond: ratePerSecond ?? 0, burst: BURST };
      await remote.setQuotas(ratePerSecond === null ? 'off' : { preset: 'support-2023', buckets: [bucket] });
    },
    stop: () => child.kill(),
  };
  return sandbox;
}

async function createAccount(remote: RemoteAwsSandbox, accountId: string) {
  await remote.createAccount(accountId);
  const everything = {
    Version: '2012-10-17' as const,
    Statement: [
      { Effect: 'Allow' as const, Action: ['ssm:*', 'secretsmanager:*', 'iam:*', 'kms:*'], Resource: '*' as const },
    ],
  };
  const trust = trustPolicy({ partition: 'aws', baseAccountId: BASE, externalId: ORG });
  const role = { accountId, roleName: 'bench', trustPolicy: trust, policy: everything };
  const { arn: roleArn } = await remote.createRole(role);
  const user = { accountId, userName: 'bench' };
  await remote.createUser({ ...user, policy: everything });
  return { accountId, roleArn, key: await remote.createAccessKey(user) };
}

export const prefixOf = (service: Service): string => (service === 'ssm' ? '/bench/' : 'bench/');

/** By key: what AWS should hold after this work, except for `deleted`. */
export function valuesOf(size: number, work: Work): Readonly<Record<string, string>> {
  const changed = work === 'first' || work === 'unchanged' ? 0 : Math.ceil(size * CHANGED_SHARE);
  const value = (index: number) => `${String(index)} ${index < changed ? 'new' : 'old'} `.padEnd(VALUE_BYTES, 'x');
  return Object.fromEntries(
    Array.from({ length: size }, (_, index) => [`KEY_${String(index).padStart(5, '0')}`, value(index)]),
  );
}

export interface Counts {
  readonly calls: number;
  readonly throttled: number;
}

/** Calls that AWS charges to the place's account, so far. */
export async function countCalls({ sandbox, accountId }: Place): Promise<Counts> {
  const { calls } = sandbox.remote;
  return {
    calls: await calls.count({ accountId }),
    throttled: await calls.count({ accountId, outcome: 'ThrottlingException' }),
  };
}

/** Objects that are not as they should be after this work. */
export async function countLost(place: Place, work: Work): Promise<number> {
  const found = await readAll(place);
  if (work === 'deleted') return found.size;
  const wanted = Object.entries(valuesOf(place.size, work));
  return wanted.filter(([key, value]) => found.get(prefixOf(place.service) + key) !== value).length;
}

async function readAll({ sandbox, service, accountId }: Place): Promise<ReadonlyMap<string, string | undefined>> {
  const { inspect } = sandbox.remote;
  const address = { accountId, region: REGION, prefix: prefixOf(service) };
  if (service === 'ssm') return new Map((await inspect.parameters(address)).map(({ name, value }) => [name, value]));
  // JSON leaves a missing moment out.
  const secrets = (await inspect.secrets(address)).filter(({ deletedAt }) => (deletedAt ?? null) === null);
  return new Map(secrets.map(({ name, value }) => [name, value]));
}
