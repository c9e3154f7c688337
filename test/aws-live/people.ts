/** Users, roles and keys of a run, all of them under its IAM path, and their end. */
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  ListAccessKeysCommand,
  ListRolePoliciesCommand,
  ListRolesCommand,
  ListUserPoliciesCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
  type IAMClient,
} from '@aws-sdk/client-iam';

import type { AwsSandbox } from '../../src/sandbox/aws/index.ts';
import type { Credentials, Policy } from '../contract/target.ts';

export interface RoleInput {
  readonly name: string;
  readonly trust: Policy;
  readonly policies: readonly object[];
  readonly maxSessionSeconds?: number;
}

export interface People {
  createUser(name: string, policy?: object): Promise<{ readonly userName: string; readonly arn: string }>;
  createKey(userName: string): Promise<Credentials>;
  createRole(role: RoleInput): Promise<{ readonly arn: string }>;
  /** Everything under the path that all runs share. */
  list(): Promise<readonly string[]>;
  /** Deletes everything under the path `below`, and nothing else. Returns how many. */
  sweep(below: string): Promise<number>;
}

export type CreatePeople = (iam: IAMClient, path: string) => People;

/** The path above that of every run. */
export const IAM_PATH = '/keyferry-live/';

export const createIamPeople: CreatePeople = (iam, path) => ({
  async createUser(UserName, policy) {
    const { User } = await iam.send(new CreateUserCommand({ UserName, Path: path }));
    if (policy) {
      const PolicyDocument = JSON.stringify(policy);
      await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'own', PolicyDocument }));
    }
    return { userName: UserName, arn: User?.Arn ?? '' };
  },
  async createKey(UserName) {
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
    return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
  },
  async createRole({ name, trust, policies, maxSessionSeconds }) {
    const AssumeRolePolicyDocument = JSON.stringify(trust);
    const role = { RoleName: name, Path: path, AssumeRolePolicyDocument, MaxSessionDuration: maxSessionSeconds };
    const { Role } = await iam.send(new CreateRoleCommand(role));
    for (const [index, policy] of policies.entries()) {
      const document = { PolicyName: `p${String(index)}`, PolicyDocument: JSON.stringify(policy) };
      await iam.send(new PutRolePolicyCommand({ RoleName: name, ...document }));
    }
    return { arn: Role?.Arn ?? '' };
  },
  async list() {
    const [users, roles] = await namesBelow(iam, IAM_PATH);
    return [...users.map((name) => `user ${name}`), ...roles.map((name) => `role ${name}`)];
  },
  async sweep(below) {
    const [users, roles] = await namesBelow(iam, below);
    for (const name of users) await deleteUser(iam, name);
    for (const name of roles) await deleteRole(iam, name);
    return users.length + roles.length;
  },
});

async function namesBelow(iam: IAMClient, PathPrefix: string): Promise<readonly [string[], string[]]> {
  const { Users = [] } = await iam.send(new ListUsersCommand({ PathPrefix, MaxItems: 1_000 }));
  const { Roles = [] } = await iam.send(new ListRolesCommand({ PathPrefix, MaxItems: 1_000 }));
  // Not every emulator filters.
  const isBelow = ({ Path = '' }: { readonly Path?: string | undefined }) => Path.startsWith(PathPrefix);
  return [
    Users.filter(isBelow).map(({ UserName = '' }) => UserName),
    Roles.filter(isBelow).map(({ RoleName = '' }) => RoleName),
  ];
}

async function deleteUser(iam: IAMClient, UserName: string): Promise<void> {
  const { AccessKeyMetadata = [] } = await iam.send(new ListAccessKeysCommand({ UserName }));
  for (const { AccessKeyId } of AccessKeyMetadata)
    await iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId }));
  const { PolicyNames = [] } = await iam.send(new ListUserPoliciesCommand({ UserName }));
  for (const PolicyName of PolicyNames) await iam.send(new DeleteUserPolicyCommand({ UserName, PolicyName }));
  await iam.send(new DeleteUserCommand({ UserName }));
}

async function deleteRole(iam: IAMClient, RoleName: string): Promise<void> {
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  for (const PolicyName of PolicyNames) await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
  await iam.send(new DeleteRoleCommand({ RoleName }));
}

/**
 * The sandbox models no operation that makes users or roles: its fixtures make them. It forgets
 * everything when it ends.
 */
export const createSandboxPeople =
  (sandbox: AwsSandbox, accountId: string): CreatePeople =>
  (_iam, path) => ({
    async createUser(userName, policy) {
      const { arn } = sandbox.createUser({ accountId, userName, path, ...(policy && { policy: policy as Policy }) });
      return { userName, arn };
    },
    createKey: async (userName) => sandbox.createAccessKey({ accountId, userName }),
    createRole: async ({ name, trust, policies, maxSessionSeconds }) =>
      sandbox.createRole({
        accountId,
        roleName: name,
        path,
        trustPolicy: trust,
        policy: policies as readonly Policy[],
        ...(maxSessionSeconds === undefined ? {} : { maxSessionDurationSeconds: maxSessionSeconds }),
      }),
    list: async () => [],
    sweep: async () => 0,
  });
