/** Quotas, faults, and the record of calls. */
import { CreateAccessKeyCommand, IAMClient } from '@aws-sdk/client-iam';
import { CreateSecretCommand, PutSecretValueCommand, UpdateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { expect, test } from 'vitest';
import { createSandboxRequestHandler, type FaultAction } from '../../../src/sandbox/aws/index.ts';
import { ACCOUNT, allowing, clientsOf, createTestSandbox, outcomeOf, REGION, type SandboxClients } from './clients.ts';

const put = (clients: SandboxClients, index: number) =>
  outcomeOf(
    clients.ssm.send(
      new PutParameterCommand({ Name: `/p/${String(index)}`, Value: 'v', Type: 'String', Overwrite: true }),
    ),
  );

async function putMany(clients: SandboxClients, count: number): Promise<number> {
  let accepted = 0;
  for (let index = 0; index < count; index += 1) if ((await put(clients, index)) === 'ok') accepted += 1;
  return accepted;
}

test('PutParameter has a burst of twenty and three a second, as AWS Support told in 2023', async () => {
  const { sandbox, admin } = createTestSandbox({ quotas: 'support-2023' });
  expect(await putMany(admin, 44)).toBe(20);
  sandbox.clock.advance(2_000);
  expect(await putMany(admin, 10)).toBe(6);
  expect(await put(admin, 0)).toBe('ThrottlingException');
  sandbox.setQuotas('off');
  expect(await putMany(admin, 10)).toBe(10);
});

test('operations of a group share their bucket, accounts do not', async () => {
  const buckets = [
    { operations: ['secretsmanager.PutSecretValue', 'secretsmanager.UpdateSecret'], ratePerSecond: 1, burst: 2 },
  ];
  const { sandbox, admin } = createTestSandbox({ quotas: { buckets, retryAfterMs: 3_000 } });
  await admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'v' }));
  const update = () => outcomeOf(admin.secrets.send(new UpdateSecretCommand({ SecretId: 's', Description: 'd' })));
  expect([await update(), await update(), await update()]).toEqual(['ok', 'ok', 'ThrottlingException']);
  const write = admin.secrets.send(new PutSecretValueCommand({ SecretId: 's', SecretString: 'w' }));
  await expect(write).rejects.toMatchObject({ $response: { headers: { 'x-amz-retry-after': '3000' } } });
  sandbox.createUser({ accountId: '444455556666', userName: 'u', policy: allowing('*') });
  const other = clientsOf(sandbox, sandbox.createAccessKey({ accountId: '444455556666', userName: 'u' }));
  expect(await outcomeOf(other.secrets.send(new UpdateSecretCommand({ SecretId: 's', Description: 'd' })))).toBe(
    'ResourceNotFoundException',
  );
});

test('the throttling error of IAM and STS is Throttling', async () => {
  const { admin } = createTestSandbox({ quotas: 'hostile' });
  const outcomes = [1, 2, 3].map(() => outcomeOf(admin.sts.send(new GetCallerIdentityCommand({}))));
  expect((await Promise.all(outcomes)).sort()).toEqual(['Throttling', 'ok', 'ok']);
});

test.each<[string, FaultAction, string, boolean]>([
  ['throttle', 'throttle', 'ThrottlingException', false],
  ['an error by code', { error: { code: 'InternalServerError' } }, 'InternalServerError', false],
  ['an error by status', { error: { code: 'Odd', status: 503 } }, 'Odd', false],
  ['a dropped connection before the effect', 'drop-before', 'TimeoutError', false],
  ['a dropped connection after the effect', 'drop-after', 'TimeoutError', true],
  ['a page of HTML', 'html', 'SyntaxError', false],
  ['a delay', { delayMs: 5 }, 'ok', true],
])('fault: %s', async (...row) => {
  const [, action, outcome, takesEffect] = row;
  const { sandbox, admin } = createTestSandbox();
  sandbox.faults.add({ service: 'ssm', operation: 'PutParameter', nth: 2, action });
  expect([await put(admin, 1), await put(admin, 2), await put(admin, 3)]).toEqual(['ok', outcome, 'ok']);
  expect(sandbox.inspect.parameter({ accountId: ACCOUNT, region: REGION, name: '/p/2' }) !== undefined).toBe(
    takesEffect,
  );
});

