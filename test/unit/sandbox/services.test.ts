/** What the suites cannot see: time, KMS, staleness, replicas. */
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  ReplicateSecretToRegionsCommand,
} from '@aws-sdk/client-secrets-manager';
import {
  DeleteParameterCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  GetParametersCommand,
  PutParameterCommand,
} from '@aws-sdk/client-ssm';
import { expect, test } from 'vitest';
import type { AwsSandbox, PolicyDocument } from '../../../src/sandbox/aws/index.ts';
import { ACCOUNT, allowing, clientsOf, createTestSandbox, outcomeOf, REGION, type SandboxClients } from './clients.ts';

const DAY_MS = 24 * 3_600_000;
const HERE = { accountId: ACCOUNT, region: REGION };

function userWith(sandbox: AwsSandbox, policy: PolicyDocument): SandboxClients {
  const userName = `u${String(sandbox.calls.count())}`;
  sandbox.createUser({ accountId: ACCOUNT, userName, policy });
  return clientsOf(sandbox, sandbox.createAccessKey({ accountId: ACCOUNT, userName }));
}

const put = (clients: SandboxClients, more: object = {}) =>
  clients.ssm.send(new PutParameterCommand({ Name: '/p', Value: 'v', Type: 'SecureString', ...more }));

test('SSM wants kms:Encrypt to write and kms:Decrypt to read with a key of one’s own', async () => {
  const { sandbox, admin } = createTestSandbox();
  const { arn: KeyId, keyId } = sandbox.createKmsKey({ ...HERE, alias: 'alias/own' });
  await put(admin, { KeyId: 'alias/own' });
  const user = userWith(sandbox, allowing('ssm:*'));
  const read = () => user.ssm.send(new GetParametersCommand({ Names: ['/p'], WithDecryption: true }));
  await expect(put(user, { Name: '/q', KeyId })).rejects.toThrow(/^The ciphertext refers to a customer master key/);
  await expect(read()).rejects.toThrow(/^The ciphertext refers to a customer master key/);
  const reader = userWith(sandbox, allowing('ssm:*', 'kms:Decrypt'));
  expect((await reader.ssm.send(new GetParameterCommand({ Name: '/p', WithDecryption: true }))).Parameter?.Value).toBe(
    'v',
  );
  expect(await outcomeOf(put(reader, { Name: '/q', KeyId }))).toBe('AccessDeniedException');
  sandbox.setKmsKeyState({ ...HERE, keyId, state: 'Disabled' });
  expect(await outcomeOf(put(admin, { Name: '/q', KeyId }))).toBe('InvalidKeyId');
  expect(await outcomeOf(put(admin, { Name: '/q', KeyId: 'alias/none' }))).toBe('InvalidKeyId');
});

test('Secrets Manager tells missing KMS permissions from unusable keys', async () => {
  const { sandbox, admin } = createTestSandbox();
  const { keyId } = sandbox.createKmsKey(HERE);
  await admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'v', KmsKeyId: keyId }));
  const { secrets } = userWith(sandbox, allowing('secretsmanager:*'));
  await expect(secrets.send(new GetSecretValueCommand({ SecretId: 's' }))).rejects.toThrow(
    'Access to KMS is not allowed',
  );
  sandbox.setKmsKeyState({ ...HERE, keyId, state: 'PendingDeletion' });
  expect(await outcomeOf(admin.secrets.send(new GetSecretValueCommand({ SecretId: 's' })))).toBe('DecryptionFailure');
  const write = new PutSecretValueCommand({ SecretId: 's', SecretString: 'w' });
  expect(await outcomeOf(admin.secrets.send(write))).toBe('EncryptionFailure');
  const { Errors } = await admin.secrets.send(new BatchGetSecretValueCommand({ SecretIdList: ['s'] }));
  expect(Errors?.[0]?.ErrorCode).toBe('DecryptionFailure');
});

test('a put without a key goes back to the default key', async () => {
  const { sandbox, admin } = createTestSandbox();
  const { keyId } = sandbox.createKmsKey(HERE);
  await put(admin, { KeyId: keyId });
  expect(sandbox.inspect.parameter({ ...HERE, name: '/p' })?.keyId).toBe(keyId);
  await put(admin, { Overwrite: true });
  expect(sandbox.inspect.parameter({ ...HERE, name: '/p' })?.keyId).toBe('alias/aws/ssm');
});

test('a deleted parameter’s name is free after thirty seconds', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { parameterRecreateMs: 30_000 } });
  await put(admin);
  await admin.ssm.send(new DeleteParameterCommand({ Name: '/p' }));
  expect(await outcomeOf(put(admin))).toBe('TooManyUpdates');
  sandbox.clock.advance(30_000);
  expect(await outcomeOf(put(admin))).toBe('ok');
});

test('reads of parameters miss a write for a while', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { parameterReadMs: [500, 500] } });
  const read = () => admin.ssm.send(new GetParameterCommand({ Name: '/p' }));
  await put(admin);
  expect(await outcomeOf(read())).toBe('ParameterNotFound');
  sandbox.clock.advance(500);
  await put(admin, { Overwrite: true });
  expect((await read()).Parameter?.Version).toBe(1);
  sandbox.clock.advance(500);
  expect((await read()).Parameter?.Version).toBe(2);
});

