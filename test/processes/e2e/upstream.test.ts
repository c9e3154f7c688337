/**
 * As an upstream application in another code base sees keyferry: a worker process, plain BullMQ
 * queues, rows in PostgreSQL, objects at AWS.
 */
import { Queue } from 'bullmq';
import { sql } from 'drizzle-orm';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, generateEncryptionKey, type Keyferry } from '../../../src/index.ts';
import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import {
  createAwsSandbox,
  startAwsSandboxServer,
  type AwsSandbox,
  type AwsSandboxServer,
} from '../../../src/sandbox/aws/index.ts';
import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { hasRedis } from '../../support/backends.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startUnboundKeyferry, type TestProcess } from '../../support/processes.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { eventually } from '../../integration/engine/support.ts';

const BASE_ACCOUNT = '111122223333';
const ACCOUNT = '444455556666';
const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };

describe.skipIf(!hasRedis)('an upstream application beside `keyferry worker`', () => {
  let database: TestDatabase;
  let reader: DatabaseHandle;
  let redis: TestRedis;
  let sandbox: AwsSandbox;
  let aws: AwsSandboxServer;
  let worker: TestProcess;
  let keyferry: Keyferry;
  let queue: (name: string) => Queue;
  const queues: Queue[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    redis = await startRedis();
    sandbox = createAwsSandbox();
    aws = await startAwsSandboxServer(sandbox);
    const keys = generateEncryptionKey();
    worker = startUnboundKeyferry(['worker'], {
      environment: cleanEnvironment({
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        KEYFERRY_ENCRYPTION_KEYS: keys,
        AWS_ENDPOINT_URL: aws.url,
        AWS_REGION: 'eu-west-1',
        ...baseCredentials(sandbox),
      }),
    });
    await worker.waitForLine(/worker started/);
    keyferry = await connect({ databaseUrl: database.url, encryptionKeys: keys, org: 'acme', actor: 'upstream' });
    reader = openDatabase(database.url);
    queue = (name) => {
      const made = new Queue(name, { prefix: '{keyferry}', connection: { url: redis.url } });
      queues.push(made);
      return made;
    };
  }, 60_000);

  afterAll(async () => {
    await Promise.all(queues.map((one) => one.close()));
    worker.signal('SIGTERM');
    expect(await worker.waitForExit(20_000)).toMatchObject({ code: 0 });
    await keyferry.close();
    await reader.close();
    await aws.close();
    await redis.stop();
    await database.drop();
  }, 60_000);

  const rows = (statement: ReturnType<typeof sql>) => reader.db.execute(statement);

  it('has connections validated, secrets synced and a key rotated through its queues', async () => {
    createCustomer(sandbox);
    const { connection, requestId } = await keyferry.connections.create({
      name: 'prod',
      region: 'eu-west-1',
      credentials: { method: 'assume-role', roleArn: `arn:aws:iam::${ACCOUNT}:role/keyferry` },
    });
    await keyferry.runs.wait(requestId);
    await queue('validate').add('validate', { connectionId: connection.id, requestedBy: 'upstream' });
    await eventually(
      () =>
        rows(
          sql`select status, reason, requested_by from keyferry.runs
            where subject_id = ${connection.id} order by started_at`,
        ),
      (runs) => runs.length === 2 && runs[1]?.['status'] === 'succeeded',
    );
    expect(
      (
        await rows(sql`select status, account_id from keyferry.connections
          where id = ${connection.id}`)
      )[0],
    ).toEqual({ status: 'valid', account_id: ACCOUNT });

    await keyferry.secrets.set(place, { values: { DB_HOST: 'db.internal.example', DB_NAME: 'shop' } });
    const sync = await keyferry.syncs.create({
      name: 'api',
      connection: 'prod',
      source: place,
      destination: 'aws-parameter-store',
      destinationConfig: { region: 'eu-west-1', path: '/shop/prod/' },
      isAutoSyncEnabled: false,
    });
    await queue('sync').add('sync', { syncId: sync.id });
    await eventually(
      () => rows(sql`select sync_status, synced_revision from keyferry.syncs where id = ${sync.id}`),
      ([row]) => row?.['sync_status'] === 'succeeded',
    );
    const stored = sandbox.inspect.parameter({ accountId: ACCOUNT, region: 'eu-west-1', name: '/shop/prod/DB_HOST' });
    expect(stored).toMatchObject({ value: 'db.internal.example', type: 'SecureString' });

    const rotation = await keyferry.rotations.create({
      name: 'deployer',
      connection: 'prod',
      target: { ...place, secretPath: '/deploy' },
      userName: 'deployer',
      secretsMapping: { accessKeyId: 'AWS_ACCESS_KEY_ID', secretAccessKey: 'AWS_SECRET_ACCESS_KEY' },
      rotationIntervalDays: 30,
    });
    await queue('rotate').add('rotate', { rotationId: rotation.id });
    const [published] = await eventually(
      () => rows(sql`select active_access_key_id from keyferry.rotations where id = ${rotation.id}`),
      ([row]) => row?.['active_access_key_id'] !== null,
      20_000,
    );
    const keys = sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName: 'deployer' });
    expect(keys.map((key) => key.accessKeyId)).toContain(published?.['active_access_key_id']);
  }, 60_000);

  it('is told at once about jobs that make no sense, and nothing leaks into the queue or the log', async () => {
    const sync = queue('sync');
    await sync.add('sync', { syncId: 'not-a-uuid', value: 'planted-value' });
    const [failed] = await eventually(
      () => sync.getFailed(),
      (jobs) => jobs.length > 0,
    );
    expect(failed?.failedReason).toMatch(/^PAYLOAD_INVALID: .*syncId/);
    const log = worker.stderr() + worker.stdout();
    const dump = await dumpRedis(redis.url);
    for (const secret of ['db.internal.example', 'planted-value']) expect(log, 'log').not.toContain(secret);
    expect(dump, 'Redis').not.toContain('db.internal.example');
  });
});

function baseCredentials(sandbox: AwsSandbox) {
  sandbox.createAccount(BASE_ACCOUNT);
  const user = { accountId: BASE_ACCOUNT, userName: 'keyferry-base' };
  sandbox.createUser({
    ...user,
    policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] },
  });
  const key = sandbox.createAccessKey(user);
  return {
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  };
}

function createCustomer(sandbox: AwsSandbox): void {
  const aws = { partition: 'aws', accountId: ACCOUNT };
  sandbox.createAccount(ACCOUNT);
  sandbox.createUser({ accountId: ACCOUNT, userName: 'deployer' });
  sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'keyferry',
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId: 'acme' }),
    policy: [
      policyFor({ use: 'parameter-store', region: 'eu-west-1', path: '/shop/prod/' }, aws),
      policyFor({ use: 'access-key-rotation', userName: 'deployer' }, aws),
    ],
  });
}

/** Every key's content as text. */
async function dumpRedis(url: string): Promise<string> {
  const client = new Redis(url);
  const parts: string[] = [];
  for (const key of await client.keys('*')) {
    const type = await client.type(key);
    if (type === 'hash') parts.push(JSON.stringify(await client.hgetall(key)));
    else if (type === 'stream') parts.push(JSON.stringify(await client.xrange(key, '-', '+')));
    else if (type === 'string') parts.push((await client.get(key)) ?? '');
    else if (type === 'zset') parts.push(JSON.stringify(await client.zrange(key, '0', '-1')));
    else if (type === 'list') parts.push(JSON.stringify(await client.lrange(key, 0, -1)));
  }
  client.disconnect();
  return parts.join('\n');
}
