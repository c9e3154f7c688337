/**
 * An installation as operators have it: `keyferry worker` and `keyferry server` as processes,
 * PostgreSQL, Redis, and the AWS sandbox instead of AWS.
 */
import { createHash } from 'node:crypto';

import { trustPolicy } from '../../../src/domain/policy/policies.ts';
import { connect, generateEncryptionKey, type Keyferry } from '../../../src/index.ts';
import { createQueueBackend, type QueueBackend } from '../../../src/queues/backend.ts';
import { createAwsSandbox, startAwsSandboxServer, type AwsSandbox } from '../../../src/sandbox/aws/index.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../../support/processes.ts';
import { startRedis } from '../../support/redis.ts';

export const LOGIN = { username: 'operator', password: 'correct horse battery staple' } as const;
const BASE_ACCOUNT = '111122223333';
export const ACCOUNT = '444455556666';
const ROLE = { accountId: ACCOUNT, roleName: 'keyferry' } as const;

export interface Installation {
  readonly url: string;
  readonly sandbox: AwsSandbox;
  /** As another program that adds jobs. */
  readonly queues: QueueBackend;
  /** The library, as org `acme`. */
  readonly keyferry: Keyferry;
  /** Makes the role trust keyferry under this external ID. */
  trust(externalId: string): void;
  tokenOf(org: 'acme' | 'globex'): string;
  /** Of worker, server and commands. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends worker and server. */
  stopProcesses(): Promise<void>;
  stop(): Promise<void>;
}

export interface InstallationOptions {
  /** Default: Redis. */
  readonly queue?: 'redis' | 'postgres';
  /** Further variables of worker and server. */
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const database = await createTestDatabase();
  const redis = options.queue === 'postgres' ? undefined : await startRedis();
  const sandbox = createAwsSandbox();
  const aws = await startAwsSandboxServer(sandbox);
  const keys = generateEncryptionKey();
  const environment = cleanEnvironment({
    DATABASE_URL: database.url,
    ...(redis && { REDIS_URL: redis.url }),
    KEYFERRY_ENCRYPTION_KEYS: keys,
    KEYFERRY_HTTP_PORT: '0',
    KEYFERRY_BOARD_USER: LOGIN.username,
    KEYFERRY_BOARD_PASSWORD: LOGIN.password,
    KEYFERRY_BOARD_WRITABLE: 'true',
    KEYFERRY_API_TOKENS: ['acme', 'globex'].map((org) => `${org}:e2e:${sha256(tokenOf(org))}:admin`).join(','),
    AWS_ENDPOINT_URL: aws.url,
    AWS_REGION: 'eu-west-1',
    ...createBaseUser(sandbox),
    ...options.environment,
  });
  if (redis === undefined) await runKeyferry(['migrate'], { environment });
  const worker = startUnboundKeyferry(['worker'], { environment });
  const server = startUnboundKeyferry(['server'], { environment });
  await worker.waitForLine(/worker started/);
  const line = await server.waitForLine(/server started/);
  const keyferry = await connect({ databaseUrl: database.url, encryptionKeys: keys, org: 'acme', actor: 'upstream' });
  createRole(sandbox);
  const queues = await createQueueBackend({ databaseUrl: database.url, redisUrl: redis?.url });
  const stopProcesses = async () => {
    await Promise.all([end(worker), end(server)]);
  };
  return {
    queues,
    url: /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? '',
    sandbox,
    keyferry,
    trust: (externalId) => {
      sandbox.setRoleTrust({
        ...ROLE,
        trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId }),
      });
    },
    tokenOf,
    environment,
    stopProcesses,
    async stop() {
      await Promise.all([keyferry.close(), queues.close()]);
      await stopProcesses();
      await aws.close();
      await redis?.stop();
      await database.drop();
    },
  };
}

/** As a supervisor does: politely first. */
async function end(process: TestProcess): Promise<void> {
  process.signal('SIGTERM');
  await process.waitForExit(10_000).catch(() => undefined);
  await process.kill();
}

function tokenOf(org: string): string {
  return `end-to-end-token-of-${org}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function createBaseUser(sandbox: AwsSandbox) {
  const user = { accountId: BASE_ACCOUNT, userName: 'keyferry-base' };
  sandbox.createAccount(BASE_ACCOUNT);
  const statement = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' } as const;
  sandbox.createUser({ ...user, policy: { Version: '2012-10-17', Statement: [statement] } });
  const key = sandbox.createAccessKey(user);
  return {
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  };
}

/** Trusts keyferry, but under another org's external ID: the mistake that the tests begin with. */
function createRole(sandbox: AwsSandbox): void {
  sandbox.createAccount(ACCOUNT);
  const statement = { Effect: 'Allow', Action: ['ssm:*', 'kms:*'], Resource: '*' } as const;
  sandbox.createRole({
    ...ROLE,
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId: 'somebody-else' }),
    policy: [{ Version: '2012-10-17', Statement: [statement] }],
  });
}
