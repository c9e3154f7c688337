/**
 * Replicas of a secret in other regions of the account: read-only copies that follow their primary,
 * or fail to.
 */
import { AwsError } from '../aws-error.ts';
import { findKmsKey, isManagedAlias, tryKmsKey } from '../kms.ts';
import { Lagged } from '../lagged.ts';
import { findPartition } from '../regions.ts';
import type { Call } from '../service.ts';
import { regionState } from '../state.ts';
import { drawDelayMs } from '../timing.ts';
import { toListed, type SecretRecord } from './secret-record.ts';

export interface ReplicaRegion {
  readonly Region?: string;
  readonly KmsKeyId?: string;
}

export interface ReplicaInput {
  readonly AddReplicaRegions?: readonly ReplicaRegion[];
  readonly ForceOverwriteReplicaSecret?: boolean;
}

export function addReplicas(call: Call, secret: SecretRecord, input: ReplicaInput): void {
  const wanted = input.AddReplicaRegions ?? [];
  for (const { Region = '' } of wanted) requireReplicaRegion(call, secret, Region);
  for (const { Region = '', KmsKeyId } of wanted) {
    const problem = findReplicaProblem(call, secret, { region: Region, kmsKeyId: KmsKeyId, input });
    secret.replicas.set(Region, {
      region: Region,
      kmsKeyId: KmsKeyId,
      status: problem === undefined ? 'InSync' : 'Failed',
      message: problem ?? 'Replication succeeded',
      readyAt: call.now + drawDelayMs(call.timing.replicationMs, call.random),
    });
    secret.primaryRegion = call.region;
  }
}

interface WantedReplica {
  readonly region: string;
  readonly kmsKeyId: string | undefined;
  readonly input: ReplicaInput;
}

/**
 * What makes a replication fail after the request was accepted: the caller learns of it from the
 * status only.
 */
function findReplicaProblem(call: Call, secret: SecretRecord, wanted: WantedReplica): string | undefined {
  const { region, kmsKeyId } = wanted;
  const taken = regionState(call.account, region).secrets.get(secret.name);
  if (taken && taken.replicaOf?.region !== call.region && wanted.input.ForceOverwriteReplicaSecret !== true) {
    return `Replication failed: Secret name simple already exists in region ${region}.`;
  }
  if (kmsKeyId === undefined || isManagedAlias(kmsKeyId)) return undefined;
  const key = findKmsKey({ world: call.world, accountId: call.account.accountId, region }, kmsKeyId);
  if (!key) return `Replication failed: The KMS key ${kmsKeyId} does not exist in region ${region}.`;
  if (key.state !== 'Enabled') return `Replication failed: The KMS key ${kmsKeyId} is not enabled.`;
  return mayEncrypt(call, secret, { region, kmsKeyId })
    ? undefined
    : `Replication failed: You don't have permissions to the KMS key ${kmsKeyId}.`;
}

/**
 * Source: user guide, "Troubleshoot AWS Secrets Manager replication": kms:GenerateDataKey and
 * kms:Encrypt.
 */
function mayEncrypt(call: Call, secret: SecretRecord, use: { region: string; kmsKeyId: string }): boolean {
  const outcome = tryKmsKey(
    { ...call, region: use.region },
    {
      keyReference: use.kmsKeyId,
      actions: ['kms:GenerateDataKey', 'kms:Encrypt'],
      viaService: 'secretsmanager',
      encryptionContext: { SecretARN: toReplicaArn(call, secret, use.region) },
    },
  );
  return outcome === 'ok';
}

function toReplicaArn(call: Call, { arn }: SecretRecord, region: string): string {
  return arn.replace(`:${call.region}:`, `:${region}:`);
}

/** A copy that was complete stays where it is, with the values it has. */
export function failReplica(call: Call, secret: SecretRecord, failure: { region: string; message: string }): void {
  const replica = secret.replicas.get(failure.region);
  if (!replica) throw new Error(`The secret ${secret.name} has no replica in ${failure.region}.`);
  secret.replicas.set(failure.region, { ...replica, status: 'Failed', message: failure.message });
  const { secrets } = regionState(call.account, failure.region);
  const copy = secrets.get(secret.name);
  if (!copy) return;
  const versions = [...copy.versions].map(
    ([id, version]) => [id, { ...version, stages: new Set(version.stages) }] as const,
  );
  secrets.set(secret.name, { ...copy, versions: new Map(versions) });
}

function requireReplicaRegion(call: Call, secret: SecretRecord, region: string): void {
  if (findPartition(region)?.name !== call.partition.name) {
    throw new AwsError('InvalidParameterException', `Invalid replica region ${region}.`);
  }
  if (region === call.region || secret.replicas.get(region)?.status === 'InSync') {
    throw new AwsError(
      'InvalidParameterException',
      `Invalid replica region. Secret already exists in region ${region}.`,
    );
  }
}

/** Makes the copies equal to the primary again. */
export function syncReplicas(call: Call, primary: SecretRecord): void {
  for (const replica of primary.replicas.values()) {
    if (replica.status !== 'InSync') continue;
    const copy: SecretRecord = {
      ...primary,
      arn: toReplicaArn(call, primary, replica.region),
      kmsKeyId: replica.kmsKeyId,
      versions: encryptedUnder(replica.kmsKeyId, primary),
      replicas: new Map(),
      replicaOf: { region: call.region, readyAt: replica.readyAt },
      listed: new Lagged(),
    };
    copy.listed.set(toListed(copy), call.now);
    regionState(call.account, replica.region).secrets.set(primary.name, copy);
  }
}

/** A replica decrypts with its own region's key. */
function encryptedUnder(kmsKeyId: string | undefined, { versions }: SecretRecord): SecretRecord['versions'] {
  return new Map([...versions].map(([id, version]) => [id, { ...version, kmsKeyId }]));
}

export function toReplicationStatus(call: Call, secret: SecretRecord): readonly object[] | undefined {
  if (secret.replicas.size === 0) return undefined;
  return [...secret.replicas.values()].map((replica) => {
    // Unlike in the description of a secret, AWS's own key has its name here.
    const common = { Region: replica.region, KmsKeyId: replica.kmsKeyId ?? 'alias/aws/secretsmanager' };
    return replica.readyAt > call.now
      ? { ...common, Status: 'InProgress' }
      : { ...common, Status: replica.status, StatusMessage: replica.message };
  });
}
