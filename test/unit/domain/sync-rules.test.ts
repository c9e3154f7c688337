import { expect, test } from 'vitest';

import { findTagsProblem } from '../../../src/domain/sync/rules.ts';
import { findValueProblem, toTarget } from '../../../src/domain/sync/target.ts';
import { place, secretPlace } from './sync-fixtures.ts';

const region = 'eu-west-1';
const parameters = toTarget(
  { destination: 'aws-parameter-store', destinationConfig: { region, path: '/a/' }, syncOptions: {} },
  { projectId: 'shop', environment: 'prod', secretPath: '/api' },
);
const secrets = toTarget(
  { destination: 'aws-secrets-manager', destinationConfig: { region, mappingBehavior: 'one-to-one' }, syncOptions: {} },
  { projectId: 'shop', environment: 'prod', secretPath: '/api' },
);
const standard = { keyId: null, tags: {}, tier: 'standard' as const };

test.each([
  ['/app/KEY.with-all_9', undefined],
  ['/app//KEY', /empty level/],
  ['/aws/KEY', /must not begin with aws or ssm/],
  ['/Ssm/KEY', /must not begin with aws or ssm/],
  ['/app/KEY WITH SPACE', /may hold only/],
  [`/${'a/'.repeat(14)}b`, undefined],
  [`/${'a/'.repeat(15)}b`, /16 levels; AWS allows 15/],
  [`/${'a'.repeat(966)}`, undefined],
  [`/${'a'.repeat(967)}`, /1 characters too long/],
])('parameter name %#: %s', (name, problem) => {
  if (problem === undefined) expect(parameters.kind.findNameProblem(name, place)).toBeUndefined();
  else expect(parameters.kind.findNameProblem(name, place)?.message).toMatch(problem);
});

test.each([
  ['prod/KEY_+=.@-', undefined],
  ['prod/KEY!', /may hold only/],
  ['a'.repeat(512), undefined],
  ['a'.repeat(513), /513 characters; AWS allows 512/],
])('secret name %#: %s', (name, problem) => {
  if (problem === undefined) expect(secrets.kind.findNameProblem(name, secretPlace)).toBeUndefined();
  else expect(secrets.kind.findNameProblem(name, secretPlace)?.message).toMatch(problem);
});

test('sizes are counted in bytes, and a larger tier holds twice as much', () => {
  const check = (value: string, tier: 'standard' | 'advanced' | 'intelligent') =>
    findValueProblem(value, parameters, { ...standard, tier })?.message;
  expect(check('é'.repeat(2_048), 'standard')).toBeUndefined();
  expect(check('é'.repeat(2_049), 'standard')).toMatch(/4098 bytes; standard parameters hold 4096/);
  expect(check('x'.repeat(8_192), 'advanced')).toBeUndefined();
  expect(check('x'.repeat(8_193), 'intelligent')).toMatch(/8193 bytes; parameters hold at most 8192/);
});

test('Secrets Manager holds 65,536 bytes, and braces', () => {
  expect(findValueProblem('{{x}}'.padEnd(65_536, 'x'), secrets, standard)).toBeUndefined();
  expect(findValueProblem('x'.repeat(65_537), secrets, standard)?.message).toMatch(/65537 bytes/);
  expect(findValueProblem('{{x}}', parameters, standard)?.message).toMatch(/must not hold/);
});

test('an empty value is a violation everywhere, and no message holds a value', () => {
  for (const target of [parameters, secrets])
    expect(findValueProblem('', target, standard)?.message).toMatch(/is empty/);
  expect(findValueProblem('{{hunter}}', parameters, standard)?.message).not.toContain('hunter');
});

test.each([
  [{ ok: 'value @ all' }, undefined],
  [{ 'aws:x': 'y' }, /does not allow the tag aws:x/],
  [{ KeyFerry: 'y' }, undefined],
  [{ 'keyferry:sync': 'y' }, /does not allow the tag keyferry:sync/],
  [{ x: 'a'.repeat(257) }, /does not allow the tag x/],
  [{ x: 'semi;colon' }, /does not allow the tag x/],
  [
    Object.fromEntries(Array.from({ length: 50 }, (_, index) => [String(index), ''])),
    /50 tags; AWS allows 50, one of which/,
  ],
] as readonly (readonly [Record<string, string>, RegExp | undefined])[])('tags %#', (tags, problem) => {
  if (problem === undefined) expect(findTagsProblem(tags)).toBeUndefined();
  else expect(findTagsProblem(tags)?.message).toMatch(problem);
});
