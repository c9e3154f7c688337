/**
 * Two good roles and a foreign one in a sandbox, and a program with everything but a worker on it.
 */
import { createHash } from 'node:crypto';
import { pino } from 'pino';

import { loadConfig } from '../../../src/config/config.ts';
import type { Environment } from '../../../src/config/environment.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import { connect, type Keyferry } from '../../../src/index.ts';
import { compose, type Program } from '../../../src/main.ts';
import { createAwsSandbox, startAwsSandboxServer, type AwsSandbox } from '../../../src/sandbox/aws/index.ts';

const ACCOUNT = '444455556666';
const TOKEN = 'a-token-for-acme';

export const roleArn = (role: 'good' | 'better' | 'foreign') => `arn:aws:iam::${ACCOUNT}:role/${role}`;
export const assume = (role: Parameters<typeof roleArn>[0]) => ({
  method: 'assume-role' as const,
  roleArn: roleArn(role),
});

export interface ReplacementWorld {
  readonly sandbox: AwsSandbox;
  readonly program: Program;
  readonly library: Keyferry;
  /** A request to the program's server, with a token of the org. */
  api(method: string, path: string, call?: { body?: unknown; headers?: Record<string, string> }): Promise<Response>;
  close(): Promise<void>;
}

export async function createReplacementWorld(
  databaseUrl: string,
  settings: Environment = {},
): Promise<ReplacementWorld> {
  const sandbox = createAwsSandbox();
  const aws = await startAwsSandboxServer(sandbox);
  const encryptionKeys = generateEncryptionKey();
  const config = loadConfig({
    DATABASE_URL: databaseUrl,
    KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
    KEYFERRY_ORG: 'acme',
    KEYFERRY_HTTP_PORT: '0',
    KEYFERRY_API_TOKENS: `acme:ci:${createHash('sha256').update(TOKEN).digest('hex')}:admin`,
    AWS_ENDPOINT_URL: aws.url,
    ...createIdentities(sandbox),
    ...settings,
  });
  const program = compose(config, pino({ level: 'silent' }));
  await (await program.backend()).prepare();
  const server = await program.startServer();
  const library = await connect({ databaseUrl, encryptionKeys, org: 'acme', actor: 'app' });
  return {
    sandbox,
    program,
    library,
    api: (method, path, { body, headers } = {}) =>
      fetch(`${server.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async close() {
      await Promise.all([server.close(), library.close()]);
      await program.close();
      await aws.close();
    },
  };
}

function createIdentities(sandbox: AwsSandbox): Environment {
  const base = { accountId: '111122223333', userName: 'base' };
  sandbox.createAccount(base.accountId);
  sandbox.createAccount(ACCOUNT);
  sandbox.createUser({
    ...base,
    policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] },
  });
  const key = sandbox.createAccessKey(base);
  const place = { partition: 'aws', accountId: ACCOUNT };
  const policy = policyFor({ use: 'parameter-store', region: 'eu-west-1', path: '/a/' }, place);
  for (const [roleName, externalId] of [
    ['good', 'acme'],
    ['better', 'acme'],
    ['foreign', 'another-org'],
  ] as const) {
    const trust = trustPolicy({ partition: 'aws', baseAccountId: base.accountId, externalId });
    sandbox.createRole({ accountId: ACCOUNT, roleName, trustPolicy: trust, policy });
  }
  return {
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  };
}
