import fc from 'fast-check';
import { expect, test } from 'vitest';

import { isSelected, matches, patternsShape } from '../../../src/domain/patterns.ts';

test.each([
  ['DB_*', 'DB_URL', true],
  ['DB_*', 'XDB_URL', false],
  ['*', 'a/B', false],
  ['**', 'a/B', true],
  ['a/*', 'a/B', true],
  ['a/*', 'a/b/C', false],
  ['a/**', 'a/b/C', true],
  ['a/**/C', 'a/C', true],
  ['a/**/C', 'a/b/b/C', true],
  ['a/**/C', 'a/bC', false],
  ['**/C', 'C', true],
  ['**/C', 'bC', false],
  ['K?Y', 'KEY', true],
  ['a?b', 'a/b', false],
  ['a**b', 'a/x/b', true],
  ['', 'A', false],
])('%s and %s: %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

test('a pattern without a slash is about keys of any folder, another about the path', () => {
  expect(isSelected({ include: ['DB_*'] }, 'api/db:DB_URL')).toBe(true);
  expect(isSelected({ include: ['db/*'] }, 'api/db:DB_URL')).toBe(false);
  expect(isSelected({ include: ['DB_*'], exclude: ['**/old/*'] }, 'api/old:DB_URL')).toBe(false);
  expect(isSelected({ exclude: ['**/old/*'] }, 'old:DB_URL')).toBe(false);
  expect(isSelected({}, 'A')).toBe(true);
});

test('agrees with a regular expression on short texts', () => {
  const texts = fc.stringMatching(/^[ab/]{0,8}$/);
  fc.assert(
    fc.property(fc.stringMatching(/^[ab/*?]{0,6}$/), texts, (pattern, text) => {
      const source = pattern.replace(/(^|(?<=\/))\*\*\/|\*\*|\*|\?/g, (found) =>
        found === '*' ? '[^/]*' : found === '?' ? '[^/]' : found === '**' ? '.*' : '(.*/)?',
      );
      expect(matches(pattern, text)).toBe(new RegExp(`^(?:${source})$`).test(text));
    }),
    { numRuns: 2_000 },
  );
});

test('a hostile pattern costs no more than its length times the length of the name', () => {
  const startedAt = performance.now();
  expect(matches(`${'*a'.repeat(63)}b`, 'a'.repeat(700))).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(200);
});

test.each(['', 'a b', '{x}', '//', 'a'.repeat(300)])('%j is no pattern', (pattern) => {
  expect(patternsShape.safeParse([pattern]).success).toBe(false);
});
