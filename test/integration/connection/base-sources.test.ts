/**
 * The sources of a worker's own identity on AWS, on loopback fakes: each is named, works, and is
 * renewed or repaired without a restart.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createAwsAccess, type AwsAccessOptions } from '../../../src/aws/access.ts';
import type { ConnectionCredentials } from '../../../src/domain/connection/credentials.ts';
import { loadConfig } from '../../../src/config/config.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import { baseUserPolicy } from '../../../src/domain/policy/policies.ts';
import { JobError } from '../../../src/errors.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import {
  createIssuer,
  type FakeSource,
  startContainerCredentials,
  startInstanceMetadata,
  withWebIdentity,
} from '../../support/credential-sources.ts';
import { asSandboxPolicy, BASE, createWorld, CUSTOMER, ORG, REGION, ROLE_ARN } from './world.ts';

const role: ConnectionCredentials = {
  connectionId: '11111111-1111-4111-8111-111111111111',
  orgId: ORG,
  credentialsRevision: 1,
  method: 'assume-role',
  roleArn: ROLE_ARN,
  externalId: ORG,
};

let folder: string;
let sources: FakeSource[];
const before = { ...process.env };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-sources-'));
  sources = [];
  Object.assign(process.env, {
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    HOME: folder,
  });
});
afterEach(async () => {
  for (const source of sources) await source.close();
  rmSync(folder, { recursive: true });
  for (const name of Object.keys(process.env)) if (!(name in before)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, before);
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

async function started(source: Promise<FakeSource>): Promise<FakeSource> {
  sources.push(await source);
  return source;
}

function open(world: ReturnType<typeof createWorld>, options: Partial<AwsAccessOptions> = {}) {
  let aheadMs = 0;
  const access = createAwsAccess({
    baseCredentials: undefined,
    region: REGION,
    requestHandler: createSandboxRequestHandler(world.sandbox),
    environment: process.env,
    nowMs: () => Date.now() + aheadMs,
    ...options,
  });
  const verify = () =>
    access.verify({
      credentials: role,
      region: REGION,
      scope: {
        signal: AbortSignal.timeout(30_000),
        calls: createCallLog(),
        beforeMutation: () => Promise.resolve(),
        subjectId: 'test',
      },
    });
  return {
    access,
    verify,
    /** Both clocks: the worker's and the sandbox's. */
    wait: (ms: number) => {
      aheadMs += ms;
      world.sandbox.clock.advance(ms);
    },
  };
}

const faultOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'it worked',
    (error: unknown) => (error instanceof JobError ? `${error.code} ${error.publicMessage}` : String(error)),
  );

const workerOf = (world: ReturnType<typeof createWorld>) =>
  createIssuer(world.sandbox, { accountId: BASE, roleName: 'worker' });
const identity = { accountId: BASE, arn: `arn:aws:sts::${BASE}:assumed-role/worker/worker`, accessKeyId: null };