test('an answer after the client’s deadline leaves the effect behind', async () => {
  const { sandbox, admin } = createTestSandbox();
  sandbox.faults.add({ operation: 'PutParameter', action: { delayAfterMs: 200 } });
  const command = new PutParameterCommand({ Name: '/p/1', Value: 'v', Type: 'String' });
  const call = admin.ssm.send(command, { abortSignal: AbortSignal.timeout(30) });
  expect(await outcomeOf(call)).toBe('AbortError');
  expect(sandbox.inspect.parameter({ accountId: ACCOUNT, region: REGION, name: '/p/1' })?.value).toBe('v');
});

test('faults can be chosen by parameters, by number, by chance, and be removed', async () => {
  const { sandbox, admin } = createTestSandbox({ seed: 7 });
  const remove = sandbox.faults.add({ match: { parametersInclude: '/p/5' }, action: 'throttle' });
  expect(await putMany(admin, 10)).toBe(9);
  remove();
  expect(await putMany(admin, 10)).toBe(10);
  sandbox.faults.add({ times: 3, action: 'throttle' });
  expect(await putMany(admin, 10)).toBe(7);
  sandbox.faults.clear();
  sandbox.faults.add({ probability: 0.5, action: 'throttle' });
  const accepted = await putMany(admin, 40);
  expect(accepted).toBeGreaterThan(8);
  expect(accepted).toBeLessThan(32);
});

test('the SDK repeats CreateAccessKey when the answer is lost, and makes a second key', async () => {
  const { sandbox } = createTestSandbox();
  sandbox.createUser({ accountId: ACCOUNT, userName: 'u' });
  sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-after' });
  const credentials = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  const careless = new IAMClient({ region: REGION, credentials, requestHandler: createSandboxRequestHandler(sandbox) });
  await careless.send(new CreateAccessKeyCommand({ UserName: 'u' }));
  expect(sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName: 'u' })).toHaveLength(2);
  const calls = sandbox.calls.list({ operation: 'CreateAccessKey' });
  expect(calls.map((call) => [call.attempt, call.outcome])).toEqual([
    [1, 'drop-after'],
    [2, 'ok'],
  ]);
  expect(calls[0]?.invocationId).toBe(calls[1]?.invocationId);
});

test('the record names who did what and holds no values', async () => {
  const { sandbox, admin } = createTestSandbox();
  await admin.ssm.send(new PutParameterCommand({ Name: '/p', Value: 'canary-one', Type: 'SecureString' }));
  await admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'canary-two' }));
  await outcomeOf(admin.secrets.send(new CreateSecretCommand({ Name: 's', SecretString: 'canary-three' })));
  const ssm = new SSMClient({
    region: REGION,
    credentials: { accessKeyId: 'AKIAUNKNOWNUNKNOWN00', secretAccessKey: 'x' },
    requestHandler: createSandboxRequestHandler(sandbox),
  });
  await outcomeOf(ssm.send(new GetParameterCommand({ Name: '/p' })));
  expect(JSON.stringify(sandbox.calls.list())).not.toContain('canary');
  expect(sandbox.calls.byOperation()).toEqual({
    'ssm.PutParameter': 1,
    'ssm.GetParameter': 1,
    'secretsmanager.CreateSecret': 2,
  });
  expect(
    sandbox.calls.list({ service: 'ssm' }).map((call) => [call.principalArn, call.outcome, call.parameters]),
  ).toEqual([
    [`arn:aws:iam::${ACCOUNT}:user/admin`, 'ok', { Name: '/p', Type: 'SecureString' }],
    [undefined, 'UnrecognizedClientException', {}],
  ]);
  expect(sandbox.calls.count({ outcome: 'ResourceExistsException' })).toBe(1);
});

test('the same seed gives the same ids', async () => {
  const make = () => createTestSandbox({ seed: 5 }).sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  expect(make()).toEqual(make());
});
