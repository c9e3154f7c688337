/** ReplicateSecretToRegions and RemoveRegionsFromReplication. */
import { AwsError } from '../aws-error.ts';
import { defineOperation, type AccessNeed } from '../service.ts';
import { regionState } from '../state.ts';
import { getWritableSecret, secretNeed, type SecretIdInput } from './find-secret.ts';
import { noteChange } from './listing.ts';
import { addReplicas, toReplicationStatus, type ReplicaInput } from './replicas.ts';

export const REPLICATE_SECRET_TO_REGIONS = defineOperation<SecretIdInput & ReplicaInput>({
  access: (call, input): readonly AccessNeed[] => [
    secretNeed(call, input.SecretId, { action: 'secretsmanager:ReplicateSecretToRegions' }),
  ],
  run: (call, input) => {
    const secret = getWritableSecret(call, input);
    addReplicas(call, secret, input);
    noteChange(call, secret);
    return { ARN: secret.arn, ReplicationStatus: toReplicationStatus(call, secret) ?? [] };
  },
});

export const REMOVE_REGIONS_FROM_REPLICATION = defineOperation<
  SecretIdInput & { RemoveReplicaRegions: readonly string[] }
>({
  access: (call, input): readonly AccessNeed[] => [
    secretNeed(call, input.SecretId, { action: 'secretsmanager:RemoveRegionsFromReplication' }),
  ],
  run: (call, input) => {
    const secret = getWritableSecret(call, input);
    const unknown = input.RemoveReplicaRegions.filter((region) => !secret.replicas.has(region));
    if (unknown.length > 0) {
      throw new AwsError(
        'InvalidParameterException',
        `Remove replica failed: ${unknown.join(', ')} is not a replica region of this secret.`,
      );
    }
    for (const region of input.RemoveReplicaRegions) {
      secret.replicas.delete(region);
      const { secrets } = regionState(call.account, region);
      if (secrets.get(secret.name)?.replicaOf?.region === call.region) secrets.delete(secret.name);
    }
    noteChange(call, secret);
    return { ARN: secret.arn, ReplicationStatus: toReplicationStatus(call, secret) ?? [] };
  },
});
