/**
 * What is encrypted with data keys of AWS KMS: how often KMS is asked, what opens where, and what a
 * fault of KMS comes to.
 */
import { beforeEach, expect, test } from 'vitest';

import { secretPlace } from '../../../src/db/encryption.ts';
import { createEncryptionKeys } from '../../../src/db/encryption-keys.ts';
import { createFolders } from '../../../src/db/folders.ts';
import type { DataKeyService } from '../../../src/domain/data-keys.ts';
import type { PolicyDocument } from '../../../src/sandbox/aws/index.ts';
import type { Stage } from '../../support/stage.ts';
import { useStage } from '../../support/use-stage.ts';
import { allow, createWorld, HOUR } from '../sync/world.ts';
import { HERE, type Kms, openKms } from './support.ts';

const stage = useStage();
let kms: Kms;
beforeEach(() => {
  kms = openKms(stage.handle.db);
});

const inKms = (options = {}): Stage => ({ ...stage, encryption: kms.encryption(options) });
const place = (orgId: string, key = 'A', revision = 2) => secretPlace({ orgId, folderId: 'f', key, revision });
const newOrg = () => `org-${crypto.randomUUID()}`;
const undecryptable = { code: 'SECRET_UNDECRYPTABLE' };

test('1,000 secrets are written with one call of KMS, and synced by another process with one', async () => {
  const world = await createWorld(inKms());
  const names = Array.from({ length: 1_000 }, (_, at) => `KEY_${String(at)}`);
  await world.set(Object.fromEntries(names.map((name) => [name, `value of ${name}`])));
  expect(kms.takeCalls()).toEqual({ GenerateDataKey: 1 });
  const { id } = await world.createSync();
  const worker = world.workerOf(inKms(), world.clock);
  expect((await worker.runUntilDone(id)).outcome.status).toBe('succeeded');
  expect(kms.takeCalls()).toEqual({ Decrypt: 1 });
  expect(Object.keys(world.parameters())).toHaveLength(1_000);
}, 120_000);

test('processes share the data key of an org, so that what many of them wrote opens with one call', async () => {
  const orgId = newOrg();
  const where = { projectId: 'app', environment: 'prod', secretPath: '/' };
  for (const key of ['A', 'B', 'C', 'D']) {
    const folders = createFolders(stage.handle.db, kms.encryption());
    await folders.change(await folders.ensure(orgId, where), [{ key, value: key }], 'merge');
  }
  kms.takeCalls();
  const reader = createFolders(stage.handle.db, kms.encryption());
  const { secrets } = await reader.read((await reader.ensure(orgId, where)).id);
  expect(secrets.map((one) => 'value' in one && one.value)).toEqual(['A', 'B', 'C', 'D']);
  expect(kms.takeCalls()).toEqual({ Decrypt: 1 });
});

test('two processes that begin at once keep one data key', async () => {
  const orgId = newOrg();
  const writers = Array.from({ length: 8 }, () => kms.encryption());
  await Promise.all(writers.map((one) => one.encrypt('first', place(orgId))));
  const later = await Promise.all(
    writers.map(async (one) => (await one.encrypt('second', place(orgId))).split('.')[2]),
  );
  expect(new Set(later).size).toBe(1);
});

test('a ciphertext opens in its own place and org only, and KMS itself refuses another org’s data key', async () => {
  const [acme, globex] = [newOrg(), newOrg()];
  const ciphertext = await kms.encryption().encrypt('value', place(acme));
  const reader = kms.encryption();
  expect(await reader.decrypt(ciphertext, place(acme))).toBe('value');
  for (const other of [place(acme, 'B'), place(acme, 'A', 1), { ...place(acme), table: 'connections' }])
    await expect(reader.decrypt(ciphertext, other)).rejects.toMatchObject(undecryptable);
  kms.takeCalls();
  // It is in the reader's memory for the org that owns it, and still not for another.
  await expect(reader.decrypt(ciphertext, place(globex))).rejects.toMatchObject({
    ...undecryptable,
    message: expect.stringContaining('is not one that') as string,
  });
  expect(kms.sandbox.calls.list({ service: 'kms' })).toMatchObject([
    { outcome: 'InvalidCiphertextException', parameters: { EncryptionContext: { keyferry: 'data key', org: globex } } },
  ]);
});

