/**
 * One AWS account at the emulator, prepared and read with boto3 by somebody who may do everything
 * there.
 */
import { DEFAULT_ACCOUNT } from './aws/proxy.ts';
import type { Boto, BotoRequest, BotoResult, Credentials } from './boto.ts';

type Parameters = Readonly<Record<string, unknown>>;

export interface Account {
  readonly accountId: string;
  call(service: BotoRequest['service'], method: string, parameters: Parameters, region?: string): Promise<BotoResult>;
}

/** IAM's own region; users and roles are made there. */
const IAM_REGION = 'us-east-1';
const ROOT: Credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' };

export async function createAccount({
  boto,
  accountId,
  region,
}: {
  readonly boto: Boto;
  readonly accountId: string;
  readonly region: string;
}): Promise<Account> {
  const credentials = await assumeAdmin(boto, accountId);
  return {
    accountId,
    call: (service, method, parameters, where = region) =>
      boto.call({ service, method, parameters, credentials, region: service === 'iam' ? IAM_REGION : where }),
  };
}

/** Emulators give the credentials of any account's role to whoever asks. */
async function assumeAdmin(boto: Boto, accountId: string): Promise<Credentials> {
  if (accountId === DEFAULT_ACCOUNT) return ROOT;
  const { Credentials: session } = await boto.call({
    service: 'sts',
    method: 'assume_role',
    region: IAM_REGION,
    credentials: ROOT,
    parameters: { RoleArn: `arn:aws:iam::${accountId}:role/witness-admin`, RoleSessionName: 'witness' },
  });
  const found = session as { AccessKeyId: string; SecretAccessKey: string; SessionToken: string };
  return {
    accessKeyId: found.AccessKeyId,
    secretAccessKey: found.SecretAccessKey,
    sessionToken: found.SessionToken,
  };
}

/**
 * The user that assumes roles for the worker, with the policy that `docs/aws-connection.md` shows.
 */
export async function createBaseIdentity(boto: Boto): Promise<Credentials> {
  const account = await createAccount({ boto, accountId: DEFAULT_ACCOUNT, region: IAM_REGION });
  return createUserWithKey(account, {
    userName: 'keyferry-base',
    policy: statement('sts:AssumeRole', 'arn:aws:iam::*:role/*'),
  });
}

export interface UserInput {
  readonly userName: string;
  readonly policy?: Parameters;
}

export async function createUserWithKey(account: Account, { userName, policy }: UserInput): Promise<Credentials> {
  await account.call('iam', 'create_user', { UserName: userName });
  if (policy) await putUserPolicy(account, userName, policy);
  return createKey(account, userName);
}

export async function createKey(account: Account, userName: string): Promise<Credentials> {
  const { AccessKey } = await account.call('iam', 'create_access_key', { UserName: userName });
  const key = AccessKey as { AccessKeyId: string; SecretAccessKey: string };
  return { accessKeyId: key.AccessKeyId, secretAccessKey: key.SecretAccessKey };
}

export async function putUserPolicy(account: Account, userName: string, policy: Parameters): Promise<void> {
  const PolicyDocument = JSON.stringify(policy);
  await account.call('iam', 'put_user_policy', { UserName: userName, PolicyName: 'own', PolicyDocument });
}

/** A role as a customer makes it: trusts the base account under an external ID, if one is given. */
export async function createRole(
  account: Account,
  role: { readonly name: string; readonly externalId: string | undefined; readonly policies: readonly Parameters[] },
): Promise<string> {
  const Condition =
    role.externalId === undefined ? {} : { Condition: { StringEquals: { 'sts:ExternalId': role.externalId } } };
  const principal = {
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${DEFAULT_ACCOUNT}:root` },
    Action: 'sts:AssumeRole',
  };
  const trust = { Version: '2012-10-17', Statement: [{ ...principal, ...Condition }] };
  await account.call('iam', 'create_role', { RoleName: role.name, AssumeRolePolicyDocument: JSON.stringify(trust) });
  for (const [index, policy] of role.policies.entries())
    await putRolePolicy(account, { role: role.name, name: `p${String(index)}`, policy });
  return `arn:aws:iam::${account.accountId}:role/${role.name}`;
}

export async function putRolePolicy(
  account: Account,
  { role, name, policy }: { readonly role: string; readonly name: string; readonly policy: Parameters },
): Promise<void> {
  const PolicyDocument = JSON.stringify(policy);
  await account.call('iam', 'put_role_policy', { RoleName: role, PolicyName: name, PolicyDocument });
}

export function statement(action: string | readonly string[], resource: string | readonly string[]): Parameters {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: resource }] };
}
