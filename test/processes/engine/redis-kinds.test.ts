/**
 * Every kind of Redis that REDIS_URL can name does the whole job: with a password, with TLS, a
 * cluster, a master behind a sentinel.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { waitForAnswer } from '../../../src/client/waiting.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { hasRedis } from '../../support/backends.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { runKeyferry } from '../../support/processes.ts';
import { startRedis } from '../../support/redis.ts';
import { startRedisCluster, startRedisSentinel } from '../../support/redis-sets.ts';
import { addConnection, openEngine, type Engine } from '../../integration/engine/support.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

const PASSWORD = 'p@ss:word/1';

describe.skipIf(!hasRedis)('the kinds of Redis', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  async function open(redisUrl: string): Promise<Engine> {
    const engine = await openEngine(database.url, redisUrl);
    onTestFinished(() => engine.close());
    return engine;
  }

  async function doesTheJob(engine: Engine, name: string): Promise<void> {
    const { requestId } = await addConnection(engine.stores, name);
    const run = await waitForAnswer(engine.stores.requests, requestId, { timeoutMs: 25_000 });
    expect(run.status).toBe('succeeded');
  }

  it('a server with a password, whatever characters it has', async () => {
    const redis = await startRedis({ appendOnly: false, arguments: ['--requirepass', PASSWORD] });
    onTestFinished(() => redis.stop());
    const engine = await open(`redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${String(redis.port)}`);
    await engine.startWorker({});
    await doesTheJob(engine, 'password');
    const stranger = await open(`redis://:wrong@127.0.0.1:${String(redis.port)}`);
    await expect(stranger.backend.check()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  });

  it('a cluster of three masters', async () => {
    const cluster = await startRedisCluster();
    onTestFinished(() => cluster.stop());
    const engine = await open(cluster.url);
    expect(await engine.backend.check()).toEqual([]);
    await engine.startWorker({});
    await doesTheJob(engine, 'cluster');
  });

  it('a master behind a sentinel, and the replica that takes over from it', async () => {
    const set = await startRedisSentinel();
    onTestFinished(() => set.stop());
    const engine = await open(set.url);
    await engine.startWorker({});
    await doesTheJob(engine, 'before-the-failover');
    await set.servers[0]?.kill('SIGKILL');
    const { requestId } = await addConnection(engine.stores, 'during-the-failover');
    await setTimeout(3_000);
    expect((await waitForAnswer(engine.stores.requests, requestId, { timeoutMs: 70_000 })).status).toBe('succeeded');
  }, 100_000);

  it('TLS, with an authority of one’s own through NODE_EXTRA_CA_CERTS', async () => {
    const { certificate, key } = await makeCertificate();
    const redis = await startRedis({
      appendOnly: false,
      tls: { certificate, key },
    });
    onTestFinished(() => redis.stop());
    const environment = {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    };
    const examine = async (extra: Record<string, string>) => {
      const { stdout } = await runKeyferry(['doctor', '--json'], {
        environment: cleanEnvironment({ ...environment, ...extra }),
      });
      const findings = JSON.parse(stdout) as { part: string; isFine: boolean; detail: string }[];
      return findings.find((one) => one.part === 'queue (redis)');
    };
    expect(await examine({ NODE_EXTRA_CA_CERTS: certificate })).toMatchObject({ isFine: true });
    expect(await examine({})).toMatchObject({ isFine: false });
  }, 60_000);
});

async function openssl(parameters: readonly string[]): Promise<void> {
  await promisify(execFile)('openssl', parameters).catch((error: unknown) => {
    throw new Error(
      'This test makes a certificate with the program `openssl`. Install it (Debian: apt-get install openssl).',
      {
        cause: error,
      },
    );
  });
}

/** Self-signed, for one day and for 127.0.0.1 only. */
async function makeCertificate(): Promise<{ certificate: string; key: string }> {
  const folder = await createTemporaryDirectory('tls');
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await openssl([
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-keyout', key, '-out', certificate, ...subject],
  ]);
  return { certificate, key };
}
