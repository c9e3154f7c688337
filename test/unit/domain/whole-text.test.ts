/** Text is read whole or not at all. */
import { describe, expect, it } from 'vitest';

import { decodeUtf8, repeatedNames } from '../../../src/domain/whole-text.ts';

it.each([
  ['text', Buffer.from('naïve ✓'), 'naïve ✓'],
  ['a byte order mark', Buffer.from('\ufeffA'), 'A'],
  ['half a character', Buffer.from('✓').subarray(0, 2), undefined],
  ['Latin-1', Buffer.from('é', 'latin1'), undefined],
])('decodes %s', (_name, bytes, text) => {
  expect(decodeUtf8(bytes)).toBe(text);
});

describe('names that an object has twice', () => {
  it.each([
    ['{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}]}', []],
    ['{"a":1,"a":2}', ['a']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{"x":{"deep":[{"k":1,"j":2,"k":3}]}}', ['k']],
    ['{"value":"\\"a\\":1,\\"a\\":2"}', []],
    ['{"a":"{\\"b\\":1","c":"}","a":3}', ['a']],
    ['["a","a"]', []],
    ['no JSON: {"a\n":1', []],
    ['', []],
  ])('of %s are %j', (json, names) => {
    expect(repeatedNames(json)).toEqual(names);
  });

  it('are found behind a value of a megabyte', () => {
    const long = JSON.stringify('\\"x'.repeat(300_000));
    expect(repeatedNames(`{"a":${long},"b":1,"a":2}`)).toEqual(['a']);
  });
});