test('the data key of one ciphertext in front of another, or changed, opens nothing', async () => {
  const orgId = newOrg();
  const [one, other] = await Promise.all(
    [kms.encryption(), kms.encryption({ keys: [kms.other.arn] })].map((by) => by.encrypt('value', place(orgId))),
  );
  const reader = kms.encryption({ keys: [kms.key.arn, kms.other.arn] });
  const [version, arn = '', wrapped = '', sealed] = (one ?? '').split('.');
  const [, otherArn, otherWrapped] = (other ?? '').split('.');
  const broken = `${wrapped.slice(0, -2)}${wrapped.endsWith('AA') ? 'BB' : 'AA'}`;
  for (const head of [
    [version, otherArn, otherWrapped],
    [version, otherArn, wrapped],
    [version, arn, otherWrapped],
    [version, arn, broken],
    ['v1', arn, wrapped],
  ])
    await expect(reader.decrypt([...head, sealed].join('.'), place(orgId))).rejects.toMatchObject(undecryptable);
});

test('a row cannot bring along a KMS key that is not configured', async () => {
  const orgId = newOrg();
  const foreign = await kms.encryption({ keys: [kms.other.arn] }).encrypt('forged', place(orgId));
  kms.takeCalls();
  await expect(kms.encryption().decrypt(foreign, place(orgId))).rejects.toMatchObject({
    ...undecryptable,
    message: expect.stringContaining('is not in KEYFERRY_KMS_KEY_ARN') as string,
  });
  expect(kms.takeCalls()).toEqual({});
});

test('a data key is kept for an hour: then KMS is asked again, and may refuse', async () => {
  const orgId = newOrg();
  let nowMs = 0;
  const encryption = kms.encryption({ nowMs: () => nowMs });
  const ciphertext = await encryption.encrypt('value', place(orgId));
  kms.sandbox.setKmsKeyState({ ...HERE, keyId: kms.key.keyId, state: 'Disabled' });
  nowMs = HOUR - 1;
  expect(await encryption.decrypt(ciphertext, place(orgId))).toBe('value');
  await encryption.encrypt('value', place(orgId));
  nowMs = 2 * HOUR;
  await expect(encryption.decrypt(ciphertext, place(orgId))).rejects.toMatchObject({ code: 'KMS_KEY_UNUSABLE' });
  await expect(encryption.encrypt('value', place(orgId))).rejects.toMatchObject({ code: 'KMS_KEY_UNUSABLE' });
});

const without = (...actions: readonly string[]): PolicyDocument =>
  allow(['kms:GenerateDataKey', 'kms:Decrypt', 'kms:DescribeKey'].filter((one) => !actions.includes(one)));

test.each([
  [
    'a policy without kms:GenerateDataKey',
    { policy: ['kms:GenerateDataKey'] },
    'encrypt',
    'KMS_DENIED',
    /denied kms:GenerateDataKey on arn:.*base-user --kms-key/,
  ],
  ['a policy without kms:Decrypt', { policy: ['kms:Decrypt'] }, 'decrypt', 'KMS_DENIED', /denied kms:Decrypt on arn:/],
  ['a disabled key', { state: 'Disabled' }, 'decrypt', 'KMS_KEY_UNUSABLE', /key\/[0-9a-f-]+ is disabled\.$/],
  [
    'a key that is to be deleted',
    { state: 'PendingDeletion' },
    'encrypt',
    'KMS_KEY_UNUSABLE',
    /is pending deletion\.$/,
  ],
  [
    'a key that is to be deleted, without kms:DescribeKey',
    { state: 'PendingDeletion', policy: ['kms:DescribeKey'] },
    'encrypt',
    'KMS_KEY_UNUSABLE',
    /state that does not permit/,
  ],
  [
    'a key that is gone',
    { fault: { error: { code: 'NotFoundException' } } },
    'decrypt',
    'KMS_KEY_UNUSABLE',
    /is not there, or deleted/,
  ],
  ['an outage', { fault: 'drop-before' }, 'decrypt', 'KMS_UNAVAILABLE', /^AWS KMS gave no answer to kms:Decrypt/],
  [
    'an error of KMS',
    { fault: { error: { code: 'KMSInternalException', status: 500 } } },
    'encrypt',
    'KMS_UNAVAILABLE',
    /status 500/,
  ],
  ['throttling', { fault: 'throttle' }, 'decrypt', 'KMS_UNAVAILABLE', /throttled/],
  ['a page of a proxy', { fault: 'html' }, 'decrypt', 'KMS_UNAVAILABLE', /gave no answer/],
] as const)('%s is told as what it is, and waits', async (_what, trouble, act, code, message) => {
  const orgId = newOrg();
  const ciphertext = await kms.encryption().encrypt('value', place(orgId));
  if ('policy' in trouble) kms.setPolicy(without(...trouble.policy));
  if ('state' in trouble) kms.sandbox.setKmsKeyState({ ...HERE, keyId: kms.key.keyId, state: trouble.state });
  if ('fault' in trouble) kms.sandbox.faults.add({ service: 'kms', action: trouble.fault });
  const fresh = kms.encryption();
  const work = act === 'decrypt' ? fresh.decrypt(ciphertext, place(orgId)) : fresh.encrypt('value', place(newOrg()));
  await expect(work).rejects.toMatchObject({
    code,
    disposition: 'snooze',
    publicMessage: expect.stringMatching(message) as string,
  });
});

