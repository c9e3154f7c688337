import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { findEnvironment } from '../../../src/cli/environment.ts';
import type { Output } from '../../../src/cli/output.ts';

const own = {
  KEYFERRY_HTTP_PORT: '3999',
  KEYFERRY_BOARD_USER: 'op',
  KEYFERRY_LOG_LEVEL: 'debug',
  KEYFERRY_ENCRYPTION_KEYS: 'real:key',
  AWS_PROFILE: 'real',
  KEYFERRY_ORG: 'acme',
  KEYFERRY_CONCURRECNY: 'sync=1',
};

test('beside `up --sandbox` a process keeps how it listens, and nothing of a real account', async () => {
  const before = { folder: process.cwd(), environment: { ...process.env } };
  const folder = await mkdtemp(join(tmpdir(), 'keyferry-environment-'));
  onTestFinished(async () => {
    process.chdir(before.folder);
    process.env = before.environment;
    await rm(folder, { recursive: true });
  });
  const up = { DATABASE_URL: 'postgres://up', KEYFERRY_HTTP_PORT: '3010', KEYFERRY_ENCRYPTION_KEYS: 'up:key' };
  await mkdir(join(folder, '.keyferry'));
  await writeFile(
    join(folder, '.keyferry', 'up.json'),
    JSON.stringify({ pid: process.pid, serverUrl: 'http://127.0.0.1:3010', environment: up, isSandbox: true }),
  );
  process.chdir(folder);
  delete process.env['DATABASE_URL'];
  Object.assign(process.env, own);
  const found = await findEnvironment({ note: () => undefined } as unknown as Output);
  expect(found).toMatchObject({ ...up, KEYFERRY_HTTP_PORT: '3999', KEYFERRY_BOARD_USER: 'op' });
  expect(found.KEYFERRY_LOG_LEVEL).toBe('debug');
  expect(Object.keys(found)).not.toContain('AWS_PROFILE');
  // The org is that of `--org`, and a misspelt setting stays, to be refused.
  expect(found).toMatchObject({ KEYFERRY_ORG: 'acme', KEYFERRY_CONCURRECNY: 'sync=1' });
});
