/** A key whose id is known and whose bytes are others: nothing is stored under it. */
import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';

import { connect } from '../../../src/index.ts';
import { openStores } from '../../../src/stores.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();
const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const keyOf = (bytes: Buffer) => `k1:${bytes.toString('base64')}`;

async function open(encryptionKeys: string) {
  const library = await connect({ databaseUrl: database().url, encryptionKeys, org: 'acme' });
  onTestFinished(() => library.close());
  return library;
}

test('the library and the command line refuse to store under other bytes of a known key', async () => {
  const right = keyOf(randomBytes(32));
  const wrong = keyOf(randomBytes(32));
  await (await open(right)).secrets.set(place, { values: { A: '1' } });
  const stranger = await open(wrong);
  await expect(stranger.secrets.set(place, { values: { A: '2' } })).rejects.toMatchObject({
    code: 'DB_KEY_MISSING',
    publicMessage: expect.stringContaining('The key k1 is not the one') as string,
  });
  const other = await open(`k2:${randomBytes(32).toString('base64')},${right}`);
  expect(await other.secrets.set(place, { values: { A: '3' } })).toMatchObject({ set: 1 });
  const mixed = await open(right);
  expect(await mixed.secrets.set(place, { values: { B: '1' } })).toMatchObject({ set: 1 });
});

// The rows of the test before are there.
test('rewrap says that the key is another instead of finding nothing to do', async () => {
  const stores = openStores({ databaseUrl: database().url, encryptionKeys: [{ id: 'k1', key: randomBytes(32) }] });
  onTestFinished(() => stores.close());
  await expect(stores.encryptionKeys.rewrap()).rejects.toMatchObject({ code: 'DB_KEY_MISSING' });
});
