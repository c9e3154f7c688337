/** What docs/assurance.md claims, held to the tables and files that it speaks of. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import constraints from '../../../src/sandbox/aws/aws-constraints.json' with { type: 'json' };
import { MOTO_DIFFERENCES } from '../../contract/moto-differences.ts';
import { CONTRACT_CASES } from '../../contract/suites.ts';
import { DIFFERENCES } from '../../witness/differences.ts';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string) => readFile(new URL(path, ROOT), 'utf8');
const assurance = await read('docs/assurance.md');

test('the version and date of the service models are shown', () => {
  const { version, date } = constraints._botocore;
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(date).toMatch(/^20\d\d-\d\d-\d\d$/);
  expect(assurance).toContain(`botocore ${version} of ${date}`);
});

test('the sandbox is stricter than moto in as many cases as the table lists', () => {
  const listed = String(Object.keys(MOTO_DIFFERENCES).length);
  expect(assurance).toContain(`stricter than moto in ${listed} listed cases of ${String(CONTRACT_CASES.length)}`);
});

test('the differences that the witness makes up for are counted', () => {
  expect(assurance).toContain(`lists the ${String(Object.keys(DIFFERENCES).length)} points`);
});

test('each suite that is named exists', async () => {
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> };
  const commands = [...assurance.matchAll(/(?:npm run |`)((?:test|bench|models)(?::[a-z-]+)?)[ `]/g)].map(
    ([, name = '']) => name,
  );
  expect(commands.length).toBeGreaterThan(5);
  expect(commands.filter((name) => !(name in scripts))).toEqual([]);
  const paths = [...assurance.matchAll(/`((?:test|src|scripts)\/[\w./-]+)`/g)].map(([, path = '']) => path);
  expect(paths.length).toBeGreaterThan(5);
  expect(paths.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});

test('whether AWS itself was asked is said, and is true', async () => {
  const recorded = (await readdir(new URL('test/contract/recorded/', ROOT))).filter((name) => name.endsWith('.json'));
  const claims = [assurance, await read('test/contract/recorded/README.md')].map((text) => text.replaceAll('\n', ' '));
  const sayNothingIsRecorded = claims.map((text) =>
    /recorded a run against a real account yet|No run against a real account has been recorded yet/.test(text),
  );
  expect(sayNothingIsRecorded).toEqual(claims.map(() => recorded.length === 0));
});
