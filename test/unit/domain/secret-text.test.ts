/** Secrets as text: each byte is kept, or the input is refused with line and reason. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { decodeSecretText, parseSecrets } from '../../../src/domain/secret-text.ts';

const parse = (input: string | Uint8Array): Record<string, string> =>
  parseSecrets(decodeSecretText(typeof input === 'string' ? new TextEncoder().encode(input) : input));

describe('secrets as text', () => {
  it.each<readonly [string, string, Record<string, string>]>([
    ['a bare value', 'A=1', { A: '1' }],
    ['blanks around it', '  A = 1  \n', { A: '1' }],
    ['export', 'export A=1', { A: '1' }],
    ['an empty value', 'A=\nB=""', { A: '', B: '' }],
    ['comments and empty lines', '# a\n\n  # b\nA=1 # c\n', { A: '1' }],
    ['a comment after an empty value', 'A= # c', { A: '' }],
    ['# inside a bare value', 'A=a#b', { A: 'a#b' }],
    ['= inside a value', 'A=a=b==', { A: 'a=b==' }],
    ['quotes inside a bare value', `A=it's "so"`, { A: `it's "so"` }],
    ['a comment after a quoted value', 'A="foo" # prod', { A: 'foo' }],
    ['a comment without a blank after a quoted value', `A='foo'#prod`, { A: 'foo' }],
    ['# inside quotes', 'A="a # b"', { A: 'a # b' }],
    ['escapes', String.raw`A="a\n\t\r\"\\\$\x"`, { A: 'a\n\t\r"\\$\\x' }],
    ['single quotes, as they are', String.raw`A='a\n"$B'`, { A: String.raw`a\n"$B` }],
    ['backticks, as they are', 'A=`a\'"\\n`', { A: 'a\'"\\n' }],
    ['several lines', 'A="-----BEGIN\nx\n-----END"\nB=1', { A: '-----BEGIN\nx\n-----END', B: '1' }],
    ['Windows line ends', 'A=1\r\nB="2"\r\n\r\n', { A: '1', B: '2' }],
    ['Windows line ends inside quotes', "A='1\r\n2'\r\n", { A: '1\r\n2' }],
    ['a byte order mark', '\uFEFFA=1', { A: '1' }],
    ['a byte order mark before JSON', '\uFEFF{"A":"1"}', { A: '1' }],
    ['a dollar, which is not expanded', 'A=$B${C}', { A: '$B${C}' }],
    ['a key that objects have', '__proto__=1', JSON.parse('{"__proto__":"1"}') as Record<string, string>],
    ['keys with dots and slashes', 'a/b.c-d=1', { 'a/b.c-d': '1' }],
    ['nothing', '', {}],
    ['JSON', ' {"A":"1","B":"{\\"A\\":1}"}', { A: '1', B: '{"A":1}' }],
    ['emoji', 'A=🔑', { A: '🔑' }],
  ])('takes %s', (_, source, expected) => {
    const parsed = parse(source);
    expect(Object.entries(parsed)).toEqual(Object.entries(expected));
  });

  it.each<readonly [string, string | Uint8Array, RegExp]>([
    ['a line without =', 'A=1\nfoo', /^Line 2 of the secrets is not KEY=value\.$/],
    ['a key with a blank', 'A B=1', /^Line 1 of the secrets is not KEY=value/],
    ['no key', '=canary', /^Line 1 of the secrets is not KEY=value/],
    ['an open double quote', 'A=1\nB="canary', /^Line 2 of the secrets opens a quote that is never closed/],
    ['an open single quote', "A='canary", /never closed/],
    ['an open backtick', 'A=`canary', /never closed/],
    ['text after a quote', 'A="canary"canary', /^Line 1 of the secrets has text after the closing quote/],
    [
      'a second value of a key',
      'A=1\nB=2\nA=3',
      /^Line 3 of the secrets sets A again, which line 1 set\. Keep one of them\.$/,
    ],
    ['old line ends', 'A=1\rB=2', /^Line 1 of the secrets holds a carriage return/],
    ['NUL', 'A=1\nB=a\0b', /^Line 2 of the secrets holds a NUL character/],
    ['bad UTF-8', Buffer.from('413d310a423dff', 'hex'), /^Line 2 of the secrets is not valid UTF-8/],
    ['UTF-16', Buffer.from('\uFEFFA=1', 'utf16le'), /are UTF-16/],
    ['broken JSON', '{"A": canary}', /^The secrets are not valid JSON\.$/],
    ['a JSON list', '["canary"]', /must be one JSON object/],
    ['JSON that names a key twice', '{"A":"1","B":"{\\"A\\":1}","\\u0041":"2"}', /names A more than once/],
    ['JSON values that are no strings', '{"A":1,"B":null,"C":"x"}', /^The value of A, B must be a JSON string/],
  ])('refuses %s', (_, source, message) => {
    expect(() => parse(source)).toThrow(message);
    expect(() => parse(source)).not.toThrow(/canary/);
  });

  it('keeps every value that is quoted', () => {
    const quote = (value: string): string => value.replace(/[\\"$]/g, String.raw`\$&`);
    const secrets = fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(secrets, (values) => {
        const source = Object.entries(values).map(([key, value]) => `${key}="${quote(value)}"`);
        expect(Object.entries(parse(source.join('\n')))).toEqual(Object.entries(values));
      }),
    );
  });
});
