/** An installation as operators have it: `keyferry worker` and `keyferry server` as processes, PostgreSQL, Redis, and the AWS sandbox instead of AWS. */
import { createHash } from 'node:crypto';

import { trustPolicy } from '../../../src/domain/policies.ts';
import { connect, generateEncryptionKey, type Keyferry } from '../../../src/index.ts';
import { createAwsSandbox, startAwsSandboxServer, type AwsSandbox } from '../../../src/sandbox/aws/index.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { startUnboundKeyferry } from '../../support/processes.ts';
import { startRedis } from '../../support/redis.ts';

export const LOGIN = { username: 'operator', password: 'correct horse battery staple' } as const;
const BASE_ACCOUNT = '111122223333';
export const ACCOUNT = '444455556666';
export const ROLE = { accountId: ACCOUNT, roleName: 'keyferry' } as const;

export interface Installation {
  readonly url: string;
  readonly sandbox: AwsSandbox;
  /** The library, as org `acme`. */
  readonly keyferry: Keyferry;
  /** Makes the role trust keyferry under this external ID. */
  trust(externalId: string): void;
  tokenOf(org: 'acme' | 'globex'): string;
  stop(): Promise<void>;
}

export async function startInstallation(): Promise<Installation> {
  const database = await createTestDatabase();
  const redis = await startRedis();
  const sandbox = createAwsSandbox();
  const aws = await startAwsSandboxServer(sandbox);
  const keys = generateEncryptionKey();
  const environment = cleanEnvironment({
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    KEYFERRY_ENCRYPTION_KEYS: keys,
    KEYFERRY_HTTP_PORT: '0',
    KEYFERRY_BOARD_USER: LOGIN.username,
    KEYFERRY_BOARD_PASSWORD: LOGIN.password,
    KEYFERRY_BOARD_WRITABLE: 'true',
    KEYFERRY_API_TOKENS: ['acme', 'globex'].map((org) => `${org}:e2e:${sha256(tokenOf(org))}:admin`).join(','),
    AWS_ENDPOINT_URL: aws.url,
    AWS_REGION: 'eu-west-1',
    ...createBaseUser(sandbox),
  });
  const worker = startUnboundKeyferry(['worker'], { environment });
  const server = startUnboundKeyferry(['server'], { environment });
  await worker.waitForLine(/worker started/);
  const line = await server.waitForLine(/server started/);
  const keyferry = await connect({ databaseUrl: database.url, encryptionKeys: keys, org: 'acme', actor: 'upstream' });
  createRole(sandbox);
  return {
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
    async stop() {
      await keyferry.close();
      await Promise.all([worker.kill(), server.kill()]);
      await aws.close();
      await redis.stop();
      await database.drop();
    },
  };
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
