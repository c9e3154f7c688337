/** Secrets Manager: replicas in other regions, as documented. */
import assert from 'node:assert/strict';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  type ReplicationStatusType,
} from '@aws-sdk/client-secrets-manager';
import { contractCases } from './case.ts';
import type { ContractTarget } from './target.ts';

const REPLICA_REGION = 'eu-central-1';
const TROUBLESHOOTING = 'Secrets Manager user guide, "Troubleshoot AWS Secrets Manager replication"';

async function create(target: ContractTarget): Promise<string> {
  const Name = target.uniqueName('replicated');
  await target.admin.secrets.send(new CreateSecretCommand({ Name, SecretString: 'v' }));
  return Name;
}

async function statusOf(target: ContractTarget, SecretId: string): Promise<ReplicationStatusType[]> {
  const { ReplicationStatus } = await target.admin.secrets.send(new DescribeSecretCommand({ SecretId }));
  return ReplicationStatus ?? [];
}

export const SECRETS_MANAGER_REPLICA_CASES = contractCases('secretsmanager', {
  'DescribeSecret shows the status of each replica': {
    source: 'Secrets Manager API reference, ReplicationStatusType: InSync, Failed or InProgress',
    run: async (target) => {
      const SecretId = await create(target);
      const AddReplicaRegions = [{ Region: REPLICA_REGION }];
      await target.admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }));
      const [replica, ...others] = await statusOf(target, SecretId);
      assert.deepEqual([replica?.Region, others.length], [REPLICA_REGION, 0]);
      assert.ok(['InSync', 'InProgress'].includes(replica?.Status ?? ''));
    },
  },
  'a replica whose key does not exist is accepted, and fails': {
    source: `${TROUBLESHOOTING}: "The KMS key is disabled or not found"; cloudformation-coverage-roadmap #1459`,
    run: async (target) => {
      const SecretId = await create(target);
      const AddReplicaRegions = [{ Region: REPLICA_REGION, KmsKeyId: '00000000-0000-4000-8000-000000000000' }];
      await target.admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }));
      const [replica] = await statusOf(target, SecretId);
      assert.equal(replica?.Status, 'Failed');
      assert.ok((replica.StatusMessage ?? '') !== '');
    },
  },
  'a replica whose name is taken in its region is accepted, and fails': {
    source: `${TROUBLESHOOTING}: "A secret with the same name exists in the selected Region"`,
    run: async (target) => {
      const SecretId = target.uniqueName('taken');
      const elsewhere = target.adminIn(REPLICA_REGION);
      await elsewhere.secrets.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'other' }));
      const AddReplicaRegions = [{ Region: REPLICA_REGION }];
      const created = { Name: SecretId, SecretString: 'v', AddReplicaRegions };
      await target.admin.secrets.send(new CreateSecretCommand(created));
      assert.equal((await statusOf(target, SecretId))[0]?.Status, 'Failed');
    },
  },
  'a replica that is removed no longer shows': {
    source: 'Secrets Manager API reference, RemoveRegionsFromReplication',
    run: async (target) => {
      const SecretId = await create(target);
      const AddReplicaRegions = [{ Region: REPLICA_REGION }];
      await target.admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }));
      const RemoveReplicaRegions = [REPLICA_REGION];
      await target.admin.secrets.send(new RemoveRegionsFromReplicationCommand({ SecretId, RemoveReplicaRegions }));
      assert.deepEqual(await statusOf(target, SecretId), []);
    },
  },
});
