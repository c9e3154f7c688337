/** Secrets Manager: replicas in other regions, as documented. */
import assert from 'node:assert/strict';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  RestoreSecretCommand,
  type ReplicationStatusType,
} from '@aws-sdk/client-secrets-manager';
import { contractCases } from './case.ts';
import { refused } from './expect.ts';
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
  'a replica takes no changes': {
    source:
      'user guide, "Promote a replica secret to a standalone secret"; cloud-nuke #435, terraform-aws-secrets-manager #188',
    run: async (target) => {
      const SecretId = await create(target);
      const AddReplicaRegions = [{ Region: REPLICA_REGION }];
      await target.admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }));
      const { secrets } = target.adminIn(REPLICA_REGION);
      await refused(secrets.send(new DeleteSecretCommand({ SecretId })), 'InvalidParameterException');
      await refused(secrets.send(new RestoreSecretCommand({ SecretId })), 'InvalidParameterException');
      const put = new PutSecretValueCommand({ SecretId, SecretString: 'w' });
      await refused(secrets.send(put), 'InvalidParameterException');
    },
  },
  'secrets can be listed by their primary region': {
    source: 'Secrets Manager API reference, Filter: primary-region',
    run: async (target) => {
      const SecretId = await create(target);
      const AddReplicaRegions = [{ Region: REPLICA_REGION }];
      await target.admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }));
      const names = async (region: string) => {
        const Filters = [{ Key: 'primary-region' as const, Values: [region] }];
        return (await target.admin.secrets.send(new ListSecretsCommand({ Filters }))).SecretList!.map((s) => s.Name);
      };
      assert.ok((await names(target.region)).includes(SecretId));
      assert.ok(!(await names(REPLICA_REGION)).includes(SecretId));
    },
  },
  'the managed key is left out of descriptions, and that of Parameter Store is refused': {
    source:
      'Secrets Manager API reference, DescribeSecret: KmsKeyId "omitted" for aws/secretsmanager; KMS developer guide, "AWS managed keys"',
    run: async (target) => {
      const Name = target.uniqueName('key');
      const withKey = (KmsKeyId: string) => new CreateSecretCommand({ Name, SecretString: 'v', KmsKeyId });
      await refused(
        target.admin.secrets.send(withKey('alias/aws/ssm')),
        'AccessDeniedException',
        'EncryptionFailure',
        'InvalidParameterException',
      );
      await target.admin.secrets.send(withKey('alias/aws/secretsmanager'));
      const described = await target.admin.secrets.send(new DescribeSecretCommand({ SecretId: Name }));
      assert.equal(described.KmsKeyId, undefined);
    },
  },
  'a replica shows its key, and AWS’s own by its alias': {
    source: 'Secrets Manager API reference, ReplicationStatusType: KmsKeyId; ReplicateSecretToRegions, sample response',
    run: async (target) => {
      const SecretId = await create(target);
      const OTHER_REGION = 'us-east-1';
      const KmsKeyId = '00000000-0000-4000-8000-000000000000';
      const AddReplicaRegions = [{ Region: REPLICA_REGION }, { Region: OTHER_REGION, KmsKeyId }];
      await target.admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }));
      const shown = (await statusOf(target, SecretId)).map((one) => [one.Region, one.KmsKeyId]);
      assert.deepEqual(Object.fromEntries(shown), {
        [REPLICA_REGION]: 'alias/aws/secretsmanager',
        [OTHER_REGION]: KmsKeyId,
      });
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
