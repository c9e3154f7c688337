/**
 * A customer's AWS account in the sandbox, for `demo` and `up --sandbox`, set up as
 * docs/aws-connection.md describes.
 */
import type { PolicyDocument } from '../domain/policy/document.ts';
import { policyFor, trustPolicy } from '../domain/policy/policies.ts';
import type { AwsSandbox } from '../sandbox/aws/index.ts';
import { SANDBOX_BASE_ACCOUNT } from './embedded.ts';

export const ACCOUNT = '444455556666';
export const REGION = 'eu-west-1';
export const PREFIX = '/shop/prod/';
export const SECRET_PREFIX = 'shop/prod/';
export const SECRET_NAME = 'shop-all';
export const ROTATED_USER = 'shop-deployer';

export interface SandboxWorld {
  readonly roleArn: string;
  readonly roleOfAnotherOrg: string;
  readonly accessKey: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Exactly what the demo needs: it shows that the printed policies suffice. */
const place = { partition: 'aws', accountId: ACCOUNT };
const demoPolicies: readonly PolicyDocument[] = [
  policyFor({ use: 'parameter-store', region: REGION, path: PREFIX }, place),
  policyFor({ use: 'secrets-manager', region: REGION, prefix: 'shop' }, place),
  policyFor({ use: 'access-key-rotation', userName: ROTATED_USER }, place),
];

/** For trying things out: any name, any user. Session policies still narrow each sync. */
export const widePolicies: readonly PolicyDocument[] = [
  {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['ssm:*', 'secretsmanager:*', 'iam:*', 'kms:*'], Resource: '*' }],
  },
];

export function createWorld(
  sandbox: AwsSandbox,
  orgId: string,
  policies: readonly PolicyDocument[] = demoPolicies,
): SandboxWorld {
  sandbox.createAccount(ACCOUNT);
  const trust = (externalId: string) =>
    trustPolicy({ partition: 'aws', baseAccountId: SANDBOX_BASE_ACCOUNT, externalId });
  const role = (roleName: string, externalId: string) =>
    sandbox.createRole({ accountId: ACCOUNT, roleName, trustPolicy: trust(externalId), policy: policies }).arn;
  sandbox.createUser({ accountId: ACCOUNT, userName: ROTATED_USER });
  const keyUser = { accountId: ACCOUNT, userName: 'keyferry' };
  sandbox.createUser({ ...keyUser, policy: policies });
  return {
    roleArn: role('keyferry', orgId),
    roleOfAnotherOrg: role('keyferry-other', 'another-org'),
    accessKey: sandbox.createAccessKey(keyUser),
  };
}

/** 25 harmless values; two of them change later and one goes. */
export function firstSecrets(): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: 25 }, (_, index) => [
      `SETTING_${String(index + 1).padStart(2, '0')}`,
      `value ${String(index + 1)} of the demo`,
    ]),
  );
}
