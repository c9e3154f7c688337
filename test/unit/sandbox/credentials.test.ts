/**
 * Who gets in: clocks, sessions, regions, partitions, and keys that start and stop working late.
 */
import {
  CreateAccessKeyCommand,
  DeleteAccessKeyCommand,
  GetAccessKeyLastUsedCommand,
  ListAccessKeysCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { expect, test } from 'vitest';
import { createSandboxRequestHandler, type AwsSandbox } from '../../../src/sandbox/aws/index.ts';
import { SERVICE_MODELS } from '../../../src/sandbox/aws/wire/service-model.ts';
import {
  ACCOUNT,
  allowing,
  clientsOf,
  createTestSandbox,
  outcomeOf,
  REGION,
  trusting,
  type SandboxClients,
} from './clients.ts';
import { errorCode, signedRequest, type SignerCredentials } from './signed-request.ts';

const OTHER_ACCOUNT = '444455556666';
const GET_USER = SERVICE_MODELS.get('iam')!.operations.get('GetUser')!;
const GET_CALLER_IDENTITY = SERVICE_MODELS.get('sts')!.operations.get('GetCallerIdentity')!;

async function createKey(admin: SandboxClients, userName: string): Promise<SignerCredentials> {
  const { AccessKey } = await admin.iam.send(new CreateAccessKeyCommand({ UserName: userName }));
  return { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
}

const identityOf = (sandbox: AwsSandbox, credentials: SignerCredentials, region = REGION): Promise<string> =>
  outcomeOf(clientsOf(sandbox, credentials, region).sts.send(new GetCallerIdentityCommand({})));

test('a session ends when it expires, and its credentials say so', async () => {
  const { sandbox, admin } = createTestSandbox();
  const { arn } = sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'r',
    trustPolicy: trusting(ACCOUNT),
    policy: allowing('ssm:*'),
  });
  const { Credentials } = await admin.sts.send(
    new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'test', DurationSeconds: 900 }),
  );
  const session = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  const { sts, ssm } = clientsOf(sandbox, session);
  sandbox.clock.advance(899_000);
  expect(await outcomeOf(sts.send(new GetCallerIdentityCommand({})))).toBe('ok');
  sandbox.clock.advance(1_000);
  expect(await outcomeOf(sts.send(new GetCallerIdentityCommand({})))).toBe('ExpiredToken');
  expect(await outcomeOf(ssm.send(new GetParameterCommand({ Name: '/a' })))).toBe('ExpiredTokenException');
});

test('another account needs both sides: the trust of the role and the permission of the caller', async () => {
  const { sandbox } = createTestSandbox();
  const assume = async (policy: ReturnType<typeof allowing>, trusted: string): Promise<string> => {
    const roleName = `r${String(Math.random()).slice(2)}`;
    sandbox.createUser({ accountId: OTHER_ACCOUNT, userName: roleName, policy });
    const { arn } = sandbox.createRole({
      accountId: ACCOUNT,
      roleName,
      trustPolicy: trusting(trusted.replace('NAME', roleName)),
    });
    const { sts } = clientsOf(sandbox, sandbox.createAccessKey({ accountId: OTHER_ACCOUNT, userName: roleName }));
    return outcomeOf(sts.send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'test' })));
  };
  const byName = `arn:aws:iam::${OTHER_ACCOUNT}:user/NAME`;
  expect(await assume(allowing('sts:AssumeRole'), OTHER_ACCOUNT)).toBe('ok');
  expect(await assume(allowing('sts:AssumeRole'), byName)).toBe('ok');
  expect(await assume(allowing('ssm:*'), byName)).toBe('AccessDenied');
  expect(await assume(allowing('sts:AssumeRole'), ACCOUNT)).toBe('AccessDenied');
});

test('a signature five minutes off is refused, by the real clock and not the sandbox’s', async () => {
  const { sandbox } = createTestSandbox();
  const credentials = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  const at = async (offsetMs: number): Promise<string | undefined> => {
    const signedAt = new Date(Date.now() + offsetMs);
    return errorCode(await sandbox.handle(signedRequest(GET_CALLER_IDENTITY, {}, { credentials, signedAt })));
  };
  expect(await at(0)).toBeUndefined();
  expect(await at(-310_000)).toBe('SignatureDoesNotMatch');
  expect(await at(310_000)).toBe('SignatureDoesNotMatch');
  sandbox.clock.advance(30 * 24 * 3_600_000);
  expect(await at(0)).toBeUndefined();
});

