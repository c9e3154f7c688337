/**
 * What tests can switch: answers that AWS's sources contradict each other about, failing replicas,
 * late last uses.
 */
import { GetAccessKeyLastUsedCommand } from '@aws-sdk/client-iam';
import {
  DescribeSecretCommand,
  CreateSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  ReplicateSecretToRegionsCommand,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import {
  DeleteParametersCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  PutParameterCommand,
} from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { expect, test } from 'vitest';
import type { AwsSandbox } from '../../../src/sandbox/aws/index.ts';
import { ACCOUNT, allowing, clientsOf, createTestSandbox, outcomeOf, REGION, type SandboxClients } from './clients.ts';

const HERE = { accountId: ACCOUNT, region: REGION };
const REPLICA_REGION = 'eu-central-1';

test('a type change is refused or takes effect, as switched', async () => {
  const { sandbox, admin } = createTestSandbox();
  const put = (Type: 'String' | 'SecureString') =>
    outcomeOf(admin.ssm.send(new PutParameterCommand({ Name: '/a/p', Value: 'v', Type, Overwrite: true })));
  expect(await put('SecureString')).toBe('ok');
  expect(await put('String')).toBe('HierarchyTypeMismatchException');
  sandbox.setBehaviour({ parameterTypeChange: 'allowed' });
  expect(await put('String')).toBe('ok');
  expect(sandbox.inspect.parameter({ ...HERE, name: '/a/p' })).toMatchObject({ type: 'String', keyId: undefined });
  expect(await put('SecureString')).toBe('ok');
  expect(sandbox.inspect.parameter({ ...HERE, name: '/a/p' })).toMatchObject({ keyId: 'alias/aws/ssm', version: 3 });
});

test('names at the root come back without their slash, or as requested', async () => {
  const { sandbox, admin } = createTestSandbox();
  await admin.ssm.send(new PutParameterCommand({ Name: '/p', Value: 'v', Type: 'String' }));
  const get = async (Name: string) => (await admin.ssm.send(new GetParameterCommand({ Name }))).Parameter?.Name;
  const described = async () => (await admin.ssm.send(new DescribeParametersCommand({}))).Parameters?.[0]?.Name;
  const listed = async () =>
    (await admin.ssm.send(new GetParametersByPathCommand({ Path: '/' }))).Parameters?.[0]?.Name;
  expect([await get('/p'), await get('p'), await described(), await listed()]).toEqual(['p', 'p', 'p', 'p']);
  sandbox.setBehaviour({ rootParameterName: 'as-requested' });
  expect([await get('/p'), await get('p'), await described(), await listed()]).toEqual(['/p', 'p', 'p', 'p']);
  const { DeletedParameters } = await admin.ssm.send(new DeleteParametersCommand({ Names: ['/p'] }));
  expect(DeletedParameters).toEqual(['/p']);
});

async function replicate(sandbox: AwsSandbox, admin: SandboxClients): Promise<void> {
  sandbox.foreign.putSecret({ ...HERE, name: 's', value: 'one' });
  const AddReplicaRegions = [{ Region: REPLICA_REGION }];
  await admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId: 's', AddReplicaRegions }));
}

const replicasOf = async (admin: SandboxClients) =>
  (await admin.secrets.send(new DescribeSecretCommand({ SecretId: 's' }))).ReplicationStatus;

