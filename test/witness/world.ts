/**
 * What all stories share: the emulator behind the proxy, boto3, a PostgreSQL server, a Redis
 * server, and one installation for each kind of queues.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { PYTHON, startMoto } from '../contract/moto.ts';
import { startRedis } from '../support/redis.ts';
import { createAccount, createBaseIdentity, type Account } from './account.ts';
import { startAwsProxy, type AwsProxy } from './aws/proxy.ts';
import { startBoto, type Boto, type Credentials } from './boto.ts';
import { openInstallation, type Installation, type Queues } from './installation.ts';

const REGION = 'eu-west-1';

export interface World {
  readonly proxy: AwsProxy;
  readonly boto: Boto;
  /** Past the proxy: moto as it is. */
  readonly rawBoto: Boto;
  readonly isMoto: boolean;
  /** Opened when first asked for, with its worker. */
  installation(queues: Queues): Promise<Installation>;
  /** Ends an installation that does not come to rest; the next story gets a new one. */
  discard(queues: Queues): Promise<void>;
  /** An AWS account that nobody used before. */
  account(): Promise<Account>;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** An emulator that runs already; without it moto is started. */
  readonly endpoint: string | undefined;
}

interface OpenInstallation {
  readonly installation: Installation;
  stop(): Promise<void>;
}

/** Throws with the reason where there is no emulator. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const emulator = await findEmulator(options.endpoint);
  const proxy = await startAwsProxy(emulator.url);
  const boto = startBoto(PYTHON, proxy.witnessUrl);
  const rawBoto = startBoto(PYTHON, emulator.url);
  const closeEmulator = async () => {
    await Promise.all([boto.close(), rawBoto.close()]);
    await proxy.close();
    await emulator.close();
  };
  const baseIdentity = await prepareEmulator(boto).catch(async (error: unknown) => {
    await closeEmulator();
    throw error;
  });
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-witness-'));
  const server = await startEmbeddedPostgres({
    directory,
    persistent: false,
    password: randomBytes(12).toString('hex'),
  });
  const opened = new Map<Queues, Promise<OpenInstallation>>();
  const open = async (queues: Queues): Promise<OpenInstallation> => {
    const redis = queues === 'redis' ? await startRedis({ appendOnly: false }) : undefined;
    const installation = await openInstallation({
      serverUrl: server.url,
      redisUrl: redis?.url,
      awsUrl: proxy.url,
      region: REGION,
      baseIdentity,
    });
    await installation.startWorker();
    return { installation, stop: async () => redis?.stop() };
  };
  const discard = async (queues: Queues): Promise<void> => {
    const found = await opened.get(queues);
    opened.delete(queues);
    found?.installation.killWorker();
    await found?.installation.close();
    await found?.stop();
  };
  let accounts = 0;
  return {
    proxy,
    boto,
    rawBoto,
    isMoto: options.endpoint === undefined,
    async installation(queues) {
      const found = opened.get(queues) ?? open(queues);
      opened.set(queues, found);
      return (await found).installation;
    },
    discard,
    account: () => createAccount({ boto, accountId: String(200_000_000_000 + (accounts += 1)), region: REGION }),
    async close() {
      for (const queues of [...opened.keys()]) await discard(queues);
      await closeEmulator();
      await server.stop();
    },
  };
}

/**
 * Every story has an account of its own, so the emulator must let anybody into any account, and
 * have IAM.
 */
async function prepareEmulator(boto: Boto): Promise<Credentials> {
  try {
    await createAccount({ boto, accountId: '200000000000', region: REGION });
    return await createBaseIdentity(boto);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new Error(
      `The emulator cannot be used: it must give credentials of any account to whoever asks, and let them make users and roles. ${reason}`,
    );
  }
}

async function findEmulator(endpoint: string | undefined): Promise<{ url: string; close(): Promise<void> }> {
  if (endpoint !== undefined) return { url: endpoint, close: async () => undefined };
  const moto = await startMoto();
  if ('missing' in moto) throw new Error(`moto could not be started: ${moto.missing}.`);
  return moto;
}