test('a client whose clock is wrong corrects it by the Date of the answer', async () => {
  const { sandbox } = createTestSandbox();
  sandbox.setServerSkew(3_600_000);
  const credentials = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  const sts = new STSClient({
    region: REGION,
    credentials,
    requestHandler: createSandboxRequestHandler(sandbox),
    maxAttempts: 2,
  });
  expect(await outcomeOf(sts.send(new GetCallerIdentityCommand({})))).toBe('ok');
  expect(sandbox.calls.list().map((call) => call.outcome)).toEqual(['SignatureDoesNotMatch', 'ok']);
});

test('a changed body, host or header breaks the signature', async () => {
  const { sandbox } = createTestSandbox();
  const credentials = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  const request = signedRequest(GET_CALLER_IDENTITY, {}, { credentials });
  const send = async (more: Partial<typeof request>) => errorCode(await sandbox.handle({ ...request, ...more }));
  expect(await send({})).toBeUndefined();
  expect(await send({ body: Buffer.concat([request.body, Buffer.from('&A=1')]) })).toBe('SignatureDoesNotMatch');
  expect(await send({ headers: { ...request.headers, host: 'other' } })).toBe('SignatureDoesNotMatch');
  expect(await send({ headers: { ...request.headers, authorization: undefined } })).toBe('MissingAuthenticationToken');
  expect(await send({ headers: { ...request.headers, authorization: 'AWS4-HMAC-SHA256 x' } })).toBe(
    'IncompleteSignature',
  );
});

test('an opt-in region is closed until the account switches it on', async () => {
  const { sandbox } = createTestSandbox();
  const credentials = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  const { ssm } = clientsOf(sandbox, credentials, 'eu-south-2');
  expect(await identityOf(sandbox, credentials, 'eu-south-2')).toBe('RegionDisabledException');
  expect(await outcomeOf(ssm.send(new GetParameterCommand({ Name: '/a' })))).toBe('UnrecognizedClientException');
  sandbox.createAccount(ACCOUNT, { optInRegions: ['eu-south-2'] });
  expect(await identityOf(sandbox, credentials, 'eu-south-2')).toBe('ok');
});

test('credentials are good in their own partition only', async () => {
  const { sandbox } = createTestSandbox();
  sandbox.createAccount(OTHER_ACCOUNT, { partition: 'aws-us-gov' });
  const { arn } = sandbox.createUser({ accountId: OTHER_ACCOUNT, userName: 'gov' });
  expect(arn).toBe(`arn:aws-us-gov:iam::${OTHER_ACCOUNT}:user/gov`);
  const credentials = sandbox.createAccessKey({ accountId: OTHER_ACCOUNT, userName: 'gov' });
  expect(await identityOf(sandbox, credentials, 'us-gov-west-1')).toBe('ok');
  expect(await identityOf(sandbox, credentials, 'eu-west-1')).toBe('InvalidClientTokenId');
});

test('the root user shows as root, and may not assume roles', async () => {
  const { sandbox } = createTestSandbox();
  const { sts } = clientsOf(sandbox, sandbox.createRootAccessKey({ accountId: ACCOUNT }));
  expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toBe(`arn:aws:iam::${ACCOUNT}:root`);
  const { arn } = sandbox.createRole({ accountId: ACCOUNT, roleName: 'r', trustPolicy: trusting(ACCOUNT) });
  expect(await outcomeOf(sts.send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'test' })))).toBe(
    'AccessDenied',
  );
});

test('a new key starts to work at its own time in each service and region', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { keyVisibleMs: [1_000, 15_000] } });
  sandbox.createUser({ accountId: ACCOUNT, userName: 'new', policy: allowing('ssm:*') });
  const key = await createKey(admin, 'new');
  const firstSuccess = async (probe: () => Promise<string>): Promise<number> => {
    for (let second = 0; ; second += 1) {
      if (!['InvalidClientTokenId', 'UnrecognizedClientException'].includes(await probe())) return second;
      sandbox.clock.advance(1_000);
    }
  };
  const seconds = [await firstSuccess(() => identityOf(sandbox, key))];
  const { ssm } = clientsOf(sandbox, key);
  seconds.push(await firstSuccess(() => outcomeOf(ssm.send(new GetParameterCommand({ Name: '/a' })))));
  expect(seconds[0]).toBeGreaterThan(0);
  expect(seconds[0]! + seconds[1]!).toBeLessThanOrEqual(16);
});

