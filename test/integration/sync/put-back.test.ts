/**
 * Ciphertexts that somebody put into rows past keyferry: older ones that still decrypt, and those
 * of before the commitment to a key.
 */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';

import { createEncryption } from '../../../src/db/encryption.ts';
import { createEncryptionKeys } from '../../../src/db/encryption-keys.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const inOneSecret: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'app' },
};

const rowOf = async ({ folder }: World, key: string) => {
  const [row] = await stage.handle.client`select value, revision from keyferry.secrets
      where folder_id = ${folder.id} and key = ${key}`;
  return row as { value: string; revision: string };
};

test.each([
  ['a parameter', {}],
  ['a JSON secret', inOneSecret],
] as const)('an older row that was put back does not reach %s', async (_what, input) => {
  const world = await createWorld(stage);
  await world.set({ A: 'leaked', B: '1' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  const older = await rowOf(world, 'A');
  await world.set({ A: 'replaced' });
  world.clock.advance(2 * MINUTE);
  await world.runUntilDone(id);
  const before = JSON.stringify([world.parameters(), world.secrets()]);
  expect(before).toContain('replaced');

  await stage.handle.client`update keyferry.secrets
    set value = ${older.value}, revision = ${older.revision}
    where folder_id = ${world.folder.id} and key = 'A'`;
  world.clock.advance(2 * MINUTE);
  const { outcome } = await world.runUntilDone(id, { request: 'sync' });
  expect(outcome.status).not.toBe('succeeded');
  expect(JSON.stringify([world.parameters(), world.secrets()])).toBe(before);
  const entry = (await world.entries(id)).find(({ key }) => key === 'A');
  expect([entry?.errorCode, entry?.errorMessage]).toEqual([
    'SECRET_UNDECRYPTABLE',
    expect.stringMatching(/is of revision \d+, but revision \d+ was written to AWS.*Set the secret again/),
  ]);

  await world.set({ A: 'set again' });
  world.clock.advance(2 * MINUTE);
  expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
  expect(JSON.stringify([world.parameters(), world.secrets()])).toContain('set again');
});

test('rewrap commits the rows of earlier versions to their key, too, and takes each once', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  await stage.handle.client`update keyferry.secrets set value = split_part(value, '=', 1)
      where folder_id = ${world.folder.id}`;
  const keys = createEncryptionKeys(stage.handle.db, stage.encryption);
  expect(await keys.rewrap()).toEqual({ rows: 2, failed: [] });
  expect((await rowOf(world, 'A')).value).toContain('=');
  expect(await keys.rewrap()).toEqual({ rows: 0, failed: [] });
  const { secrets } = await world.folders.read(world.folder.id);
  expect(secrets).toMatchObject([{ value: '1' }, { value: '2' }]);
});

test('another key under the same name is told from a changed row', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const other = createEncryption([{ id: 'test', key: randomBytes(32) }]);
  await expect(createEncryptionKeys(stage.handle.db, other).requireAll()).rejects.toMatchObject({
    code: 'DB_KEY_MISSING',
    cause: { message: expect.stringContaining('another key named test') as string },
  });
});
