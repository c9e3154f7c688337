/** A secret that comes from a file is kept to its last byte, or refused. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { readSecretFile } from '../../../src/cli/input.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

it.each([
  ['with its line end', Buffer.from('pässword\n'), 'pässword'],
  ['with a byte order mark', Buffer.from('\ufeffsecret'), 'secret'],
])('a file %s is read', async (_name, bytes, secret) => {
  const file = join(await createTemporaryDirectory('secret'), 'file');
  await writeFile(file, bytes);
  expect(await readSecretFile(file)).toBe(secret);
});

it('a file that is not UTF-8 is refused by its name', async () => {
  const file = join(await createTemporaryDirectory('secret'), 'file');
  await writeFile(file, Buffer.from('pässword', 'latin1'));
  await expect(readSecretFile(file)).rejects.toMatchObject({
    code: 'PAYLOAD_INVALID',
    message: expect.stringContaining(`${file} is not valid UTF-8`),
  });
});
