/** IAM: access keys, users and their tags, policy simulation, the account summary. */
import { AwsError } from '../aws-error.ts';
import { defineOperation, type Call, type OperationTable } from '../service.ts';
import type { AccessKey, AccessKeyStatus } from '../state.ts';
import { addAccessKey, deleteKey, getUserKey, KEYS_PER_USER, requireFreeKeySlot, setKeyStatus } from './access-keys.ts';
import { SIMULATE_PRINCIPAL_POLICY } from './simulate.ts';
import { LIST_USER_TAGS, TAG_USER } from './user-tags.ts';
import { getUser, toPage, userAccess, type PageInput, type UserInput } from './users.ts';

interface KeyInput extends UserInput {
  readonly AccessKeyId: string;
}

interface UpdateAccessKeyInput extends KeyInput {
  readonly Status: AccessKeyStatus | 'Expired';
}

export const IAM_OPERATIONS: OperationTable = {
  ListAccessKeys: defineOperation<UserInput & PageInput>({
    access: userAccess('iam:ListAccessKeys'),
    run: (call, input) => {
      const user = getUser(call, input);
      const listed = [...user.accessKeys.values()].flatMap((key) => toMetadata(key, call.now));
      const { items, ...page } = toPage(listed, input);
      return { AccessKeyMetadata: items, ...page };
    },
  }),
  CreateAccessKey: defineOperation<UserInput>({
    access: userAccess('iam:CreateAccessKey'),
    run: (call, input) => {
      const user = getUser(call, input);
      requireFreeKeySlot(call, user);
      const key = addAccessKey(call, { accountId: user.accountId, user, propagates: true });
      return {
        AccessKey: {
          UserName: user.userName,
          AccessKeyId: key.accessKeyId,
          Status: 'Active',
          SecretAccessKey: key.secretAccessKey,
          CreateDate: new Date(key.createdAt),
        },
      };
    },
  }),
  UpdateAccessKey: defineOperation<UpdateAccessKeyInput>({
    access: userAccess('iam:UpdateAccessKey'),
    run: (call, input) => {
      const key = getUserKey(getUser(call, input), input.AccessKeyId);
      if (input.Status === 'Expired')
        throw new AwsError('InvalidInput', 'The status of an access key can be Active or Inactive.');
      setKeyStatus(call, key, input.Status);
      return {};
    },
  }),
  DeleteAccessKey: defineOperation<KeyInput>({
    access: userAccess('iam:DeleteAccessKey'),
    run: (call, input) => {
      deleteKey(call, getUserKey(getUser(call, input), input.AccessKeyId));
      return {};
    },
  }),
  GetAccessKeyLastUsed: defineOperation<KeyInput>({
    access: (call, input) => {
      const key = findOwnKey(call, input.AccessKeyId);
      const user = key?.userName === undefined ? undefined : call.account.users.get(key.userName);
      const action = 'iam:GetAccessKeyLastUsed';
      return [{ action, resource: user?.arn ?? '*', shownAs: `access key ${input.AccessKeyId}` }];
    },
    run: (call, input) => getLastUsed(call, input.AccessKeyId),
  }),
  GetUser: defineOperation<UserInput>({
    access: userAccess('iam:GetUser'),
    run: (call, input) => {
      const user = getUser(call, input);
      const tags = [...user.tags].map(([Key, Value]) => ({ Key, Value }));
      return {
        User: {
          Path: user.path,
          UserName: user.userName,
          UserId: user.userId,
          Arn: user.arn,
          CreateDate: new Date(user.createdAt),
          Tags: tags.length === 0 ? undefined : tags,
        },
      };
    },
  }),
  SimulatePrincipalPolicy: SIMULATE_PRINCIPAL_POLICY,
  GetAccountSummary: defineOperation<object>({
    access: () => [{ action: 'iam:GetAccountSummary', resource: '*' }],
    run: (call) => ({ SummaryMap: accountSummary(call) }),
  }),
  ListUserTags: LIST_USER_TAGS,
  TagUser: TAG_USER,
};

function toMetadata(key: AccessKey, now: number): readonly object[] {
  const status = key.listed.at(now);
  if (status === undefined) return [];
  return [
    { UserName: key.userName, AccessKeyId: key.accessKeyId, Status: status, CreateDate: new Date(key.createdAt) },
  ];
}

function findOwnKey(call: Call, accessKeyId: string): AccessKey | undefined {
  const key = call.world.accessKeys.get(accessKeyId);
  return key?.accountId === call.account.accountId && key.status !== 'Deleted' ? key : undefined;
}

/**
 * The operation knows no NoSuchEntity: a key that is not there is one that the caller may not ask
 * about.
 */
function getLastUsed(call: Call, accessKeyId: string): object {
  const key = findOwnKey(call, accessKeyId);
  if (!key) {
    const who = `User: ${call.principal.arn} is not authorized to perform: iam:GetAccessKeyLastUsed`;
    throw new AwsError('AccessDenied', `${who} on resource: access key ${accessKeyId}`);
  }
  const use = key.lastUsed.at(call.now);
  return {
    UserName: key.userName,
    AccessKeyLastUsed: {
      LastUsedDate: use && new Date(use.at),
      ServiceName: use?.service ?? 'N/A',
      Region: use?.region ?? 'N/A',
    },
  };
}

function accountSummary(call: Call): ReadonlyMap<string, number> {
  return new Map([
    ['Users', call.account.users.size],
    ['UsersQuota', 5000],
    ['Roles', call.account.roles.size],
    ['RolesQuota', 1000],
    ['Policies', call.account.managedPolicies.size],
    ['PoliciesQuota', 1500],
    ['AccessKeysPerUserQuota', KEYS_PER_USER],
    ['AccountAccessKeysPresent', [...call.world.accessKeys.values()].some((key) => isRootKey(key, call)) ? 1 : 0],
    ['AccountMFAEnabled', 0],
    ['AssumeRolePolicySizeQuota', 2048],
    ['GlobalEndpointTokenVersion', 1],
  ]);
}

function isRootKey(key: AccessKey, call: Call): boolean {
  return key.userName === undefined && key.accountId === call.account.accountId && key.status !== 'Deleted';
}
