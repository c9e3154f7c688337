/**
 * A cluster of Redis whose nodes speak TLS only, with certificates of an authority of one's own,
 * for the name that they announce: the whole product on it, and what `doctor` says when the
 * certificates are not to be trusted.
 */
import { readFile } from 'node:fs/promises';

import { Queue } from 'bullmq';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, generateEncryptionKey, type Keyferry } from '../../../src/index.ts';
import { createAwsSandbox, startAwsSandboxServer } from '../../../src/sandbox/aws/index.ts';
import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import { hasRedis } from '../../support/backends.ts';
import { type Authority, createAuthority } from '../../support/certificates.ts';
import { type CommandHost, startCommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { startUnboundKeyferry, type TestProcess } from '../../support/processes.ts';
import { type RedisSet, startRedisCluster } from '../../support/redis-sets.ts';
import { eventually } from '../../integration/engine/support.ts';

const [BASE_ACCOUNT, ACCOUNT, REGION] = ['111122223333', '444455556666', 'eu-west-1'];
const HOST = 'localhost';

describe.skipIf(!hasRedis)('a cluster over TLS', () => {
  let authority: Authority;
  let set: RedisSet;
  let environment: Record<string, string>;
  let keyferry: Keyferry;
  let worker: TestProcess;
  let server: TestProcess;
  /** One trusts the authority from its start, as a process must; the other does not. */
  let host: CommandHost;
  let stranger: CommandHost;
  const endings: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    authority = await createAuthority();
    host = startCommandHost(cleanEnvironment({ NODE_EXTRA_CA_CERTS: authority.file }));
    stranger = startCommandHost(cleanEnvironment());
    endings.push(
      () => host.stop(),
      () => stranger.stop(),
    );
    set = await startSet(`DNS:${HOST}`);
    const database = await createTestDatabase();
    const { base, aws } = await startAws();
    const encryptionKeys = generateEncryptionKey();
    environment = cleanEnvironment({
      DATABASE_URL: database.url,
      REDIS_URL: set.url,
      KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
      NODE_EXTRA_CA_CERTS: authority.file,
      AWS_ENDPOINT_URL: aws.url,
      AWS_REGION: REGION,
      KEYFERRY_HTTP_PORT: '0',
      ...base,
    });
    worker = startUnboundKeyferry(['worker'], { environment });
    server = startUnboundKeyferry(['server'], { environment });
    keyferry = await connect({ databaseUrl: database.url, encryptionKeys, org: 'acme', actor: 'test' });
    endings.push(
      () => database.drop(),
      () => aws.close(),
      () => keyferry.close(),
      () => worker.kill(),
      () => server.kill(),
    );
    await worker.waitForLine(/worker started/, 90_000);
  }, 150_000);
  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  }, 60_000);

  async function startSet(altNames: string): Promise<RedisSet> {
    const certificate = await authority.issue(`nodes-${String(endings.length)}`, { altNames });
    const started = await startRedisCluster({ ...certificate, authority: authority.file, host: HOST });
    endings.push(() => started.stop());
    return started;
  }

  async function doctor(url: string, asked: CommandHost = host) {
    const { code, stdout } = await asked.run({
      args: ['doctor', '--json'],
      environment: { ...environment, REDIS_URL: url },
    });
    const findings = JSON.parse(stdout) as readonly { part: string; isFine: boolean; detail: string }[];
    return { code, queue: findings.find(({ part }) => part === 'queue (redis)') };
  }

  it('carries what is asked for through the library and by a plain producer', async () => {
    const { connection, requestId } = await keyferry.connections.create({
      name: 'prod',
      region: REGION,
      credentials: { method: 'assume-role', roleArn: `arn:aws:iam::${ACCOUNT}:role/keyferry` },
    });
    expect((await keyferry.runs.wait(requestId)).status).toBe('succeeded');
    const nodes = set.servers.map(({ port }) => ({ host: HOST, port }));
    const ca = [await readFile(authority.file, 'utf8')];
    const producer = new Cluster(nodes, {
      dnsLookup: (address, done) => {
        done(null, address);
      },
      redisOptions: { tls: { ca }, maxRetriesPerRequest: 1 },
    });
    const queue = new Queue('validate', { prefix: '{keyferry}', connection: producer });
    await queue.add('validate', { connectionId: connection.id, requestedBy: 'upstream' });
    const ran = await eventually(
      () => keyferry.runs.list(connection.id),
      (runs) => runs.filter(({ status }) => status === 'succeeded').length === 2,
      30_000,
    );
    expect(ran.map(({ requestedBy }) => requestedBy)).toContain('upstream');
    await queue.close();
    producer.disconnect();
  }, 60_000);

  it('is ready for the server', async () => {
    const line = await server.waitForLine(/server started/, 60_000);
    const { url } = JSON.parse(line) as { url: string };
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.any(String)]);
  }, 90_000);

  it('is found well by doctor', async () => {
    expect(await doctor(set.url)).toMatchObject({ code: 0, queue: { isFine: true } });
  }, 60_000);

  it('of an authority that is not trusted: doctor says so', async () => {
    const { code, queue } = await doctor(set.url, stranger);
    expect([code, queue?.isFine]).toEqual([1, false]);
    expect(queue?.detail).toMatch(/signed by an authority that is not trusted here \([A-Z_]+\)/);
  }, 60_000);

  it('with certificates for another name: doctor says so', async () => {
    const other = await startSet('DNS:other.example');
    const { code, queue } = await doctor(other.url);
    expect([code, queue?.isFine]).toEqual([1, false]);
    expect(queue?.detail).toMatch(/its certificate is for another host name \(ERR_TLS_CERT_ALTNAME_INVALID\)/);
  }, 60_000);

  it('whose announced name is not in the certificates, reached by an address that is: doctor says so', async () => {
    const byAddress = await startSet('IP:127.0.0.1');
    const { code, queue } = await doctor(byAddress.url.replaceAll(HOST, '127.0.0.1'));
    expect([code, queue?.isFine]).toEqual([1, false]);
    expect(queue?.detail).toMatch(/its certificate is for another host name \(ERR_TLS_CERT_ALTNAME_INVALID\)/);
  }, 60_000);
});

/**
 * The sandbox with a customer's role, and the worker's own identity as the variables that it reads
 * it from.
 */
async function startAws() {
  const sandbox = createAwsSandbox();
  const user = { accountId: BASE_ACCOUNT, userName: 'keyferry-base' };
  sandbox.createAccount(BASE_ACCOUNT);
  sandbox.createAccount(ACCOUNT);
  sandbox.createUser({
    ...user,
    policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] },
  });
  sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'keyferry',
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId: 'acme' }),
    policy: [
      policyFor({ use: 'parameter-store', region: REGION, path: '/api/' }, { partition: 'aws', accountId: ACCOUNT }),
    ],
  });
  const key = sandbox.createAccessKey(user);
  const base = {
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  };
  return { base, aws: await startAwsSandboxServer(sandbox) };
}
