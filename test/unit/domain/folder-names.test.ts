/** Names of secrets that come from several folders. */
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { findKey, renderKey, schemaBelow } from '../../../src/domain/key-schema.ts';
import { parseSourceKey, pathBelow, toSourceKey } from '../../../src/domain/source-key.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';
import { toDesired } from '../../../src/domain/sync/desired.ts';
import { commonPrefixOf, nameTemplateOf, sourceKeyOf, toTarget } from '../../../src/domain/sync/target.ts';
import { place } from './sync-fixtures.ts';

const folder = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const root = { ...folder, secretPath: '/' };

test.each([
  [undefined, folder, 'a/b', 'a/b/KEY'],
  ['X_{{secretKey}}', folder, 'a', 'a/X_KEY'],
  ['{{path}}/{{secretKey}}', folder, 'a', 'api/a/KEY'],
  ['{{path}}/{{secretKey}}', folder, '', 'api/KEY'],
  ['{{path}}/{{secretKey}}', root, '', 'KEY'],
  ['{{path}}/{{secretKey}}', root, 'a', 'a/KEY'],
  ['{{folder}}_{{secretKey}}', folder, 'a/b', 'b_KEY'],
  ['{{folder}}_{{secretKey}}', root, '', 'KEY'],
  ['{{project}}/{{environment}}/{{secretKey}}', folder, 'a', 'a/shop/prod/KEY'],
  ['{{secretKey}}/{{folder}}', folder, 'a', 'KEY/a'],
] as const)('%s in %s, below it %s: %s', (schema, at, below, name) => {
  expect(renderKey(schemaBelow(schema, at, below), 'KEY')).toBe(name);
});

test('a source key tells path and key apart, whatever slashes the key has', () => {
  const paths = fc.stringMatching(/^([a-z._-]+(\/[a-z._-]+)*)?$/);
  const keys = fc.stringMatching(/^[\w./-]{1,20}$/);
  fc.assert(
    fc.property(paths, keys, (below, key) => {
      expect(parseSourceKey(toSourceKey({ below, key }))).toEqual({ below, key });
    }),
  );
  expect([pathBelow('/', '/a/b'), pathBelow('/a', '/a/b'), pathBelow('/a', '/a')]).toEqual(['a/b', 'b', '']);
});

const target = (keySchema?: string) =>
  toTarget(
    {
      destination: 'aws-parameter-store',
      destinationConfig: { region: 'eu-west-1', path: '/app/' },
      syncOptions: keySchema === undefined ? {} : { keySchema },
    },
    folder,
    ['a', 'a/b', 'c'],
  );

test('an existing name leads back to its folder, unless it could be of two', () => {
  expect(['/app/KEY', '/app/a/KEY', '/app/a/b/KEY', '/app/x/KEY'].map((name) => sourceKeyOf(target(), name))).toEqual([
    'KEY',
    'a:KEY',
    'a/b:KEY',
    undefined,
  ]);
  expect(sourceKeyOf(target('{{secretKey}}_{{folder}}'), '/app/KEY_b')).toBe('a/b:KEY');
  const short = target('x{{secretKey}}{{folder}}');
  expect(['/app/xKa', '/app/xKapi'].map((name) => sourceKeyOf(short, name))).toEqual(['a:K', 'K']);
  expect(
    sourceKeyOf(
      toTarget(
        {
          destination: 'aws-parameter-store',
          destinationConfig: { region: 'eu-west-1', path: '/app/' },
          syncOptions: { keySchema: '{{folder}}{{secretKey}}' },
        },
        folder,
        ['a', 'ab'],
      ),
      '/app/abK',
    ),
  ).toBeUndefined();
});

test('what all names share is where a listing begins', () => {
  expect([commonPrefixOf(target()), commonPrefixOf(target('x/{{path}}/{{secretKey}}'))]).toEqual([
    '/app/',
    '/app/x/api/',
  ]);
  expect(nameTemplateOf(target('{{path}}/{{secretKey}}'))).toBe('/app/api/{{secretKey}}');
});

const desired = (keySchema: string | undefined, keys: readonly string[], more: object = {}) =>
  toDesired({
    secrets: keys.map((key) => ({ key, revision: 1, metadata: {} })),
    target: target(keySchema),
    options: syncOptions.parse({ recursive: true, ...more }),
    place,
  });

test('two secrets that get one name are both refused before anything is written', () => {
  const entries = desired('{{folder}}_{{secretKey}}', ['a:K', 'c:K', 'a/a:K']);
  expect(entries.map(({ remoteName, problem }) => [remoteName, problem?.message])).toEqual([
    ['/app/a_K', expect.stringContaining('a/a/K gets the same name')],
    ['/app/c_K', undefined],
    ['/app/a_K', expect.stringContaining('a/K gets the same name')],
  ]);
});

test('a key with a slash may meet a folder', () => {
  const problems = desired(undefined, ['a/K', 'a:K', 'K']).map(({ problem }) => problem?.code);
  expect(problems).toEqual(['SYNC_ENTRY_INVALID', 'SYNC_ENTRY_INVALID', undefined]);
});

test('patterns decide before names meet', () => {
  const entries = desired('{{folder}}_{{secretKey}}', ['a:K', 'a/a:K'], { exclude: ['a/a/*'] });
  expect(entries.map(({ key, problem }) => [key, problem])).toEqual([['a:K', undefined]]);
});

test('no name of a folder with a path is lost on its way back', () => {
  const keys = fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/);
  fc.assert(
    fc.property(keys, fc.constantFrom('', 'a', 'a/b', 'c'), (key, below) => {
      const schema = schemaBelow('p/{{path}}/{{secretKey}}', folder, below);
      expect(findKey(schema, renderKey(schema, key))).toBe(key);
    }),
  );
});
