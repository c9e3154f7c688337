/** Replicas of a secret in other regions of the account: read-only copies that follow their primary at once. */
import { AwsError } from '../aws-error.ts';
import { Lagged } from '../lagged.ts';
import { findPartition } from '../regions.ts';
import type { Call } from '../service.ts';
import { regionState } from '../state.ts';
import { toListed, type SecretRecord, type SecretReplica } from './secret-record.ts';

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
    const taken = regionState(call.account, Region).secrets.get(secret.name);
    const blocked = taken !== undefined && input.ForceOverwriteReplicaSecret !== true;
    const replica: SecretReplica = {
      region: Region,
      kmsKeyId: KmsKeyId,
      status: blocked ? 'Failed' : 'InSync',
      message: blocked
        ? `Replication failed: Secret name simple already exists in region ${Region}.`
        : 'Replication succeeded',
    };
    secret.replicas.set(Region, replica);
    secret.primaryRegion = call.region;
  }
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
      arn: primary.arn.replace(`:${call.region}:`, `:${replica.region}:`),
      kmsKeyId: replica.kmsKeyId,
      replicas: new Map(),
      replicaOf: { region: call.region },
      listed: new Lagged(),
    };
    copy.listed.set(toListed(copy), call.now);
    regionState(call.account, replica.region).secrets.set(primary.name, copy);
  }
}

export function toReplicationStatus(secret: SecretRecord): readonly object[] | undefined {
  if (secret.replicas.size === 0) return undefined;
  return [...secret.replicas.values()].map((r) => ({
    Region: r.region,
    KmsKeyId: r.kmsKeyId,
    Status: r.status,
    StatusMessage: r.message,
  }));
}
