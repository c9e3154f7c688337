/**
 * Secrets Manager as the sync engine uses it: one small function per call. No decisions; what AWS
 * refuses is thrown as the session's `JobError`. Every write carries a ClientRequestToken, which
 * becomes the id of the version it makes.
 */
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  type Filter,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  type ReplicaRegionType,
  type ReplicationStatusType,
  RestoreSecretCommand,
  type SecretListEntry,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';

import type { ReplicaWish } from '../domain/sync/replicas.ts';
import { JobError } from '../errors.ts';
import type { AwsSession } from './session.ts';

export interface SecretWrite {
  readonly name: string;
  readonly value: string;
  /** Becomes the version's id. */
  readonly token: string;
}

export interface SecretMetadata {
  readonly name: string;
  /** The version that is AWSCURRENT; empty when none is. */
  readonly version: string;
  readonly versions: Readonly<Record<string, readonly string[]>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Null: the AWS managed key of Secrets Manager. */
  readonly keyId: string | null;
  readonly deletionScheduledAt: Date | undefined;
  /** Who else changes the secret's value: an AWS service, a partner, or a rotation. */
  readonly managedBy: string | undefined;
  /** By region. Undefined where the answer does not say: ListSecrets. */
  readonly replicas: Readonly<Record<string, ReplicaState>> | undefined;
}

export interface ReplicaState {
  readonly status: 'InSync' | 'InProgress' | 'Failed';
  /** AWS's reason; it names regions and keys, no value. */
  readonly message: string;
  /** Null: the AWS managed key of Secrets Manager. */
  readonly keyId: string | null;
}

export interface SecretValue {
  readonly version: string;
  /** Undefined for a binary secret. */
  readonly text: string | undefined;
}

/** ListSecrets narrows by prefix, and by the owner's tag. */
export type SecretSelection =
  { readonly prefix: string } | { readonly tagKey: string; readonly tagValues: readonly string[] };

export interface SecretsManager {
  create(
    write: SecretWrite & {
      readonly keyId: string | null;
      readonly tags: Readonly<Record<string, string>>;
      readonly replicas: readonly ReplicaWish[];
    },
  ): Promise<void>;
  /** Value, or key, or both. */
  update(change: {
    readonly name: string;
    readonly token: string;
    readonly value?: string;
    /** Undefined leaves the key as it is; null goes back to the AWS managed key. */
    readonly keyId?: string | null;
  }): Promise<void>;
  /** Undefined when there is no such secret. */
  describe(name: string): Promise<SecretMetadata | undefined>;
  list(selection: SecretSelection): AsyncIterable<readonly SecretMetadata[]>;
  /** Undefined when there is no such secret or version. */
  value(name: string): Promise<SecretValue | undefined>;
  /** Of at most 20 names; those that cannot be read are left out. */
  values(names: readonly string[]): Promise<ReadonlyMap<string, SecretValue>>;
  delete(name: string, recoveryDays: number | 'force'): Promise<void>;
  restore(name: string): Promise<void>;
  addTags(name: string, tags: Readonly<Record<string, string>>): Promise<void>;
  removeTags(name: string, keys: readonly string[]): Promise<void>;
  /** A new version beside the current one, to be promoted. */
  stage(write: SecretWrite): Promise<void>;
  /** Makes `to` current only if `from` is: AWS's one compare-and-swap. */
  promote(change: { readonly name: string; readonly from: string; readonly to: string }): Promise<void>;
  replicate(name: string, replicas: readonly ReplicaWish[]): Promise<void>;
  unreplicate(name: string, regions: readonly string[]): Promise<void>;
}

/** Label of a version that waits for its promotion. */
const STAGED = 'KEYFERRY_STAGED';
const DEFAULT_KEY = 'alias/aws/secretsmanager';

export function openSecretsManager(session: AwsSession): SecretsManager {
  const client = session.secretsManager;
  return {
    async create({ name, value, token, keyId, tags, replicas }) {
      const added = replicas.length > 0 ? { AddReplicaRegions: replicas.map(toReplicaRegion) } : {};
      const key = keyId === null ? {} : { KmsKeyId: keyId };
      await client.send(
        new CreateSecretCommand({
          Name: name,
          SecretString: value,
          ClientRequestToken: token,
          Tags: toTags(tags),
          ...key,
          ...added,
        }),
      );
    },
    async update({ name, token, value, keyId }) {
      const key = keyId === undefined ? {} : { KmsKeyId: keyId ?? DEFAULT_KEY };
      const text = value === undefined ? {} : { SecretString: value, ClientRequestToken: token };
      await client.send(new UpdateSecretCommand({ SecretId: name, ...text, ...key }));
    },
    describe: (name) => unlessMissing(describe(session, name)),
    list: (selection) => list(session, selection),
    value: (name) => unlessMissing(readValue(session, name)),
    values: (names) => readValues(session, names),
    ...lifeCycle(session),
    ...changes(session),
  };
}

