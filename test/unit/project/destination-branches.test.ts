/** The lint rule that keeps branches on destinations in their own folders. */
import { Linter } from 'eslint';
import { expect, it, test } from 'vitest';

import { destinationNames, kindIds } from '../../../src/domain/destinations/names.ts';
import { allKinds, services } from '../../../src/domain/destinations/registry.ts';

interface LintConfig {
  readonly destinationWords: readonly string[];
  readonly noDestinationBranches: readonly { readonly selector: string; readonly message: string }[];
}
const config = new URL('../../../eslint.config.js', import.meta.url).href;
const { destinationWords, noDestinationBranches } = (await import(config)) as LintConfig;

test('the rule knows every name of a destination', () => {
  const mappings = allKinds.flatMap(({ mapping }) => mapping ?? []);
  const names = [...kindIds, ...destinationNames, ...services.map(({ name }) => name), ...mappings];
  expect([...destinationWords].sort()).toEqual([...new Set(names)].sort());
});

const problems = (code: string): number =>
  new Linter().verify(code, { rules: { 'no-restricted-syntax': ['error', ...noDestinationBranches] } }).length;

it.each([
  "if (place.service === 'ssm') go();",
  "if ('aws-parameter-store' !== sync.destination) go();",
  "switch (kind.id) { case 'json-secret': go(); }",
  "const table = { 'secrets-manager': 1 };",
  "if ('secretName' in target) go();",
  'if (config.mappingBehavior) go();',
  "if (kinds.includes('json-secret')) go();",
])('refuses %s', (code) => {
  expect(problems(code)).toBe(1);
});

it.each([
  'if (kind.holdsAllKeys) go();',
  "create({ destination: 'aws-parameter-store' });",
  "if ('path' === name) go();",
  "const title = kinds['json-secret'].title;",
])('allows %s', (code) => {
  expect(problems(code)).toBe(0);
});