test('a sync waits for KMS, spends no attempt and changes nothing, then goes on by itself', async () => {
  const world = await createWorld(inKms());
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  const stop = kms.sandbox.faults.add({ service: 'kms', action: 'drop-before' });
  const worker = world.workerOf(inKms(), world.clock);
  const { outcome } = await worker.runOnce(id);
  expect(outcome).toMatchObject({ status: 'continued', waitsFor: { code: 'KMS_UNAVAILABLE' } });
  const [row] = await stage.handle
    .client`select sync_status as status, attempt, status_code from keyferry.syncs where id = ${id}`;
  expect(row).toMatchObject({ status: 'pending', attempt: 0, status_code: null });
  expect(world.parameters()).toEqual({});
  stop();
  expect((await worker.runUntilDone(id)).outcome.status).toBe('succeeded');
  expect(Object.keys(world.parameters())).toHaveLength(2);
  expect(kms.told).toEqual(['KMS_UNAVAILABLE', undefined]);
});

test('a sync waits for the KMS key of a single secret, too, and calls no entry broken', async () => {
  const world = await createWorld(inKms());
  await world.set({ A: '1' });
  const both = { keys: [kms.other.arn, kms.key.arn] };
  await createFolders(stage.handle.db, kms.encryption(both)).change(
    await world.folders.get(world.folder.id),
    [{ key: 'B', value: '2' }],
    'merge',
  );
  const { id } = await world.createSync();
  const match = { parametersInclude: kms.other.keyId };
  const stop = kms.sandbox.faults.add({ service: 'kms', match, action: 'drop-before' });
  const worker = world.workerOf({ ...stage, encryption: kms.encryption(both) }, world.clock);
  const { outcome } = await worker.runOnce(id);
  expect(outcome).toMatchObject({ status: 'continued', waitsFor: { code: 'KMS_UNAVAILABLE' } });
  expect((await world.entries(id)).filter(({ errorCode }) => errorCode !== null)).toEqual([]);
  stop();
  expect((await worker.runUntilDone(id)).outcome.status).toBe('succeeded');
  world.meddled('the world itself does not know the second key');
});

test('a start finds rows that KMS does not open now, and says so without ending', async () => {
  const world = await createWorld(inKms());
  await world.set({ A: '1' });
  kms.sandbox.faults.add({ service: 'kms', action: 'drop-before' });
  const keys = createEncryptionKeys(stage.handle.db, kms.encryption({ keys: [kms.key.arn, kms.other.arn] }));
  // Keys of other tests of this file are in the database, too.
  const usage = await keys.usage();
  expect(usage.find(({ keyId }) => keyId === kms.key.arn)).toMatchObject({ isConfigured: true });
  const foreign = usage.filter(({ isConfigured }) => !isConfigured);
  if (foreign.length > 0) await expect(keys.requireAll()).rejects.toMatchObject({ code: 'DB_KEY_MISSING' });
  const all = usage.map(({ keyId }) => keyId).filter((keyId) => keyId.startsWith('arn:'));
  const complete = createEncryptionKeys(stage.handle.db, kms.encryption({ keys: all }));
  expect(await complete.requireAll()).toMatchObject({ code: 'KMS_UNAVAILABLE' });
});

test('a data key in clear is in no row, no error and no argument of a call', async () => {
  const made: Buffer[] = [];
  const service: DataKeyService = {
    ...kms.service,
    async generate(...args) {
      const key = await kms.service.generate(...args);
      made.push(key.key);
      return key;
    },
  };
  const world = await createWorld(inKms({ service }));
  await world.set({ A: 'canary' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  kms.setPolicy(without('kms:Decrypt'));
  const denied = await kms
    .encryption()
    .encrypt('value', place(world.orgId))
    .catch((error: unknown) => error);
  const tables = await stage.handle.client`
    select (select json_agg(s) from keyferry.secrets s) as secrets,
      (select json_agg(o) from keyferry.orgs o) as orgs,
      (select json_agg(r) from keyferry.runs r) as runs`;
  const error = denied as Error & { context: unknown; cause: unknown };
  const seen = JSON.stringify([
    tables,
    kms.sandbox.calls.list(),
    error.message,
    error.context,
    error.cause,
    error.stack,
  ]);
  expect(made).toHaveLength(1);
  for (const key of made)
    for (const encoding of ['base64', 'base64url', 'hex', 'latin1'] as const)
      expect(seen).not.toContain(key.toString(encoding));
});
