/**
 * `keyferry doctor --backup` on a database whose keys are at hand, missing, or replaced under their
 * id.
 */
import { expect, it } from 'vitest';

import { backupChecks } from '../../../src/cli/commands/doctor-backup.ts';
import type { Program } from '../../../src/main.ts';
import { openStores } from '../../../src/stores.ts';
import { toJobError } from '../../../src/errors.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();
const key = (id: string, byte: number) => ({ id, key: Buffer.alloc(32, byte) });

async function examine(...keys: [ReturnType<typeof key>, ...ReturnType<typeof key>[]]) {
  const stores = openStores({ databaseUrl: database().url, encryptionKeys: keys });
  try {
    const program = { stores, config: { databaseUrl: database().url } } as unknown as Program;
    const answers: Record<string, string> = {};
    for (const { part, look } of backupChecks(program)) {
      answers[part] = await look().catch((error: unknown) => `✗ ${toJobError(error).publicMessage}`);
    }
    return answers;
  } finally {
    await stores.close();
  }
}

it('opens one ciphertext of each kind, and names what is missing or does not fit', async () => {
  const stores = openStores({ databaseUrl: database().url, encryptionKeys: [key('old', 1)] });
  const folder = await stores.folders.ensure('acme', { projectId: 'app', environment: 'prod', secretPath: '/' });
  await stores.folders.change(folder, [{ key: 'A', value: 'one' }], 'merge');
  await stores.close();

  expect(await examine(key('old', 1))).toEqual({
    schema: 'fits this version',
    'encryption keys': '1 in use, all configured',
    ciphertexts:
      'fingerprint keys of orgs: none stored, credentials of connections: none stored, candidate credentials of connections: none stored, secrets: opened, rotated access keys: none stored, endpoints of webhooks: none stored, settings of sources: none stored',
    'newest result': 'no run has ended yet',
  });
  expect(await examine(key('new', 1))).toMatchObject({
    'encryption keys': '✗ Not configured: old (1 row). Keep every key id with the backup.',
    ciphertexts: expect.stringContaining('Cannot be opened: secrets under old') as string,
  });
  expect(await examine(key('old', 2))).toMatchObject({
    'encryption keys': '1 in use, all configured',
    ciphertexts: expect.stringContaining('Cannot be opened: secrets under old') as string,
  });
});
