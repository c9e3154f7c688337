/**
 * Which lane a test belongs to: `test/processes` holds those that start a server or a process of
 * their own, `test/replays` those that play random histories or thousands of objects, and
 * `test/integration` those that need only the servers of their run.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const IMPORT = /^(?:import|export) (?!type )[^;]*?from '([^']+)'|import\('([^']+)'\)/gm;
/** What starts one; certificates come from an `openssl` that ends at once. */
const STARTS = /^(?:node:child_process|.*\/sandbox\/postgres\.ts)$/;
/** What draws histories and inputs at random. */
const DRAWS = /^fast-check$|\/chaos\//;
const AT_ONCE = 'test/support/certificates.ts';

const testsIn = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(folder, path));

const imports = new Map<string, readonly string[]>();
function importsOf(file: string): readonly string[] {
  const known = imports.get(file);
  if (known !== undefined) return known;
  const named = [...readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)].map(
    ([, one, other]) => one ?? other ?? '',
  );
  imports.set(file, named);
  return named;
}

/** The file, or what it imports of the tests, imports such a module. */
function reaches(wanted: RegExp, file: string, seen = new Set<string>()): boolean {
  if (seen.has(file) || file === AT_ONCE) return false;
  seen.add(file);
  return importsOf(file).some((name) => {
    if (wanted.test(name)) return true;
    const path = name.startsWith('.') ? join(dirname(file), name) : '';
    return path.startsWith('test/') && existsSync(join(ROOT, path)) && reaches(wanted, path, seen);
  });
}

test('integration tests start no server and no process of their own, and draw nothing at random', () => {
  const files = testsIn('test/integration');
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter((file) => reaches(STARTS, file))).toEqual([]);
  expect(files.filter((file) => reaches(DRAWS, file))).toEqual([]);
});

test('replays start no server and no process of their own', () => {
  const files = testsIn('test/replays');
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((file) => reaches(STARTS, file))).toEqual([]);
});

test('tests in the lane of processes start one', () => {
  const files = testsIn('test/processes');
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => !reaches(STARTS, file))).toEqual([]);
});