test('pages of parameters can be empty and yet have a next one', async () => {
  const { admin } = createTestSandbox({ timing: { emptyPageProbability: 0.5 } });
  for (let index = 0; index < 25; index += 1) await put(admin, { Name: `/p/${String(index)}` });
  const sizes: number[] = [];
  let NextToken: string | undefined;
  do {
    const page = await admin.ssm.send(new DescribeParametersCommand({ NextToken, MaxResults: 10 }));
    sizes.push(page.Parameters!.length);
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  expect(sizes).toContain(0);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(25);
});

test('a listing that reaches its limit answers short and empty pages with a token', async () => {
  const { admin } = createTestSandbox({ timing: { pageScanLimit: 10 } });
  for (let index = 0; index < 30; index += 1) {
    const Tags = index === 3 || index >= 25 ? [{ Key: 'keyferry:sync', Value: 's' }] : [];
    await put(admin, { Name: `/p/${String(index)}`, Tags });
  }
  const sizes: number[] = [];
  let NextToken: string | undefined;
  do {
    const ParameterFilters = [{ Key: 'tag:keyferry:sync', Values: ['s'] }];
    const page = await admin.ssm.send(new DescribeParametersCommand({ ParameterFilters, NextToken, MaxResults: 50 }));
    sizes.push(page.Parameters!.length);
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  expect(sizes).toEqual([1, 0, 5]);
});

test('two puts of one parameter at the same time are too many', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { latencyMs: [20, 20] } });
  const outcomes = await Promise.all(
    [put(admin), put(admin, { Name: '/q' }), put(admin, { Overwrite: true })].map(outcomeOf),
  );
  expect(outcomes.sort()).toEqual(['TooManyUpdates', 'ok', 'ok']);
  expect(sandbox.inspect.parameter({ ...HERE, name: '/p' })?.version).toBe(1);
});

test('a parameter with an Expiration policy disappears', async () => {
  const { sandbox, admin } = createTestSandbox();
  const Timestamp = new Date(sandbox.clock.now().getTime() + DAY_MS).toISOString();
  const Policies = JSON.stringify([{ Type: 'Expiration', Version: '1.0', Attributes: { Timestamp } }]);
  expect(await outcomeOf(put(admin, { Policies }))).toBe('ValidationException');
  await put(admin, { Policies, Tier: 'Advanced' });
  sandbox.clock.advance(DAY_MS);
  expect(await outcomeOf(admin.ssm.send(new GetParameterCommand({ Name: '/p' })))).toBe('ParameterNotFound');
});

test('a secret is gone when its recovery window is over', async () => {
  const { sandbox, admin } = createTestSandbox();
  sandbox.foreign.putSecret({ ...HERE, name: 's', value: 'v' });
  await admin.secrets.send(new DeleteSecretCommand({ SecretId: 's', RecoveryWindowInDays: 7 }));
  sandbox.clock.advance(7 * DAY_MS - 1);
  expect(await outcomeOf(admin.secrets.send(new DescribeSecretCommand({ SecretId: 's' })))).toBe('ok');
  sandbox.clock.advance(1);
  expect(await outcomeOf(admin.secrets.send(new DescribeSecretCommand({ SecretId: 's' })))).toBe(
    'ResourceNotFoundException',
  );
  expect(await outcomeOf(admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'v' })))).toBe('ok');
});

test('the name of a force-deleted secret stays blocked for a while', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { forceDeleteTombstoneMs: [60_000, 60_000] } });
  sandbox.foreign.putSecret({ ...HERE, name: 's', value: 'v' });
  await admin.secrets.send(new DeleteSecretCommand({ SecretId: 's', ForceDeleteWithoutRecovery: true }));
  const create = () => outcomeOf(admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'v' })));
  expect(await create()).toBe('InvalidRequestException');
  sandbox.clock.advance(60_000);
  expect(await create()).toBe('ok');
});

test('ListSecrets is stale, DescribeSecret is not', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { listSecretsMs: [300_000, 300_000] } });
  const list = async () =>
    (await admin.secrets.send(new ListSecretsCommand({}))).SecretList!.map((entry) => entry.Description);
  await admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'v', Description: 'd' }));
  expect(await list()).toEqual([]);
  expect((await admin.secrets.send(new DescribeSecretCommand({ SecretId: 's' }))).Description).toBe('d');
  sandbox.clock.advance(300_000);
  expect(await list()).toEqual(['d']);
});

test('versions older than a day make room for new ones', async () => {
  const { sandbox, admin } = createTestSandbox();
  sandbox.foreign.putSecret({ ...HERE, name: 's', value: '0' });
  const write = (value: number) =>
    outcomeOf(admin.secrets.send(new PutSecretValueCommand({ SecretId: 's', SecretString: String(value) })));
  for (let value = 1; value < 100; value += 1) await write(value);
  expect(await write(100)).toBe('LimitExceededException');
  sandbox.clock.advance(DAY_MS);
  expect(await write(100)).toBe('ok');
  expect(sandbox.inspect.secret({ ...HERE, name: 's' })?.versions).toHaveLength(100);
});

test('a replica follows its primary and takes no writes', async () => {
  const { sandbox, admin } = createTestSandbox();
  sandbox.foreign.putSecret({ ...HERE, name: 's', value: 'one' });
  const replicate = new ReplicateSecretToRegionsCommand({
    SecretId: 's',
    AddReplicaRegions: [{ Region: 'eu-central-1' }],
  });
  await admin.secrets.send(replicate);
  await admin.secrets.send(new PutSecretValueCommand({ SecretId: 's', SecretString: 'two' }));
  const elsewhere = clientsOf(
    sandbox,
    sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' }),
    'eu-central-1',
  );
  expect((await elsewhere.secrets.send(new GetSecretValueCommand({ SecretId: 's' }))).SecretString).toBe('two');
  const write = new PutSecretValueCommand({ SecretId: 's', SecretString: 'three' });
  expect(await outcomeOf(elsewhere.secrets.send(write))).toBe('InvalidParameterException');
});
