/**
 * To KMS and back while everything runs, the processes that know of it, and a start while KMS is
 * away.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { loadConfig } from '../../../src/config/config.ts';
import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { createFolders } from '../../../src/db/folders.ts';
import { connect } from '../../../src/index.ts';
import { compose } from '../../../src/main.ts';
import { createLog } from '../../../src/observe/log.ts';
import { startAwsSandboxServer, type AwsSandboxServer } from '../../../src/sandbox/aws/index.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { runKeyferry, startKeyferry } from '../../support/processes.ts';
import { HERE, type Kms, LOCAL, openKms } from '../../integration/kms/support.ts';

const database = useTestDatabase();
let handle: DatabaseHandle;
let kms: Kms;
let server: AwsSandboxServer;
beforeAll(async () => {
  handle = openDatabase(database().url, { poolSize: 3 });
  kms = openKms(handle.db);
  server = await startAwsSandboxServer(kms.sandbox);
});
afterAll(async () => {
  await server.close();
  await handle.close();
});

const ORGS = ['one', 'two', 'three', 'four'].map((name) => `org-${name}`);
const KEYS_EACH = 30;

function settings(kmsKeys: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { accessKeyId, secretAccessKey } = kms.baseKey;
  return cleanEnvironment({
    DATABASE_URL: database().url,
    KEYFERRY_ENCRYPTION_KEYS: `${LOCAL.id}:${LOCAL.key.toString('base64')}`,
    KEYFERRY_KMS_KEY_ARN: kmsKeys,
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: HERE.region,
    AWS_ENDPOINT_URL: server.url,
    ...more,
  });
}

const where = { projectId: 'app', environment: 'prod', secretPath: '/' };

async function writeAll(kmsKeys: readonly string[], values: Readonly<Record<string, string>>): Promise<void> {
  const folders = createFolders(handle.db, kms.encryption({ keys: kmsKeys }));
  for (const orgId of ORGS) {
    const changes = Object.entries(values).map(([key, value]) => ({ key, value: `${orgId} ${value}` }));
    await folders.change(await folders.ensure(orgId, where), changes, 'merge');
  }
}

async function readAll(kmsKeys: readonly string[]): Promise<readonly string[]> {
  const folders = createFolders(handle.db, kms.encryption({ keys: kmsKeys }));
  const found: string[] = [];
  for (const orgId of ORGS) {
    const { secrets } = await folders.read((await folders.ensure(orgId, where)).id);
    for (const secret of secrets) found.push('value' in secret ? secret.value : secret.error.code);
  }
  return found.sort();
}

const usage = async (): Promise<Readonly<Record<string, number>>> => {
  const rows = await handle.client`
    select split_part(value, '.', 2) as key, count(*)::int as n from keyferry.secrets group by 1`;
  return Object.fromEntries(rows.map(({ key, n }) => [String(key), Number(n)]));
};

const rewrap = async (kmsKeys: string) => {
  const ended = await runKeyferry(['keys', 'rewrap', '--json'], { environment: settings(kmsKeys) }, 60_000);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(ended.stdout) as { rows: number; failed: string[] };
};

const values = Object.fromEntries(
  Array.from({ length: KEYS_EACH }, (_, at) => [`KEY_${String(at)}`, `value ${String(at)}`]),
);
const total = ORGS.length * KEYS_EACH;
const expected = (): string[] => ORGS.flatMap((orgId) => Object.values(values).map((one) => `${orgId} ${one}`)).sort();

test('rewrap that is killed half-way leaves everything readable, and goes on where it was', async () => {
  const { arn } = kms.key;
  await writeAll(['local'], values);
  expect(await usage()).toEqual({ [LOCAL.id]: total });
  // The third org's data key does not come.
  kms.sandbox.faults.add({ service: 'kms', operation: 'GenerateDataKey', nth: 3, action: { delayMs: 30_000 } });
  const killed = startKeyferry(['keys', 'rewrap'], { environment: settings(arn) });
  while (((await usage())[arn] ?? 0) < 2 * KEYS_EACH) await sleep(50);
  await killed.kill();
  kms.sandbox.faults.clear();
  expect(await usage()).toEqual({ [arn]: 2 * KEYS_EACH, [LOCAL.id]: total - 2 * KEYS_EACH });

  // Workers of before and after the move are at work meanwhile.
  expect(await readAll(['local', arn])).toEqual(expected());
  expect(await readAll([arn])).toEqual(expected());
  await writeAll([arn], { KEY_1: 'changed' });
  await writeAll([arn], { KEY_1: 'value 1' });
  const left = (await usage())[LOCAL.id] ?? 0;
  expect(left).toBe((ORGS.length - 2) * (KEYS_EACH - 1));

  const { rows, failed } = await rewrap(arn);
  expect(failed).toEqual([]);
  expect(rows).toBe(left);
  expect(await usage()).toEqual({ [arn]: total });
  expect(await readAll([arn])).toEqual(expected());
  expect((await rewrap(arn)).rows).toBe(0);
}, 120_000);

test('rewrap goes from one KMS key to another, and back to local keys', async () => {
  const [{ arn }, other] = [kms.key, kms.other];
  await writeAll([arn], values);
  await rewrap(`${other.arn},${arn}`);
  expect(await usage()).toEqual({ [other.arn]: total });
  kms.sandbox.setKmsKeyState({ ...HERE, keyId: kms.key.keyId, state: 'PendingDeletion' });
  expect(await readAll([other.arn])).toEqual(expected());
  await rewrap(`local,${other.arn}`);
  expect(await usage()).toEqual({ [LOCAL.id]: total });
  kms.sandbox.setKmsKeyState({ ...HERE, keyId: kms.other.keyId, state: 'PendingDeletion' });
  expect(await readAll(['local', arn])).toEqual(expected());
  for (const { keyId } of [kms.key, kms.other]) kms.sandbox.setKmsKeyState({ ...HERE, keyId, state: 'Enabled' });
}, 120_000);

test('rewrap stops where KMS does, names it, and calls no row broken', async () => {
  await writeAll(['local'], values);
  kms.sandbox.faults.add({ service: 'kms', action: 'drop-before' });
  const ended = await runKeyferry(['keys', 'rewrap'], { environment: settings(kms.key.arn) }, 60_000);
  kms.sandbox.faults.clear();
  expect([ended.code, ended.stdout, ended.stderr]).toEqual([1, '', expect.stringContaining('KMS_UNAVAILABLE')]);
  expect(await usage()).toEqual({ [LOCAL.id]: total });
}, 60_000);

test('keys check and doctor tell which rows hang on which key, and what is wrong with it', async () => {
  const { arn } = kms.key;
  await writeAll(['local'], values);
  await writeAll([arn], { KEY_0: 'under KMS' });
  const environment = settings(`${arn},${kms.other.arn}`);
  const checked = await runKeyferry(['keys', 'check'], { environment }, 60_000);
  expect(checked.code).toBe(0);
  expect(checked.stdout).toMatch(new RegExp(`${arn} +\\d+ +yes`));
  expect(checked.stdout).toMatch(/test +\d+ +yes/);
  const well = await runKeyferry(['doctor'], { environment }, 60_000);
  expect(well.stdout).toContain(`KMS key ${arn}`);
  expect(well.stdout).toMatch(new RegExp(`${arn}: \\d+ rows`));
  kms.sandbox.setKmsKeyState({ ...HERE, keyId: kms.key.keyId, state: 'PendingDeletion' });
  const ill = await runKeyferry(['doctor'], { environment }, 60_000);
  kms.sandbox.setKmsKeyState({ ...HERE, keyId: kms.key.keyId, state: 'Enabled' });
  expect(ill.code).toBe(1);
  expect(ill.stdout).toContain('is pending deletion.');
  const missing = await runKeyferry(['keys', 'check'], { environment: settings(kms.other.arn) }, 60_000);
  expect([missing.code, missing.stderr]).toEqual([
    2,
    expect.stringContaining(`KEYFERRY_KMS_KEY_ARN lacks keys that are in use: ${arn}`),
  ]);
}, 120_000);

test('a process that starts while KMS is away says what waits, and does the rest', async () => {
  await writeAll([kms.key.arn], values);
  const environment = settings(kms.key.arn, {
    AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:9',
    KEYFERRY_ORG: ORGS[0] ?? '',
  });
  const program = compose(loadConfig(environment), createLog({ level: 'silent' }));
  try {
    await (await program.backend()).prepare();
    const [warning] = await program.checkReady();
    expect(warning).toMatch(/^KMS_UNAVAILABLE: .*kms:Decrypt.*waits: .*go on, and everything resumes by itself\.$/s);
    const client = program.client();
    const { connection } = await client.connections.create({
      name: `role-${randomBytes(4).toString('hex')}`,
      credentials: { method: 'assume-role', roleArn: 'arn:aws:iam::222233334444:role/x' },
    });
    expect(connection.status).toBe('pending');
    expect(await client.secrets.list(where)).toHaveLength(KEYS_EACH);
    await expect(client.secrets.set(where, { values: { NEW: 'canary' } })).rejects.toMatchObject({
      code: 'KMS_UNAVAILABLE',
    });
  } finally {
    await program.close();
  }
}, 60_000);

test('an application encrypts with KMS through the library, as whoever its process is', async () => {
  const { accessKeyId, secretAccessKey } = kms.baseKey;
  for (const [name, value] of Object.entries({
    AWS_ENDPOINT_URL_KMS: server.url,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }))
    vi.stubEnv(name, value);
  const keyferry = await connect({
    databaseUrl: database().url,
    encryptionKeys: `${LOCAL.id}:${LOCAL.key.toString('base64')}`,
    kmsKeyArn: kms.key.arn,
    org: ORGS[0] ?? '',
  });
  try {
    await keyferry.secrets.set(where, { values: { KEY_0: 'of the library' } });
  } finally {
    await keyferry.close();
    vi.unstubAllEnvs();
  }
  expect(await readAll([kms.key.arn])).toContain('of the library');
}, 60_000);
