/** `sync create|update --replica-region REGION=KEY`, as a person gives it and sees it again. */
import { beforeAll, expect, it } from 'vitest';

import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { runKeyferry } from '../../support/processes.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

const database = useTestDatabase();
const keys = generateEncryptionKey('first');
let directory: string;
beforeAll(async () => {
  directory = await createTemporaryDirectory('replica-keys');
});

async function keyferry(...line: readonly string[]) {
  const environment = cleanEnvironment({ DATABASE_URL: database().url, KEYFERRY_ENCRYPTION_KEYS: keys });
  return runKeyferry(line, { environment, directory, input: 'A=1\n' }, 30_000);
}

const place = ['--project', 'shop', '--env', 'prod', '--path', '/api'];
const method = ['--method', 'assume-role', '--role-arn', 'arn:aws:iam::111122223333:role/keyferry'];

it('names a region with its key, and one without takes the key away', async () => {
  await keyferry('secrets', 'set', ...place);
  const connected = await keyferry('connection', 'create', '--name', 'aws', ...method, '--no-wait');
  expect(connected).toMatchObject({ code: 0 });
  const to = ['--connection', 'aws', '--to', 'secrets-manager', '--region', 'eu-west-1', '--prefix', 'shop/'];
  const replicas = ['--replica-region', 'eu-central-1', '--replica-region', 'us-east-1=alias/shop'];
  const created = await keyferry('sync', 'create', '--name', 's', ...place, ...to, ...replicas);
  expect([created.code, created.stdout]).toEqual([
    0,
    expect.stringContaining('replicas eu-central-1 us-east-1=alias/shop'),
  ]);
  const elsewhere = 'us-east-1=arn:aws:kms:us-west-2:111122223333:alias/shop';
  const refused = await keyferry('sync', 'update', 's', '--replica-region', elsewhere);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--replica-region must be a KMS key of')]);
  await keyferry('sync', 'update', 's', '--replica-region', 'us-east-1');
  const shown = await keyferry('sync', 'show', 's', '--json');
  const { syncOptions } = JSON.parse(shown.stdout) as { syncOptions: Record<string, unknown> };
  expect([syncOptions['replicaRegions'], syncOptions['replicaKeys']]).toEqual([['us-east-1'], undefined]);
}, 120_000);

it('prints what the keys of replicas need', async () => {
  const keysOfReplicas = ['--replica-key', 'us-east-1=alias/shop', '--account', '111122223333'];
  const printed = await keyferry('policy', 'secrets-manager', '--region', 'eu-west-1', ...keysOfReplicas);
  expect(printed.stdout).toContain('"Sid": "KeyferryReplicaKeys"');
  expect(printed.stdout).toContain('arn:aws:kms:us-east-1:111122223333:key/*');
  const refused = await keyferry('policy', 'secrets-manager', '--replica-key', 'alias/shop');
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('must be a region and its key')]);
}, 60_000);
