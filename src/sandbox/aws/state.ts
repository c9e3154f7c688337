/**
 * The model's state: accounts, their identities, and what each account holds per region. No
 * behaviour besides look-ups.
 */
import type { CompiledPolicy } from './policy/document.ts';
import type { KmsKey } from './kms-key.ts';
import type { Lagged } from './lagged.ts';
import type { SecretRecord } from './secrets-manager/secret-record.ts';
import type { ParameterRecord } from './ssm/parameter-record.ts';
import type { PartitionName } from './regions.ts';

export interface Account {
  readonly accountId: string;
  readonly partition: PartitionName;
  readonly enabledOptInRegions: Set<string>;
  readonly users: Map<string, User>;
  readonly roles: Map<string, Role>;
  readonly managedPolicies: Map<string, CompiledPolicy>;
  readonly regions: Map<string, RegionState>;
}

export interface RegionState {
  readonly parameters: Map<string, ParameterRecord>;
  /** Name → when (ms) it may be created again. */
  readonly deletedParameters: Map<string, number>;
  readonly secrets: Map<string, SecretRecord>;
  readonly deletedSecrets: Map<string, number>;
  readonly kmsKeys: Map<string, KmsKey>;
  readonly serviceSettings: Map<string, string>;
}

export interface User {
  readonly userName: string;
  readonly userId: string;
  readonly arn: string;
  readonly path: string;
  readonly accountId: string;
  readonly createdAt: number;
  readonly tags: Map<string, string>;
  readonly policies: Lagged<readonly CompiledPolicy[]>;
  /** By key id; deleted keys stay here until their deletion is visible everywhere. */
  readonly accessKeys: Map<string, AccessKey>;
}

export interface Role {
  readonly roleName: string;
  readonly roleId: string;
  readonly arn: string;
  readonly accountId: string;
  readonly maxSessionSeconds: number;
  readonly trust: Lagged<CompiledPolicy>;
  readonly policies: Lagged<readonly CompiledPolicy[]>;
  readonly tags: Map<string, string>;
}

export type AccessKeyStatus = 'Active' | 'Inactive';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly accountId: string;
  /** undefined: a key of the account's root user. */
  readonly userName: string | undefined;
  readonly createdAt: number;
  /** Fixture keys work everywhere at once; keys made by CreateAccessKey propagate. */
  readonly propagates: boolean;
  status: AccessKeyStatus | 'Deleted';
  /** When (ms) a deactivated or deleted key stops working; undefined while it is active. */
  refusedFrom: number | undefined;
  /** What ListAccessKeys shows; undefined: not listed. */
  readonly listed: Lagged<AccessKeyStatus | undefined>;
  readonly lastUsed: Lagged<{ readonly at: number; readonly service: string; readonly region: string }>;
  lastUseRecordedAt: number;
}

export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly role: Role;
  readonly sessionName: string;
  readonly expiresAt: number;
  readonly sessionPolicies: readonly CompiledPolicy[] | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
}

/** Made by GetFederationToken. */
export interface FederatedSession extends Pick<Session, 'accessKeyId' | 'secretAccessKey' | 'sessionToken' | 'tags'> {
  readonly name: string;
  readonly accountId: string;
  /** undefined: of the account's root user. */
  readonly user: User | undefined;
  readonly expiresAt: number;
  readonly sessionPolicies: readonly CompiledPolicy[];
}

export interface World {
  readonly accounts: Map<string, Account>;
  readonly accessKeys: Map<string, AccessKey>;
  readonly sessions: Map<string, Session>;
  readonly federatedSessions: Map<string, FederatedSession>;
  findKmsKeys(accountId: string, region: string): ReadonlyMap<string, KmsKey>;
  nextSequence(): number;
}

const NO_KEYS: ReadonlyMap<string, KmsKey> = new Map();

export function createWorld(): World {
  const accounts = new Map<string, Account>();
  let sequence = 0;
  return {
    accounts,
    accessKeys: new Map(),
    sessions: new Map(),
    federatedSessions: new Map(),
    findKmsKeys: (accountId, region) => accounts.get(accountId)?.regions.get(region)?.kmsKeys ?? NO_KEYS,
    nextSequence: () => (sequence += 1),
  };
}

export function getAccount(world: World, accountId: string): Account {
  const account = world.accounts.get(accountId);
  if (!account) throw new Error(`The sandbox has no account ${accountId}; create it with createAccount.`);
  return account;
}

export function regionState(account: Account, region: string): RegionState {
  const known = account.regions.get(region);
  if (known) return known;
  const made: RegionState = {
    parameters: new Map(),
    deletedParameters: new Map(),
    secrets: new Map(),
    deletedSecrets: new Map(),
    kmsKeys: new Map(),
    serviceSettings: new Map(),
  };
  account.regions.set(region, made);
  return made;
}
