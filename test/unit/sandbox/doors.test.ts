/** The HTTP door and the control API. */
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterEach, expect, test } from 'vitest';
import { connectAwsSandbox, startAwsSandboxServer, type AwsSandboxServer } from '../../../src/sandbox/aws/index.ts';
import { ACCOUNT, allowing, createTestSandbox, outcomeOf, REGION, trusting } from './clients.ts';

let server: AwsSandboxServer | undefined;
afterEach(async () => server?.close());

async function start() {
  const { sandbox } = createTestSandbox();
  server = await startAwsSandboxServer(sandbox);
  const credentials = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  const config = { region: REGION, credentials, endpoint: server.url, maxAttempts: 1 };
  return { sandbox, url: server.url, config };
}

const put = (ssm: SSMClient) =>
  outcomeOf(ssm.send(new PutParameterCommand({ Name: '/p', Value: 'v', Type: 'String', Overwrite: true })));

test('unmodified clients talk to it over HTTP, whatever their service and region', async () => {
  const { sandbox, config } = await start();
  expect((await new STSClient(config).send(new GetCallerIdentityCommand({}))).Account).toBe(ACCOUNT);
  expect(await put(new SSMClient({ ...config, region: 'us-east-1' }))).toBe('ok');
  expect(sandbox.inspect.parameter({ accountId: ACCOUNT, region: 'us-east-1', name: '/p' })?.value).toBe('v');
});

test('a dropped connection is a reset socket, before or after the effect', async () => {
  const { sandbox, config } = await start();
  const ssm = new SSMClient(config);
  const find = () => sandbox.inspect.parameter({ accountId: ACCOUNT, region: REGION, name: '/p' });
  sandbox.faults.add({ nth: 1, action: 'drop-before' });
  await expect(ssm.send(new PutParameterCommand({ Name: '/p', Value: 'v', Type: 'String' }))).rejects.toMatchObject({
    code: 'ECONNRESET',
  });
  expect(find()).toBeUndefined();
  sandbox.faults.clear();
  sandbox.faults.add({ nth: 1, action: 'drop-after' });
  expect(await put(ssm)).toBe('TimeoutError');
  expect(find()?.version).toBe(1);
});

test('an answer can drip', async () => {
  const { sandbox, config } = await start();
  sandbox.faults.add({ action: { dripMs: 100 } });
  const started = performance.now();
  expect(await put(new SSMClient(config))).toBe('ok');
  expect(performance.now() - started).toBeGreaterThan(80);
});

test('another process can set up, inspect and disturb', async () => {
  const { url, config } = await start();
  const remote = connectAwsSandbox(url);
  await remote.createUser({ accountId: ACCOUNT, userName: 'u', policy: allowing('ssm:*') });
  const credentials = await remote.createAccessKey({ accountId: ACCOUNT, userName: 'u' });
  await remote.createRole({ accountId: ACCOUNT, roleName: 'r', trustPolicy: trusting(ACCOUNT) });
  await remote.faults.add({ operation: 'PutParameter', nth: 1, action: 'throttle' });
  const ssm = new SSMClient({ ...config, credentials });
  expect([await put(ssm), await put(ssm)]).toEqual(['ThrottlingException', 'ok']);
  const before = Date.parse(await remote.clock.now());
  await remote.clock.advance(60_000);
  expect(Date.parse(await remote.clock.now())).toBe(before + 60_000);
  expect((await remote.inspect.parameter({ accountId: ACCOUNT, region: REGION, name: '/p' }))?.value).toBe('v');
  expect(await remote.calls.byOperation()).toEqual({ 'ssm.PutParameter': 2 });
  await expect(remote.createUser({ accountId: ACCOUNT, userName: 'u' })).rejects.toThrow('User u exists');
});

test('the control API takes no request that a web page could send', async () => {
  const { url } = await start();
  const post = async (headers: Record<string, string>, path = 'calls.clear') =>
    (await fetch(`${url}/_sandbox/${path}`, { method: 'POST', headers })).status;
  expect(await post({})).toBe(403);
  expect(await post({ 'x-sandbox-control': '1' })).toBe(200);
  for (const path of ['handle', 'constructor', 'calls.constructor', 'calls.__proto__', 'nothing']) {
    expect(await post({ 'x-sandbox-control': '1' }, path)).toBe(404);
  }
});

test('it listens on loopback only', async () => {
  const { sandbox } = createTestSandbox();
  await expect(startAwsSandboxServer(sandbox, { host: '0.0.0.0' })).rejects.toThrow('loopback');
});