test('a key that is switched off works for seconds more, but makes no keys', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { keyRevokedMs: [3_000, 4_000] } });
  sandbox.createUser({ accountId: ACCOUNT, userName: 'old', policy: allowing('iam:*') });
  const key = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'old' });
  await admin.iam.send(
    new UpdateAccessKeyCommand({ UserName: 'old', AccessKeyId: key.accessKeyId, Status: 'Inactive' }),
  );
  expect(await identityOf(sandbox, key)).toBe('ok');
  expect(await outcomeOf(clientsOf(sandbox, key).iam.send(new CreateAccessKeyCommand({})))).toBe(
    'InvalidClientTokenId',
  );
  sandbox.clock.advance(4_000);
  expect(await identityOf(sandbox, key)).toBe('InvalidClientTokenId');
  await admin.iam.send(new UpdateAccessKeyCommand({ UserName: 'old', AccessKeyId: key.accessKeyId, Status: 'Active' }));
  expect(await identityOf(sandbox, key)).toBe('ok');
});

test('ListAccessKeys lags behind creation and deletion', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { listAccessKeysMs: [5_000, 5_000] } });
  sandbox.createUser({ accountId: ACCOUNT, userName: 'lag' });
  const list = async () =>
    (await admin.iam.send(new ListAccessKeysCommand({ UserName: 'lag' }))).AccessKeyMetadata!.length;
  const { accessKeyId } = await createKey(admin, 'lag');
  expect(await list()).toBe(0);
  sandbox.clock.advance(5_000);
  expect(await list()).toBe(1);
  await admin.iam.send(new DeleteAccessKeyCommand({ UserName: 'lag', AccessKeyId: accessKeyId }));
  expect(await list()).toBe(1);
  expect(sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName: 'lag' })).toEqual([]);
  sandbox.clock.advance(5_000);
  expect(await list()).toBe(0);
});

test('the quota of two keys can be overrun while lists lag, when the race is switched on', async () => {
  const create = async (racyKeyQuota: boolean): Promise<string[]> => {
    const { sandbox, admin } = createTestSandbox({ timing: { listAccessKeysMs: [5_000, 5_000], racyKeyQuota } });
    sandbox.createUser({ accountId: ACCOUNT, userName: 'many' });
    const call = () => outcomeOf(admin.iam.send(new CreateAccessKeyCommand({ UserName: 'many' })));
    return [await call(), await call(), await call()];
  };
  expect(await create(false)).toEqual(['ok', 'ok', 'LimitExceededException']);
  expect(await create(true)).toEqual(['ok', 'ok', 'ok']);
});

test('the last use of a key is told late', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { lastUsedMs: [60_000, 60_000] } });
  sandbox.createUser({ accountId: ACCOUNT, userName: 'used' });
  const key = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'used' });
  await identityOf(sandbox, key);
  const service = async () =>
    (await admin.iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId: key.accessKeyId }))).AccessKeyLastUsed
      ?.ServiceName;
  expect(await service()).toBe('N/A');
  sandbox.clock.advance(60_000);
  expect(await service()).toBe('sts');
});

test('an edited trust policy counts after its delay', async () => {
  const { sandbox, admin } = createTestSandbox({ timing: { policyMs: [10_000, 10_000] } });
  const role = { accountId: ACCOUNT, roleName: 'r' };
  const { arn } = sandbox.createRole({ ...role, trustPolicy: trusting(OTHER_ACCOUNT) });
  const assume = () => outcomeOf(admin.sts.send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'test' })));
  sandbox.setRoleTrust({ ...role, trustPolicy: trusting(ACCOUNT) });
  expect(await assume()).toBe('AccessDenied');
  sandbox.clock.advance(10_000);
  expect(await assume()).toBe('ok');
});

test('IAM takes only signatures for the IAM region of its partition', async () => {
  const { sandbox } = createTestSandbox();
  sandbox.createAccount(OTHER_ACCOUNT, { partition: 'aws-us-gov' });
  sandbox.createUser({ accountId: OTHER_ACCOUNT, userName: 'gov', policy: allowing('iam:*') });
  const own = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  const gov = sandbox.createAccessKey({ accountId: OTHER_ACCOUNT, userName: 'gov' });
  const signedFor = async (region: string, credentials: SignerCredentials) =>
    errorCode(await sandbox.handle(signedRequest(GET_USER, {}, { credentials, region })));
  expect(await signedFor('us-east-1', own)).toBeUndefined();
  expect(await signedFor('eu-west-1', own)).toBe('SignatureDoesNotMatch');
  expect(await signedFor('us-gov-west-1', gov)).toBeUndefined();
  expect(await signedFor('us-gov-east-1', gov)).toBe('SignatureDoesNotMatch');
});