const elsewhere = (sandbox: AwsSandbox): SandboxClients =>
  clientsOf(sandbox, sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' }), REPLICA_REGION);

test('a replica that fails keeps its old value until replication is asked for again', async () => {
  const { sandbox, admin } = createTestSandbox();
  await replicate(sandbox, admin);
  sandbox.foreign.failReplica({ ...HERE, name: 's', replicaRegion: REPLICA_REGION, message: 'key disabled' });
  await admin.secrets.send(new PutSecretValueCommand({ SecretId: 's', SecretString: 'two' }));
  expect(await replicasOf(admin)).toMatchObject([{ Status: 'Failed', StatusMessage: 'key disabled' }]);
  const { secrets } = elsewhere(sandbox);
  const read = async () => (await secrets.send(new GetSecretValueCommand({ SecretId: 's' }))).SecretString;
  expect(await read()).toBe('one');
  const AddReplicaRegions = [{ Region: REPLICA_REGION }];
  await admin.secrets.send(new ReplicateSecretToRegionsCommand({ SecretId: 's', AddReplicaRegions }));
  expect(await replicasOf(admin)).toMatchObject([{ Status: 'InSync' }]);
  expect(await read()).toBe('two');
});

test('somebody can remove a replica, also one that failed', async () => {
  const { sandbox, admin } = createTestSandbox();
  await replicate(sandbox, admin);
  sandbox.foreign.failReplica({ ...HERE, name: 's', replicaRegion: REPLICA_REGION });
  sandbox.foreign.removeReplica({ ...HERE, name: 's', replicaRegion: REPLICA_REGION });
  expect(await replicasOf(admin)).toBeUndefined();
  const read = elsewhere(sandbox).secrets.send(new GetSecretValueCommand({ SecretId: 's' }));
  expect(await outcomeOf(read)).toBe('ResourceNotFoundException');
});

test('a replica is InProgress until its copy is complete', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { replicationMs: [5_000, 5_000] } });
  await replicate(sandbox, admin);
  const read = () => outcomeOf(elsewhere(sandbox).secrets.send(new GetSecretValueCommand({ SecretId: 's' })));
  expect(await replicasOf(admin)).toMatchObject([{ Status: 'InProgress' }]);
  expect(await read()).toBe('ResourceNotFoundException');
  sandbox.clock.advance(5_000);
  expect(await replicasOf(admin)).toMatchObject([{ Status: 'InSync' }]);
  expect(await read()).toBe('ok');
});

test.each(['late-last-use', { preset: 'late-last-use', keyRevokedMs: [1, 1] }] as const)(
  'with %j the last use of a key shows late, and nothing else is',
  async (timing) => {
    const { sandbox, admin } = createTestSandbox({ timing });
    const key = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
    await clientsOf(sandbox, key).sts.send(new GetCallerIdentityCommand({}));
    const lastUsed = async () => {
      const call = new GetAccessKeyLastUsedCommand({ AccessKeyId: key.accessKeyId });
      return (await admin.iam.send(call)).AccessKeyLastUsed?.ServiceName;
    };
    expect(await lastUsed()).toBe('N/A');
    sandbox.clock.advance(59_000);
    expect(await lastUsed()).toBe('N/A');
    sandbox.clock.advance(3_600_000);
    expect(await lastUsed()).toBe('sts');
  },
);

// Source: Secrets Manager API reference, UpdateSecret, KmsKeyId.
test('a new key takes over the versions in use, if the caller may encrypt with it', async () => {
  const { sandbox, admin } = createTestSandbox();
  const { keyId: first } = sandbox.createKmsKey(HERE);
  const { keyId: second } = sandbox.createKmsKey(HERE);
  const keysOf = async () => {
    const { Versions } = await admin.secrets.send(new ListSecretVersionIdsCommand({ SecretId: 's' }));
    return Versions?.map((version) => version.KmsKeyIds?.[0]);
  };
  await admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'one', KmsKeyId: first }));
  await admin.secrets.send(new PutSecretValueCommand({ SecretId: 's', SecretString: 'two' }));
  const policy = allowing('secretsmanager:*', 'kms:GenerateDataKey', 'kms:Decrypt');
  sandbox.createUser({ accountId: ACCOUNT, userName: 'no-encrypt', policy });
  const user = clientsOf(sandbox, sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'no-encrypt' }));
  await user.secrets.send(new UpdateSecretCommand({ SecretId: 's', KmsKeyId: second }));
  expect(await keysOf()).toEqual([first, first]);
  await admin.secrets.send(new UpdateSecretCommand({ SecretId: 's', KmsKeyId: first }));
  await admin.secrets.send(new UpdateSecretCommand({ SecretId: 's', KmsKeyId: second }));
  expect(await keysOf()).toEqual([second, second]);
});
