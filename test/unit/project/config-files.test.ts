import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { loadConfig } from '../../../src/config/config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

it('the base key pair is read again from its files, which a rotation of it replaces', async () => {
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), `${text}\n`);
    return join(folder, name);
  };
  const { baseCredentials } = loadConfig({
    DATABASE_URL: 'postgres://localhost/app',
    KEYFERRY_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32).toString('base64')}`,
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID_FILE: write('id', 'AKIAOLD0000000000001'),
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY_FILE: write('secret', 'old'),
  });
  write('id', 'AKIANEW0000000000001');
  write('secret', 'new');
  expect(await baseCredentials?.()).toEqual({
    accessKeyId: 'AKIANEW0000000000001',
    secretAccessKey: 'new',
    fileChangedAt: statSync(join(folder, 'secret')).mtime,
  });
  rmSync(join(folder, 'secret'));
  await expect(baseCredentials?.()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('a file that is not UTF-8 is refused by its name, since a part of it would be replaced', () => {
  const file = join(folder, 'keys');
  writeFileSync(file, Buffer.from('k1:\xff', 'latin1'));
  const load = () => loadConfig({ DATABASE_URL: 'postgres://localhost/app', KEYFERRY_ENCRYPTION_KEYS_FILE: file });
  expect(load).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  expect(load).toThrow(`KEYFERRY_ENCRYPTION_KEYS_FILE names a file that is not UTF-8: ${file}`);
});