function lifeCycle({
  secretsManager: client,
}: AwsSession): Pick<SecretsManager, 'delete' | 'restore' | 'replicate' | 'unreplicate'> {
  return {
    async delete(name, recoveryDays) {
      const how =
        recoveryDays === 'force' ? { ForceDeleteWithoutRecovery: true } : { RecoveryWindowInDays: recoveryDays };
      await client.send(new DeleteSecretCommand({ SecretId: name, ...how }));
    },
    async restore(name) {
      await client.send(new RestoreSecretCommand({ SecretId: name }));
    },
    async replicate(name, replicas) {
      const AddReplicaRegions = replicas.map(toReplicaRegion);
      await client.send(new ReplicateSecretToRegionsCommand({ SecretId: name, AddReplicaRegions }));
    },
    async unreplicate(name, regions) {
      await client.send(
        new RemoveRegionsFromReplicationCommand({ SecretId: name, RemoveReplicaRegions: [...regions] }),
      );
    },
  };
}

function changes({
  secretsManager: client,
}: AwsSession): Pick<SecretsManager, 'addTags' | 'removeTags' | 'stage' | 'promote'> {
  return {
    async addTags(name, tags) {
      await client.send(new TagResourceCommand({ SecretId: name, Tags: toTags(tags) }));
    },
    async removeTags(name, keys) {
      await client.send(new UntagResourceCommand({ SecretId: name, TagKeys: [...keys] }));
    },
    async stage({ name, value, token }) {
      await client.send(
        new PutSecretValueCommand({
          SecretId: name,
          SecretString: value,
          ClientRequestToken: token,
          VersionStages: [STAGED],
        }),
      );
    },
    async promote({ name, from, to }) {
      await client.send(
        new UpdateSecretVersionStageCommand({
          SecretId: name,
          VersionStage: 'AWSCURRENT',
          RemoveFromVersionId: from,
          MoveToVersionId: to,
        }),
      );
    },
  };
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof JobError && error.context.awsError === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

async function describe(session: AwsSession, name: string): Promise<SecretMetadata> {
  const answer = await session.secretsManager.send(new DescribeSecretCommand({ SecretId: name }));
  const { ReplicationStatus: replication = [] } = answer;
  return {
    ...toMetadata({ ...answer, SecretVersionsToStages: answer.VersionIdsToStages }),
    replicas: Object.fromEntries(replication.map((one) => [one.Region ?? '', toReplicaState(one)])),
  };
}

function toReplicaRegion({ region: Region, keyId }: ReplicaWish): ReplicaRegionType {
  return keyId === null ? { Region } : { Region, KmsKeyId: keyId };
}

function toReplicaState({ Status, StatusMessage: message = '', KmsKeyId: key }: ReplicationStatusType): ReplicaState {
  // A status that a later API version introduces does not prove a failure.
  const status = Status === 'InSync' || Status === 'Failed' ? Status : 'InProgress';
  // Of replicas, unlike of secrets, AWS names its own key.
  return { status, message, keyId: key === undefined || key.endsWith(DEFAULT_KEY) ? null : key };
}

async function* list(session: AwsSession, selection: SecretSelection): AsyncGenerator<readonly SecretMetadata[]> {
  const Filters = toFilters(selection);
  let token: string | undefined;
  do {
    const answer = await session.secretsManager.send(
      new ListSecretsCommand({ Filters, MaxResults: 100, IncludePlannedDeletion: true, NextToken: token }),
    );
    yield (answer.SecretList ?? []).map(toMetadata);
    token = answer.NextToken;
  } while (token !== undefined && token !== '');
}

function toFilters(selection: SecretSelection): Filter[] {
  if ('prefix' in selection) return selection.prefix === '' ? [] : [{ Key: 'name', Values: [selection.prefix] }];
  return [
    { Key: 'tag-key', Values: [selection.tagKey] },
    { Key: 'tag-value', Values: [...selection.tagValues] },
  ];
}

function toMetadata(entry: SecretListEntry): SecretMetadata {
  const versions = entry.SecretVersionsToStages ?? {};
  const current = Object.entries(versions).find(([, stages]) => stages.includes('AWSCURRENT'));
  return {
    name: entry.Name ?? '',
    version: current?.[0] ?? '',
    versions,
    tags: Object.fromEntries((entry.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? ''])),
    keyId: entry.KmsKeyId ?? null,
    deletionScheduledAt: entry.DeletedDate,
    managedBy: managerOf(entry),
    replicas: undefined,
  };
}

/**
 * `OwningService`: managed by a service of AWS. `Type`: a managed external secret, changed by its
 * partner.
 */
function managerOf({ OwningService: service, Type: partner, RotationEnabled: isRotated }: SecretListEntry) {
  if (service !== undefined) return service;
  if (partner !== undefined) return `Secrets Manager for ${partner}`;
  return isRotated === true ? 'a rotation of Secrets Manager' : undefined;
}

async function readValue(session: AwsSession, name: string): Promise<SecretValue> {
  const answer = await session.secretsManager.send(new GetSecretValueCommand({ SecretId: name }));
  return { version: answer.VersionId ?? '', text: answer.SecretString };
}

async function readValues(session: AwsSession, names: readonly string[]): Promise<ReadonlyMap<string, SecretValue>> {
  const answer = await session.secretsManager.send(new BatchGetSecretValueCommand({ SecretIdList: [...names] }));
  const found = (answer.SecretValues ?? []).map(
    (one) => [one.Name ?? '', { version: one.VersionId ?? '', text: one.SecretString }] as const,
  );
  return new Map(found);
}

function toTags(tags: Readonly<Record<string, string>>) {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}
