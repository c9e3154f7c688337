/**
 * What tests and the demo set up before anybody calls: accounts, users, roles, keys. Everything
 * here works at once.
 */
import { requireIamName } from './iam-name.ts';
import { addAccessKey, deleteKey, setKeyStatus, type KeyChange } from './iam/access-keys.ts';
import { kmsFixtures, type KmsFixtures } from './kms-fixtures.ts';
import { Lagged } from './lagged.ts';
import { compilePolicy, type CompiledPolicy, type PolicyDocument, type PolicyKind } from './policy/document.ts';
import { BASE32 } from './random.ts';
import type { PartitionName } from './regions.ts';
import { getAccount, type AccessKeyStatus, type Account, type Role, type User } from './state.ts';
import { drawDelayMs } from './timing.ts';

export type PolicyInput = PolicyDocument | readonly PolicyDocument[];

export interface NamedUser {
  readonly accountId: string;
  readonly userName: string;
}

export interface NamedRole {
  readonly accountId: string;
  readonly roleName: string;
}

export interface CreateUserInput extends NamedUser {
  /** Default `/`. */
  readonly path?: string;
  readonly policy?: PolicyInput;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface CreateRoleInput extends NamedRole {
  readonly path?: string;
  readonly trustPolicy: PolicyDocument;
  readonly policy?: PolicyInput;
  /** 3600 (the default) to 43200. */
  readonly maxSessionDurationSeconds?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** true: the role exists for AssumeRole only after the policy propagation delay. */
  readonly propagates?: boolean;
}

export interface CreatedAccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SandboxFixtures extends KmsFixtures {
  /** Without an id: the next of 111122223333, 111122223334, … The same id again changes nothing. */
  createAccount(
    accountId?: string,
    options?: { partition?: PartitionName; optInRegions?: readonly string[] },
  ): { accountId: string };
  createUser(input: CreateUserInput): { arn: string; userId: string; accountId: string };
  /** Works everywhere at once, unlike a key that CreateAccessKey makes. */
  createAccessKey(input: NamedUser): CreatedAccessKey;
  /** A key of the account's root user, which a connection should refuse. */
  createRootAccessKey(input: { accountId: string }): CreatedAccessKey;
  createRole(input: CreateRoleInput): { arn: string };
  createManagedPolicy(input: { accountId: string; policyName: string; policy: PolicyDocument }): { arn: string };
  setRoleTrust(input: NamedRole & { trustPolicy: PolicyDocument }): void;
  setRolePolicy(input: NamedRole & { policy: PolicyInput }): void;
  setUserPolicy(input: NamedUser & { policy: PolicyInput }): void;
  deleteRole(input: NamedRole): void;
  /** Takes the user's keys with it. */
  deleteUser(input: NamedUser): void;
  setAccessKeyStatus(input: { accessKeyId: string; status: AccessKeyStatus }): void;
  deleteAccessKey(input: { accessKeyId: string }): void;
}

/** What changes need; `now` reads the clock when it is called. */
export type FixtureContext = () => KeyChange;

const FIRST_ACCOUNT = 111122223333;

export function createFixtures(context: FixtureContext, baseAccountId: string | undefined): SandboxFixtures {
  let nextAccount = Number(baseAccountId ?? FIRST_ACCOUNT);
  const ensureAccount = (accountId: string, partition: PartitionName = 'aws'): Account => {
    const { world } = context();
    const known = world.accounts.get(accountId);
    if (known) return known;
    if (!/^\d{12}$/.test(accountId)) throw new Error(`An account id has 12 digits, got ${accountId}`);
    const account = newAccount(accountId, partition);
    world.accounts.set(accountId, account);
    return account;
  };
  const takeAccountId = (): string => {
    while (context().world.accounts.has(String(nextAccount))) nextAccount += 1;
    return String(nextAccount);
  };
  return {
    ...keyFixtures(context),
    ...policyFixtures(context),
    ...kmsFixtures(context, ensureAccount),
    createAccount: (accountId, options = {}) => {
      const account = ensureAccount(accountId ?? takeAccountId(), options.partition);
      for (const region of options.optInRegions ?? []) account.enabledOptInRegions.add(region);
      return { accountId: account.accountId };
    },
    createUser: (input) => {
      const user = newUser(context(), ensureAccount(input.accountId), input);
      return { arn: user.arn, userId: user.userId, accountId: user.accountId };
    },
    createRole: (input) => ({ arn: newRole(context(), ensureAccount(input.accountId), input).arn }),
    createManagedPolicy: ({ accountId, policyName, policy }) => {
      const account = ensureAccount(accountId);
      const arn = `arn:${account.partition}:iam::${accountId}:policy/${policyName}`;
      account.managedPolicies.set(arn, compilePolicy(policy, 'identity'));
      return { arn };
    },
  };
}

type KeyFixtures = 'createAccessKey' | 'createRootAccessKey' | 'setAccessKeyStatus' | 'deleteAccessKey' | 'deleteUser';

function keyFixtures(context: FixtureContext): Pick<SandboxFixtures, KeyFixtures> {
  const getKey = (accessKeyId: string) => {
    const key = context().world.accessKeys.get(accessKeyId);
    if (!key) throw new Error(`The sandbox has no access key ${accessKeyId}`);
    return key;
  };
  const add = (accountId: string, user: User | undefined): CreatedAccessKey => {
    const { accessKeyId, secretAccessKey } = addAccessKey(context(), { accountId, user, propagates: false });
    return { accessKeyId, secretAccessKey };
  };
  return {
    createAccessKey: (input) => add(input.accountId, getUser(context(), input)),
    createRootAccessKey: ({ accountId }) => add(getAccount(context().world, accountId).accountId, undefined),
    setAccessKeyStatus: ({ accessKeyId, status }) => {
      setKeyStatus(context(), getKey(accessKeyId), status);
    },
    deleteAccessKey: ({ accessKeyId }) => {
      deleteKey(context(), getKey(accessKeyId));
    },
    deleteUser: (input) => {
      const change = context();
      const user = getUser(change, input);
      for (const key of user.accessKeys.values()) deleteKey(change, key);
      getAccount(change.world, input.accountId).users.delete(input.userName);
    },
  };
}

type PolicyFixtures = 'setRoleTrust' | 'setRolePolicy' | 'setUserPolicy' | 'deleteRole';

function policyFixtures(context: FixtureContext): Pick<SandboxFixtures, PolicyFixtures> {
  const later = (change: KeyChange): number => change.now + drawDelayMs(change.timing.policyMs, change.random);
  return {
    setRoleTrust: (input) => {
      const change = context();
      getRole(change, input).trust.set(compilePolicy(input.trustPolicy, 'trust'), later(change));
    },
    setRolePolicy: (input) => {
      const change = context();
      getRole(change, input).policies.set(compileAll(input.policy, 'identity'), later(change));
    },
    setUserPolicy: (input) => {
      const change = context();
      getUser(change, input).policies.set(compileAll(input.policy, 'identity'), later(change));
    },
    deleteRole: (input) => {
      const change = context();
      // Sessions that are still open lose all that the role allowed.
      getRole(change, input).policies.set([], change.now);
      getAccount(change.world, input.accountId).roles.delete(input.roleName);
    },
  };
}

function newAccount(accountId: string, partition: PartitionName): Account {
  return {
    accountId,
    partition,
    enabledOptInRegions: new Set(),
    users: new Map(),
    roles: new Map(),
    managedPolicies: new Map(),
    regions: new Map(),
  };
}

function newUser(change: KeyChange, account: Account, input: CreateUserInput): User {
  requireIamName('user', input.userName);
  if (account.users.has(input.userName))
    throw new Error(`User ${input.userName} exists in account ${account.accountId}`);
  const path = input.path ?? '/';
  const user: User = {
    userName: input.userName,
    userId: `AIDASANDBOX${change.random.text(10, BASE32)}`,
    arn: `arn:${account.partition}:iam::${account.accountId}:user${path}${input.userName}`,
    path,
    accountId: account.accountId,
    createdAt: change.now,
    tags: new Map(Object.entries(input.tags ?? {})),
    policies: new Lagged(),
    accessKeys: new Map(),
  };
  user.policies.set(compileAll(input.policy ?? [], 'identity'), change.now);
  account.users.set(user.userName, user);
  return user;
}

function newRole(change: KeyChange, account: Account, input: CreateRoleInput): Role {
  requireIamName('role', input.roleName);
  if (account.roles.has(input.roleName))
    throw new Error(`Role ${input.roleName} exists in account ${account.accountId}`);
  const visibleAt = change.now + (input.propagates === true ? drawDelayMs(change.timing.policyMs, change.random) : 0);
  const role: Role = {
    roleName: input.roleName,
    roleId: `AROASANDBOX${change.random.text(10, BASE32)}`,
    arn: `arn:${account.partition}:iam::${account.accountId}:role${input.path ?? '/'}${input.roleName}`,
    accountId: account.accountId,
    maxSessionSeconds: input.maxSessionDurationSeconds ?? 3600,
    trust: new Lagged(),
    policies: new Lagged(),
    tags: new Map(Object.entries(input.tags ?? {})),
  };
  role.trust.set(compilePolicy(input.trustPolicy, 'trust'), visibleAt);
  role.policies.set(compileAll(input.policy ?? [], 'identity'), visibleAt);
  account.roles.set(role.roleName, role);
  return role;
}

function compileAll(policy: PolicyInput, kind: PolicyKind): readonly CompiledPolicy[] {
  const documents = Array.isArray(policy) ? (policy as readonly PolicyDocument[]) : [policy as PolicyDocument];
  return documents.map((document) => compilePolicy(document, kind));
}

function getUser(change: KeyChange, input: NamedUser): User {
  const user = getAccount(change.world, input.accountId).users.get(input.userName);
  if (!user) throw new Error(`The sandbox has no user ${input.userName} in account ${input.accountId}`);
  return user;
}

function getRole(change: KeyChange, input: NamedRole): Role {
  const role = getAccount(change.world, input.accountId).roles.get(input.roleName);
  if (!role) throw new Error(`The sandbox has no role ${input.roleName} in account ${input.accountId}`);
  return role;
}
