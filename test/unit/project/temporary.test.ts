/** No suite leaves anything behind in the system's folder for temporary files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { createTemporaryDirectory, removeTemporaryDirectories } from '../../support/temporary-directory.ts';

const TESTS = fileURLToPath(new URL('../../', import.meta.url));
/** The embedded server takes its folder away itself. */
const OTHERS = ['support/global-setup.ts'];

test('a folder for a test is gone when its file is over', async () => {
  const directory = await createTemporaryDirectory('itself');
  expect(existsSync(directory)).toBe(true);
  await removeTemporaryDirectories();
  expect(existsSync(directory)).toBe(false);
});

test('every file of the suites that makes a folder takes it away, or leaves that to the setup', () => {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter(
    (path) => /^(?:unit|integration|processes|replays|e2e|support)\/.*\.ts$/.test(path) && !OTHERS.includes(path),
  );
  const text = (path: string) => readFileSync(join(TESTS, path), 'utf8');
  const makers = files.filter((path) => /\bmkdtemp(?:Sync)?\(/.test(text(path)));
  expect(makers.length).toBeGreaterThan(3);
  expect(makers.filter((path) => !/\brm(?:Sync)?\(/.test(text(path)))).toEqual([]);
});
