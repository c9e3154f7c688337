/**
 * The program of the release before, for real, beside the schema of this one and the reverse. Left
 * out by name where git has no history.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { generateEncryptionKey } from '../../src/config/encryption-key.ts';
import { trustPolicy } from '../../src/domain/policy/policies.ts';
import { connect, type Keyferry } from '../../src/index.ts';
import { createAwsSandbox, startAwsSandboxServer } from '../../src/sandbox/aws/index.ts';
import { cleanEnvironment } from '../support/environment.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/postgres.ts';
import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../support/processes.ts';
import { createFirstSync, place } from './support/first-sync.ts';
import { findPreviousRelease, type PreviousRelease, unpackRelease } from './support/previous-release.ts';

const BASE_ACCOUNT = '111122223333';
const ACCOUNT = '444455556666';
const LIMIT_MS = 60_000;
const found = await findPreviousRelease();

describe.skipIf(typeof found === 'string')(
  typeof found === 'string' ? `an upgrade (left out: ${found})` : `an upgrade from ${found.commit.slice(0, 7)}`,
  () => {
    const sandbox = createAwsSandbox();
    const workers: TestProcess[] = [];
    let aws: Awaited<ReturnType<typeof startAwsSandboxServer>>;
    let database: TestDatabase;
    let previous: PreviousRelease;
    let environment: Readonly<Record<string, string>>;
    let keyferry: Keyferry | undefined;

    beforeAll(async () => {
      if (typeof found === 'string') return;
      [aws, database, previous] = await Promise.all([
        startAwsSandboxServer(sandbox),
        createEmptyDatabase(),
        unpackRelease(found),
      ]);
      environment = cleanEnvironment({
        DATABASE_URL: database.url,
        KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
        AWS_ENDPOINT_URL: aws.url,
        AWS_REGION: 'eu-west-1',
        ...furnish(),
      });
    });

    afterAll(async () => {
      for (const worker of workers) await worker.kill();
      await keyferry?.close();
      await Promise.all([aws.close(), database.drop(), previous.remove()]);
    });

    /** A base user, and a role that trusts it. */
    function furnish() {
      const user = { accountId: BASE_ACCOUNT, userName: 'keyferry-base' };
      const allow = (Action: string | string[]) => ({ Effect: 'Allow', Action, Resource: '*' }) as const;
      sandbox.createAccount(BASE_ACCOUNT);
      sandbox.createAccount(ACCOUNT);
      sandbox.createUser({ ...user, policy: { Version: '2012-10-17', Statement: [allow('sts:AssumeRole')] } });
      sandbox.createRole({
        accountId: ACCOUNT,
        roleName: 'keyferry',
        trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId: 'acme' }),
        policy: [{ Version: '2012-10-17', Statement: [allow(['ssm:*', 'kms:*'])] }],
      });
      const key = sandbox.createAccessKey(user);
      return {
        INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
        INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
      };
    }

    async function started(worker: TestProcess): Promise<TestProcess> {
      workers.push(worker);
      await worker.waitForLine(/worker started/, LIMIT_MS);
      return worker;
    }

    async function stop(worker: TestProcess): Promise<void> {
      worker.signal('SIGTERM');
      expect((await worker.waitForExit(LIMIT_MS)).code).toBe(0);
    }

    const startPrevious = () => started(previous.start(['worker'], { environment }));
    const valueAtAws = () =>
      sandbox.inspect.parameter({ accountId: ACCOUNT, region: 'eu-west-1', name: '/shop/prod/DB_HOST' })?.value;

    async function write(value: string): Promise<void> {
      await keyferry?.secrets.set(place, { values: { DB_HOST: value } });
      await expect.poll(valueAtAws, { timeout: LIMIT_MS }).toBe(value);
    }

    it(
      'keeps this release from the schema of the one before, and names the command',
      { timeout: 180_000 },
      async () => {
        expect((await previous.run(['migrate'], { environment }, LIMIT_MS)).code).toBe(0);
        const early = await runKeyferry(['worker'], { environment }, LIMIT_MS);
        expect([early.code === 0, early.stdout + early.stderr]).toEqual([
          false,
          expect.stringMatching(/Run `keyferry migrate`[^]*DB_NOT_MIGRATED/) as string,
        ]);
        const plan = await runKeyferry(['migrate', '--plan'], { environment }, LIMIT_MS);
        expect(plan.stdout).toContain(previous.missing);
      },
    );

    it('lets workers of the release before go on, and start again, beside new ones', { timeout: 240_000 }, async () => {
      const before = await startPrevious();
      const migrated = await runKeyferry(['migrate'], { environment }, LIMIT_MS);
      expect([migrated.code, migrated.code === 0 ? '' : migrated.stderr]).toEqual([0, '']);
      keyferry = await connect({
        databaseUrl: database.url,
        encryptionKeys: environment['KEYFERRY_ENCRYPTION_KEYS'] ?? '',
        org: 'acme',
        actor: 'upstream',
      });
      await createFirstSync(keyferry, ACCOUNT);
      expect(valueAtAws()).toBe('first');
      await stop(before);
      const again = await startPrevious();
      await write('second');
      await started(startUnboundKeyferry(['worker'], { environment }));
      await write('third');
      await stop(again);
      await write('fourth');
    });
  },
);
