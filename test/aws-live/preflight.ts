/** Refuses to start where the live lane has no business, with all reasons at once. */
import { GetRoleCommand, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam';
import { ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { DescribeParametersCommand } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';

import type { Clients } from '../contract/target.ts';
import { FAMILY } from './guard.ts';
import type { People } from './people.ts';

/** Everything that the lane calls as the person who starts it. */
const ACTIONS = [
  'iam:CreateAccessKey',
  'iam:CreateRole',
  'iam:CreateUser',
  'iam:DeleteAccessKey',
  'iam:DeleteRole',
  'iam:DeleteRolePolicy',
  'iam:DeleteUser',
  'iam:DeleteUserPolicy',
  'iam:GetAccessKeyLastUsed',
  'iam:GetRole',
  'iam:GetUser',
  'iam:ListAccessKeys',
  'iam:ListRolePolicies',
  'iam:ListRoles',
  'iam:ListUserPolicies',
  'iam:ListUsers',
  'iam:PutRolePolicy',
  'iam:PutUserPolicy',
  'iam:SimulatePrincipalPolicy',
  'iam:UpdateAccessKey',
  'secretsmanager:BatchGetSecretValue',
  'secretsmanager:CreateSecret',
  'secretsmanager:DeleteSecret',
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'secretsmanager:ListSecretVersionIds',
  'secretsmanager:ListSecrets',
  'secretsmanager:PutSecretValue',
  'secretsmanager:RemoveRegionsFromReplication',
  'secretsmanager:ReplicateSecretToRegions',
  'secretsmanager:RestoreSecret',
  'secretsmanager:TagResource',
  'secretsmanager:UntagResource',
  'secretsmanager:UpdateSecret',
  'secretsmanager:UpdateSecretVersionStage',
  'secretsmanager:ValidateResourcePolicy',
  'ssm:AddTagsToResource',
  'ssm:DeleteParameter',
  'ssm:DeleteParameters',
  'ssm:DescribeParameters',
  'ssm:GetParameter',
  'ssm:GetParameterHistory',
  'ssm:GetParameters',
  'ssm:GetParametersByPath',
  'ssm:GetServiceSetting',
  'ssm:LabelParameterVersion',
  'ssm:ListTagsForResource',
  'ssm:PutParameter',
  'ssm:RemoveTagsFromResource',
  'ssm:UnlabelParameterVersion',
  'sts:AssumeRole',
] as const;

export interface PreflightInput {
  readonly clients: Clients;
  readonly people: People;
  /** As the person named it. */
  readonly accountId: string;
  /** A sweep is for what is left over. */
  readonly mayHoldObjects: boolean;
  /** Emulators that cannot tell. */
  readonly canSimulate: boolean;
}

/**
 * What speaks against starting; empty: nothing does. Nothing after the first group is asked when
 * the account is the wrong one.
 */
export async function findRefusals(input: PreflightInput): Promise<readonly string[]> {
  const { Account = '', Arn = '' } = await input.clients.sts.send(new GetCallerIdentityCommand({}));
  if (Account !== input.accountId)
    return [
      `These credentials belong to account ${Account}, not to ${input.accountId}. Name the account that is meant.`,
    ];
  if (Arn.endsWith(':root')) return ['These are credentials of the root user. Use an IAM user or role.'];
  const missing = input.canSimulate ? await findMissingActions(input.clients, Arn) : [];
  if (missing.length > 0) return [`${Arn} lacks permissions: ${missing.join(', ')}. Grant them and start again.`];
  const found = input.mayHoldObjects ? [] : await findLeftovers(input.clients, input.people);
  return found.length === 0
    ? []
    : [`The account holds objects of an earlier run: ${found.join(', ')}. Remove them with --sweep.`];
}

async function findMissingActions({ iam }: Clients, arn: string): Promise<readonly string[]> {
  try {
    const PolicySourceArn = await principalArn(iam, arn);
    const { EvaluationResults = [] } = await iam.send(
      new SimulatePrincipalPolicyCommand({ PolicySourceArn, ActionNames: [...ACTIONS], MaxItems: 1_000 }),
    );
    return EvaluationResults.filter(({ EvalDecision }) => EvalDecision !== 'allowed').map(
      ({ EvalActionName = '' }) => EvalActionName,
    );
  } catch (error) {
    if (error instanceof Error && error.name.startsWith('AccessDenied'))
      return ['iam:SimulatePrincipalPolicy (which tells the others)'];
    throw error;
  }
}

/** The simulator takes a role, not a session of it. */
async function principalArn(iam: Clients['iam'], arn: string): Promise<string> {
  const session = /:assumed-role\/([^/]+)\//.exec(arn);
  if (!session) return arn;
  const { Role } = await iam.send(new GetRoleCommand({ RoleName: session[1] }));
  return Role?.Arn ?? arn;
}

async function findLeftovers({ ssm, secrets }: Clients, people: People): Promise<readonly string[]> {
  return [...(await parameterNames(ssm, FAMILY)), ...(await secretNames(secrets, FAMILY)), ...(await people.list())];
}

/** With and without the slash in front. */
export async function parameterNames(ssm: Clients['ssm'], prefix: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const Values of [[`/${prefix}`], [prefix]]) {
    let NextToken: string | undefined;
    do {
      const ParameterFilters = [{ Key: 'Name', Option: 'BeginsWith', Values }];
      const page = await ssm.send(new DescribeParametersCommand({ ParameterFilters, MaxResults: 50, NextToken }));
      names.push(...(page.Parameters ?? []).map(({ Name = '' }) => Name));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
  }
  return [...new Set(names)].filter((name) => name.replace(/^\//, '').startsWith(prefix));
}

export async function secretNames(secrets: Clients['secrets'], prefix: string): Promise<readonly string[]> {
  const names: string[] = [];
  let NextToken: string | undefined;
  do {
    const Filters = [{ Key: 'name' as const, Values: [prefix] }];
    const page = await secrets.send(
      new ListSecretsCommand({ Filters, MaxResults: 100, IncludePlannedDeletion: true, NextToken }),
    );
    names.push(
      ...(page.SecretList ?? []).filter(({ DeletedDate }) => DeletedDate === undefined).map(({ Name = '' }) => Name),
    );
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return names.filter((name) => name.startsWith(prefix));
}
