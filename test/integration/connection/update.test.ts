import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { loadConfig } from '../../../src/config/config.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import { compose, type Program } from '../../../src/main.ts';
import { createAwsSandbox, startAwsSandboxServer, type AwsSandboxServer } from '../../../src/sandbox/aws/index.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const ACCOUNT = '444455556666';
const arn = (role: string) => `arn:aws:iam::${ACCOUNT}:role/${role}`;

describe('a change of credentials', () => {
  const database = useTestDatabase();
  let aws: AwsSandboxServer;
  let program: Program;

  beforeAll(async () => {
    const sandbox = createAwsSandbox();
    aws = await startAwsSandboxServer(sandbox);
    const base = { accountId: '111122223333', userName: 'base' };
    sandbox.createAccount(base.accountId);
    sandbox.createAccount(ACCOUNT);
    sandbox.createUser({
      ...base,
      policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] },
    });
    const key = sandbox.createAccessKey(base);
    const policy = policyFor(
      { use: 'parameter-store', region: 'eu-west-1', path: '/a/' },
      { partition: 'aws', accountId: ACCOUNT },
    );
    for (const [roleName, externalId] of [
      ['good', 'acme'],
      ['foreign', 'another-org'],
    ] as const) {
      const trust = trustPolicy({ partition: 'aws', baseAccountId: base.accountId, externalId });
      sandbox.createRole({ accountId: ACCOUNT, roleName, trustPolicy: trust, policy });
    }
    const config = loadConfig({
      DATABASE_URL: database().url,
      KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
      KEYFERRY_ORG: 'acme',
      AWS_ENDPOINT_URL: aws.url,
      INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
      INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    });
    program = compose(config, pino({ level: 'silent' }));
    await program
      .client()
      .connections.create({ name: 'prod', credentials: { method: 'assume-role', roleArn: arn('good') } });
  });
  afterAll(async () => {
    await program.close();
    await aws.close();
  });

  it('that AWS refuses leaves the old ones in place, and says why', async () => {
    const { connections } = program.client();
    const before = await connections.get('prod');
    const change = connections.update('prod', { credentials: { method: 'assume-role', roleArn: arn('foreign') } });
    await expect(change).rejects.toMatchObject({
      code: 'CONNECTION_INVALID',
      publicMessage: expect.stringContaining('keeps its old ones'),
    });
    expect(await connections.get('prod')).toEqual(before);
  });

  it('that AWS refuses replaces them when it is forced', async () => {
    const { connections } = program.client();
    const updated = await connections.update(
      'prod',
      { credentials: { method: 'assume-role', roleArn: arn('foreign') } },
      { force: true },
    );
    expect(updated).toMatchObject({ roleArn: arn('foreign'), status: 'pending', credentialsRevision: 2 });
  });

  it('that AWS accepts replaces them and is validated again at once', async () => {
    const { connections } = program.client();
    const updated = await connections.update('prod', { credentials: { method: 'assume-role', roleArn: arn('good') } });
    expect(updated).toMatchObject({ roleArn: arn('good'), credentialsRevision: 3 });
    expect(updated.nextDueAt?.getTime()).toBeLessThanOrEqual(Date.now());
  });
});