describe('the credentials endpoint of a container', () => {
  it('gives EKS Pod Identity, whose token file is read again at each renewal', async () => {
    const world = createWorld();
    let token = 'first-token';
    const source = await started(startContainerCredentials(workerOf(world), () => token));
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${source.url}/v1/credentials`;
    process.env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] = write('eks/eks-pod-identity-token', token);
    const { access, verify, wait } = open(world);

    expect((await verify()).accountId).toBe(CUSTOMER);
    expect(await access.baseReport()).toMatchObject({ ...identity, kind: 'pod-identity' });

    token = 'second-token';
    write('eks/eks-pod-identity-token', token);
    wait(59.5 * 60_000);
    expect((await verify()).accountId).toBe(CUSTOMER);
    expect(source.issued()).toBe(2);
  });

  it('that refuses the token is the installation’s fault, and is asked again after the repair', async () => {
    const world = createWorld();
    const source = await started(startContainerCredentials(workerOf(world), () => 'right'));
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${source.url}/v1/credentials`;
    process.env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] = write('token', 'wrong');
    const { access, verify, wait } = open(world);
    const fault = await faultOf(verify());
    expect(fault).toMatch(/^CONNECTION_NO_BASE_IDENTITY .*container’s credentials endpoint refused/);
    expect(fault).not.toContain('canary');

    write('token', 'right');
    wait(6_000);
    expect((await verify()).accountId).toBe(CUSTOMER);
    expect(await access.baseReport()).toMatchObject({ kind: 'container' });
  }, 30_000);

  it('is called an ECS task role where the task names only its path', async () => {
    const world = createWorld();
    const source = await started(startContainerCredentials(workerOf(world), () => undefined));
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${source.url}/v2/credentials/id`;
    // The address that the path belongs to cannot be taken on this machine; only the name of the
    // kind is tried.
    const environment = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/id' };
    const { access } = open(world, { environment });
    expect(await access.baseReport()).toMatchObject({ ...identity, kind: 'ecs-task' });
  });
});

describe('the metadata service of an instance', () => {
  it('gives the role of the instance over IMDSv2, again before its session ends', async () => {
    const world = createWorld();
    const source = await started(startInstanceMetadata(workerOf(world)));
    process.env['AWS_EC2_METADATA_DISABLED'] = 'false';
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = source.url;
    const { access, verify, wait } = open(world);
    expect((await verify()).accountId).toBe(CUSTOMER);
    expect(await access.baseReport()).toMatchObject({ ...identity, kind: 'instance' });
    wait(59.5 * 60_000);
    expect((await verify()).accountId).toBe(CUSTOMER);
    expect(source.issued()).toBe(2);
  });

  it.each([
    ['has no role', (world: ReturnType<typeof createWorld>) => startInstanceMetadata(workerOf(world), () => false)],
    [
      'does not answer',
      () => Promise.resolve({ url: 'http://127.0.0.1:1', issued: () => 0, close: () => Promise.resolve() }),
    ],
  ])(
    'that %s is the installation’s fault and says what to check',
    async (_name, start) => {
      const world = createWorld();
      const source = await started(start(world));
      process.env['AWS_EC2_METADATA_DISABLED'] = 'false';
      process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = source.url;
      expect(await faultOf(open(world).verify())).toMatch(/^CONNECTION_NO_BASE_IDENTITY .*instance.*role/);
    },
    30_000,
  );
});

it('a web identity is named, and its token file is read again when AWS calls the token expired', async () => {
  const world = createWorld();
  const worker = workerOf(world);
  let token = 'header.first.signature';
  process.env['AWS_ROLE_ARN'] = worker.roleArn;
  process.env['AWS_ROLE_SESSION_NAME'] = 'worker';
  process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = write('irsa/token', token);
  const requestHandler = withWebIdentity(world.sandbox, worker, () => token);
  const { access, verify, wait } = open(world, { requestHandler });
  expect((await verify()).accountId).toBe(CUSTOMER);
  expect(await access.baseReport()).toMatchObject({ ...identity, kind: 'web-identity' });

  token = 'header.second.signature';
  wait(59.5 * 60_000);
  expect(await faultOf(verify())).toMatch(/^CONNECTION_BASE_REFUSED .*ExpiredTokenException/);
  write('irsa/token', token);
  wait(6_000);
  expect((await verify()).accountId).toBe(CUSTOMER);
});

describe('a key pair', () => {
  it('has the age that IAM tells where it may look, and none where it may not', async () => {
    const world = createWorld();
    const denied = await open(world, { baseCredentials: world.baseKey }).access.baseReport();
    const { accessKeyId } = world.baseKey;
    expect(denied).toMatchObject({ kind: 'key-pair', accessKeyId, keyCreatedAt: null, fileChangedAt: null });

    const policy = asSandboxPolicy(baseUserPolicy('aws', { canReadOwnKey: true }));
    world.sandbox.setUserPolicy({ accountId: BASE, userName: 'keyferry', policy });
    world.sandbox.clock.advance(60_000);
    const allowed = await open(world, { baseCredentials: world.baseKey }).access.baseReport();
    const [key] = world.sandbox.inspect.accessKeys({ accountId: BASE, userName: 'keyferry' });
    // IAM tells whole seconds.
    expect(allowed.keyCreatedAt?.getTime()).toBe(Math.floor((key?.createdAt.getTime() ?? 0) / 1_000) * 1_000);
  });

  it('in files is replaced without a failure, although the old key is gone and both files change one after another', async () => {
    const world = createWorld();
    const put = (name: 'id' | 'secret', text: string) => write(name, `${text}\n`);
    const { baseCredentials } = loadConfig({
      DATABASE_URL: 'postgres://localhost/app',
      KEYFERRY_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32).toString('base64')}`,
      INF_APP_CONNECTION_AWS_ACCESS_KEY_ID_FILE: put('id', world.baseKey.accessKeyId),
      INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY_FILE: put('secret', world.baseKey.secretAccessKey),
    });
    const { access, verify, wait } = open(world, { baseCredentials });
    await verify();
    expect(await access.baseReport()).toMatchObject({ kind: 'key-pair-file', fileChangedAt: expect.any(Date) as Date });
    const next = world.sandbox.createAccessKey({ accountId: BASE, userName: 'keyferry' });

    // Half of a new pair: the call waits for the other half, no connection is to blame.
    put('id', next.accessKeyId);
    world.sandbox.deleteAccessKey({ accessKeyId: world.baseKey.accessKeyId });
    expect(await faultOf(verify())).toMatch(/^CONNECTION_BASE_REFUSED/);
    put('secret', next.secretAccessKey);
    wait(6_000);
    await verify();
    expect(await access.baseReport()).toMatchObject({ accessKeyId: next.accessKeyId });

    // A whole one: the call that the old key is refused for is repeated with the new one.
    const last = world.sandbox.createAccessKey({ accountId: BASE, userName: 'keyferry' });
    world.sandbox.deleteAccessKey({ accessKeyId: next.accessKeyId });
    put('id', last.accessKeyId);
    put('secret', last.secretAccessKey);
    await verify();
    expect(access.baseKeyInUse()).toBe(last.accessKeyId);
  });
});
