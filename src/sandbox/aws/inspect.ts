/**
 * What really is in AWS, values included: for assertions of tests, never for the code under test.
 */
import { latestVersion, type ParameterRecord, type ParameterTier, type ParameterType } from './ssm/parameter-record.ts';
import { canonicalName } from './ssm/names.ts';
import type { SecretRecord } from './secrets-manager/secret-record.ts';
import type { AccessKey, AccessKeyStatus, RegionState, World } from './state.ts';

export interface RegionAddress {
  readonly accountId: string;
  readonly region: string;
}

export interface InspectedParameter {
  readonly name: string;
  readonly arn: string;
  readonly type: ParameterType;
  readonly tier: ParameterTier;
  readonly value: string;
  readonly version: number;
  readonly keyId: string | undefined;
  readonly description: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<number, readonly string[]>>;
  readonly modifiedAt: Date;
  readonly modifiedBy: string;
}

export interface InspectedSecret {
  readonly name: string;
  readonly arn: string;
  /** The value at AWSCURRENT; undefined when there is none. Binary values as base64. */
  readonly value: string | undefined;
  readonly currentVersionId: string | undefined;
  readonly versions: readonly {
    readonly versionId: string;
    readonly stages: readonly string[];
    readonly value: string;
  }[];
  readonly description: string | undefined;
  readonly kmsKeyId: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Set while the secret waits for its deletion. */
  readonly deletedAt: Date | undefined;
  readonly replicaRegions: readonly string[];
}

export interface InspectedAccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly status: AccessKeyStatus;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
}

export interface SandboxInspection {
  parameter(address: RegionAddress & { name: string }): InspectedParameter | undefined;
  parameters(address: RegionAddress & { prefix?: string }): readonly InspectedParameter[];
  secret(address: RegionAddress & { name: string }): InspectedSecret | undefined;
  secrets(address: RegionAddress & { prefix?: string }): readonly InspectedSecret[];
  /** Keys that exist, whatever lists still show. */
  accessKeys(address: { accountId: string; userName: string }): readonly InspectedAccessKey[];
}

export function createInspection(world: World, now: () => number): SandboxInspection {
  const find = (address: RegionAddress): RegionState | undefined =>
    world.accounts.get(address.accountId)?.regions.get(address.region);
  const secretsIn = (address: RegionAddress): SecretRecord[] =>
    [...(find(address)?.secrets.values() ?? [])].filter((s) => !s.deletion || s.deletion.purgedAt > now());
  return {
    parameter: (address) => {
      const record = find(address)?.parameters.get(canonicalName(address.name));
      return record && toInspectedParameter(record);
    },
    parameters: (address) =>
      [...(find(address)?.parameters.values() ?? [])]
        .filter((record) => record.name.startsWith(address.prefix ?? ''))
        .map(toInspectedParameter),
    secret: (address) => {
      const record = secretsIn(address).find((s) => s.name === address.name);
      return record && toInspectedSecret(record);
    },
    secrets: (address) =>
      secretsIn(address)
        .filter((s) => s.name.startsWith(address.prefix ?? ''))
        .map(toInspectedSecret),
    accessKeys: ({ accountId, userName }) =>
      [...(world.accounts.get(accountId)?.users.get(userName)?.accessKeys.values() ?? [])].flatMap(toInspectedKey),
  };
}

function toInspectedParameter(record: ParameterRecord): InspectedParameter {
  const { type, tier, value, version, keyId, description, modifiedAt, modifiedBy } = latestVersion(record);
  return {
    name: record.name,
    arn: record.arn,
    type,
    tier,
    value,
    version,
    keyId,
    description,
    tags: Object.fromEntries(record.tags),
    labels: Object.fromEntries(record.versions.filter((v) => v.labels.size > 0).map((v) => [v.version, [...v.labels]])),
    modifiedAt: new Date(modifiedAt),
    modifiedBy,
  };
}

function toInspectedSecret(record: SecretRecord): InspectedSecret {
  const versions = [...record.versions.values()].map((v) => ({
    versionId: v.versionId,
    stages: [...v.stages],
    value: 'string' in v.value ? v.value.string : v.value.binary,
  }));
  const current = versions.find((v) => v.stages.includes('AWSCURRENT'));
  return {
    name: record.name,
    arn: record.arn,
    value: current?.value,
    currentVersionId: current?.versionId,
    versions,
    description: record.description,
    kmsKeyId: record.kmsKeyId,
    tags: Object.fromEntries(record.tags),
    deletedAt: record.deletion && new Date(record.deletion.requestedAt),
    replicaRegions: [...record.replicas.keys()],
  };
}

function toInspectedKey(key: AccessKey): readonly InspectedAccessKey[] {
  if (key.status === 'Deleted') return [];
  const use = key.lastUsed.latest();
  return [
    {
      accessKeyId: key.accessKeyId,
      secretAccessKey: key.secretAccessKey,
      status: key.status,
      createdAt: new Date(key.createdAt),
      lastUsedAt: use && new Date(use.at),
    },
  ];
}
