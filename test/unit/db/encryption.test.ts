/** What a ciphertext is bound to: its place in every part, and its key. */
import { createDecipheriv, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';

import * as encryptionModule from '../../../src/db/encryption.ts';
import { type CipherBinding, COMMITTED } from '../../../src/db/cipher.ts';
import { createEncryption, secretPlace } from '../../../src/db/encryption.ts';
import { collide } from './gcm-collision.ts';

const key = { id: 'k1', key: randomBytes(32) };
const encryption = createEncryption([key]);
const place: CipherBinding = { table: 't', column: 'c', orgId: 'acme', rowKey: 'row', revision: 2 };

const refusal = (act: () => Promise<string>): Promise<unknown> => act().catch((error: unknown) => error);
const undecryptable = expect.objectContaining({ code: 'SECRET_UNDECRYPTABLE' }) as unknown;

/** As versions before the commitment wrote it. */
const earlier = (ciphertext: string) => ciphertext.split(COMMITTED)[0] ?? '';

it.each<readonly [string, Partial<CipherBinding>]>([
  ['table', { table: 'u' }],
  ['column', { column: 'd' }],
  ['org', { orgId: 'globex' }],
  ['row', { rowKey: 'other' }],
  ['an older revision', { revision: 1 }],
  ['a newer revision', { revision: 3 }],
])('a ciphertext opens in its own place only: %s', async (_what, change) => {
  const other = { ...place, ...change };
  for (const [from, to] of [
    [place, other],
    [other, place],
  ] as const) {
    const ciphertext = await encryption.encrypt('value', from);
    expect(await encryption.decrypt(ciphertext, from)).toBe('value');
    expect(await refusal(() => encryption.decrypt(ciphertext, to))).toEqual(undecryptable);
    expect(await refusal(() => encryption.decrypt(earlier(ciphertext), to))).toEqual(undecryptable);
  }
});

it('no ciphertext of one encrypted column opens in another, whatever the rows are called', async () => {
  const row = { orgId: 'x', id: 'x', folderId: 'x', key: 'x', rotationId: 'x', accessKeyId: 'x' };
  const places = Object.entries(encryptionModule).flatMap(([name, made]) =>
    name.endsWith('Place')
      ? [
          (made as (row: object | string) => CipherBinding)(
            name === 'fingerprintKeyPlace' ? 'x' : { ...row, revision: 1, credentialsRevision: 1 },
          ),
        ]
      : [],
  );
  expect(places.length).toBeGreaterThan(5);
  for (const from of places)
    for (const to of places.filter((one) => one !== from))
      expect(await refusal(async () => encryption.decrypt(await encryption.encrypt('value', from), to))).toEqual(
        undecryptable,
      );
});

it('the parts of a place cannot be moved into each other', async () => {
  const one = secretPlace({ orgId: 'a', folderId: 'f', key: 'k,1:2', revision: 1 });
  const ciphertext = await encryption.encrypt('value', one);
  for (const other of [
    { ...one, orgId: 'a,1:t' },
    { ...one, rowKey: 'f/k' },
    { ...one, table: 'secret', column: 's5:value' },
  ])
    expect(await refusal(() => encryption.decrypt(ciphertext, other))).toEqual(undecryptable);
});

it('a ciphertext that AES-GCM opens under two keys opens under one', async () => {
  const other = { id: 'k1', key: randomBytes(32) };
  const nonce = randomBytes(12);
  const parts = ['v1', 'k1', place.table, place.column, place.orgId, place.rowKey, String(place.revision)];
  const associatedData = Buffer.from(parts.map((part) => `${String(part.length)}:${part}`).join(','));
  const { ciphertext, tag } = collide([key.key, other.key], nonce, associatedData);
  for (const one of [key, other]) {
    const decipher = createDecipheriv('aes-256-gcm', one.key, nonce).setAAD(associatedData).setAuthTag(tag);
    expect(Buffer.concat([decipher.update(ciphertext), decipher.final()])).toHaveLength(32);
  }
  const sealed = `v1.k1.${Buffer.concat([nonce, tag, ciphertext]).toString('base64url')}`;
  const commitment = (await encryption.encrypt('', place)).split(COMMITTED)[1] ?? '';
  const envelope = `${sealed}${COMMITTED}${commitment}`;
  expect(await encryption.decrypt(envelope, place)).toEqual(expect.any(String));
  expect(await refusal(() => createEncryption([other]).decrypt(envelope, place))).toEqual(
    expect.objectContaining({ message: expect.stringContaining('another key named k1') as string }),
  );
});

it('a commitment that is cut off, empty or another one is refused', async () => {
  const ciphertext = await encryption.encrypt('value', place);
  const [sealed = '', commitment = ''] = ciphertext.split(COMMITTED);
  for (const changed of ['', commitment.slice(0, -4), randomBytes(32).toString('base64url')])
    expect(await refusal(() => encryption.decrypt(`${sealed}${COMMITTED}${changed}`, place))).toEqual(undecryptable);
});

it('a row of an earlier version opens, and an earlier version opens a row of this one', async () => {
  const ciphertext = await encryption.encrypt('value', place);
  expect(await encryption.decrypt(earlier(ciphertext), place)).toBe('value');
  // How it read the bytes: everything after the key's id.
  const read = (text: string) => Buffer.from(text.slice('v1.k1.'.length), 'base64url');
  expect(read(ciphertext)).toEqual(read(earlier(ciphertext)));
});
