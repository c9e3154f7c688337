/**
 * The planted defects still fit the tree; `npm run test:planted` shows that their suites notice
 * them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gitApply, ROOT } from '../../planted/copy.ts';
import { parseSuite, readPatches } from '../../planted/patches.ts';
import { judge } from '../../planted/suite.ts';

const patches = readPatches();

test.each(patches.map((patch) => [patch.name, patch] as const))('%s applies, and names its suite', (_, patch) => {
  expect(() => gitApply(ROOT, ['--check', patch.path])).not.toThrow();
  const { files } = parseSuite(patch.suite);
  expect(files).not.toEqual([]);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

test('a suite has its settings, its words and its files', () => {
  const suite = 'A_B=1 npx vitest run --project unit test/unit/a.test.ts -t "two words"';
  expect(parseSuite(suite)).toEqual({
    environment: { A_B: '1' },
    arguments: ['run', '--project', 'unit', 'test/unit/a.test.ts', '-t', 'two words'],
    files: ['test/unit/a.test.ts'],
  });
  expect(() => parseSuite('npm test')).toThrow('Not a suite');
});

test('only a test that failed counts as noticed', () => {
  const report = (status: string, failureMessages: string[], numPassedTests = 0) => ({
    numPassedTests,
    numFailedTests: status === 'failed' ? 1 : 0,
    testResults: [{ status, message: '', assertionResults: [{ status, failureMessages }] }],
  });
  const unloaded = {
    ...report('failed', []),
    testResults: [{ status: 'failed', message: 'Error', assertionResults: [] }],
  };
  expect(judge(report('failed', ['AssertionError: expected 1']), 1).verdict).toBe('red');
  expect(judge(report('passed', [], 1), 0).verdict).toBe('green');
  expect(judge(report('failed', ['ReferenceError: x is not defined']), 1).verdict).toBe('broken');
  expect(judge(report('skipped', []), 0).verdict).toBe('broken');
  expect(judge(report('passed', [], 1), 1).verdict).toBe('broken');
  expect(judge(unloaded, 1).verdict).toBe('broken');
  expect(judge(undefined, 1).verdict).toBe('broken');
});
