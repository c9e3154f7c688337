/** The policy language, as far as the sandbox speaks it. */
import { expect, test } from 'vitest';
import { compilePolicy, type PolicyStatement } from '../../../src/sandbox/aws/policy/document.ts';
import { evaluatePolicies } from '../../../src/sandbox/aws/policy/evaluate.ts';

const VERSION = '2012-10-17';
const BASE: PolicyStatement = { Effect: 'Allow', Action: '*', Resource: '*' };

function decide(
  statements: PolicyStatement[],
  action: string,
  more: { resource?: string; context?: Record<string, string[]> } = {},
): string {
  const policy = compilePolicy({ Version: VERSION, Statement: statements }, 'identity');
  const { resource = '*', context = {} } = more;
  return evaluatePolicies([policy], { action, resource, context: (key) => context[key] }).decision;
}

test('actions compare without case, resources with', () => {
  const statement = { ...BASE, Action: 'SSM:put*', Resource: 'arn:aws:ssm:*:*:parameter/App/?' };
  expect(decide([statement], 'ssm:PutParameter', { resource: 'arn:aws:ssm:eu-west-1:1:parameter/App/x' })).toBe(
    'allowed',
  );
  expect(decide([statement], 'ssm:PutParameter', { resource: 'arn:aws:ssm:eu-west-1:1:parameter/app/x' })).toBe(
    'implicitDeny',
  );
  expect(decide([statement], 'ssm:PutParameter', { resource: 'arn:aws:ssm:eu-west-1:1:parameter/App/xy' })).toBe(
    'implicitDeny',
  );
});

test('characters of regular expressions mean themselves', () => {
  expect(decide([{ ...BASE, Resource: 'a.c+(d)*' }], 'ssm:X', { resource: 'a.c+(d)e' })).toBe('allowed');
  expect(decide([{ ...BASE, Resource: 'a.c' }], 'ssm:X', { resource: 'abc' })).toBe('implicitDeny');
});

test('NotAction and NotResource turn around', () => {
  expect(decide([{ Effect: 'Allow', NotAction: 'iam:*', Resource: '*' }], 'ssm:X')).toBe('allowed');
  expect(decide([{ Effect: 'Allow', NotAction: 'iam:*', Resource: '*' }], 'iam:X')).toBe('implicitDeny');
  expect(decide([{ Effect: 'Allow', Action: '*', NotResource: 'a*' }], 'ssm:X', { resource: 'abc' })).toBe(
    'implicitDeny',
  );
});

test('a deny wins over every allow', () => {
  expect(decide([BASE, { ...BASE, Effect: 'Deny', Action: 'ssm:Delete*' }], 'ssm:DeleteParameter')).toBe(
    'explicitDeny',
  );
});

test.each<[string, PolicyStatement['Condition'], Record<string, string[]>, boolean]>([
  ['StringEquals', { StringEquals: { 'sts:ExternalId': ['a', 'b'] } }, { 'sts:externalid': ['b'] }, true],
  ['StringEquals, absent', { StringEquals: { 'sts:ExternalId': 'a' } }, {}, false],
  ['StringEqualsIfExists, absent', { StringEqualsIfExists: { 'sts:ExternalId': 'a' } }, {}, true],
  ['StringNotEquals, absent', { StringNotEquals: { 'sts:ExternalId': 'a' } }, {}, true],
  [
    'StringLike',
    { StringLike: { 'aws:PrincipalArn': 'arn:*:user/*' } },
    { 'aws:principalarn': ['arn:aws:iam::1:user/x'] },
    true,
  ],
  ['Null, present', { Null: { 'sts:ExternalId': 'true' } }, { 'sts:externalid': ['a'] }, false],
  ['Null, absent', { Null: { 'sts:ExternalId': 'true' } }, {}, true],
  ['Bool', { Bool: { 'aws:SecureTransport': 'true' } }, { 'aws:securetransport': ['true'] }, true],
  ['NumericLessThanEquals', { NumericLessThanEquals: { 'x:days': '30' } }, { 'x:days': ['31'] }, false],
  [
    'DateGreaterThan',
    { DateGreaterThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' } },
    { 'aws:currenttime': ['2026-06-01T00:00:00Z'] },
    true,
  ],
  ['IpAddress', { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } }, { 'aws:sourceip': ['127.0.0.1'] }, true],
  ['NotIpAddress', { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { 'aws:sourceip': ['10.1.2.3'] }, false],
  [
    'ForAllValues',
    { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a', 'b'] } },
    { 'aws:tagkeys': ['a', 'c'] },
    false,
  ],
  ['ForAnyValue', { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['a', 'b'] } }, { 'aws:tagkeys': ['a', 'c'] }, true],
  [
    'two conditions',
    { StringEquals: { 'a:b': '1' }, StringLike: { 'c:d': '2*' } },
    { 'a:b': ['1'], 'c:d': ['3'] },
    false,
  ],
])('condition %s', (...row) => {
  const [, Condition, context, holds] = row;
  const statement = Condition === undefined ? BASE : { ...BASE, Condition };
  expect(decide([statement], 'ssm:X', { context })).toBe(holds ? 'allowed' : 'implicitDeny');
});

test('a variable without a value matches nothing', () => {
  const statement = { ...BASE, Resource: 'user/${aws:username}' };
  expect(decide([statement], 'iam:X', { resource: 'user/a', context: { 'aws:username': ['a'] } })).toBe('allowed');
  expect(decide([statement], 'iam:X', { resource: 'user/' })).toBe('implicitDeny');
});

test.each<[string, unknown]>([
  ['an unknown operator', { ...BASE, Condition: { StringMatches: { 'a:b': 'c' } } }],
  ['an unknown field', { ...BASE, Actions: '*' }],
  ['no action', { Effect: 'Allow', Resource: '*' }],
  ['an effect that is none', { ...BASE, Effect: 'allow' }],
  ['an action without a service', { ...BASE, Action: 'PutParameter' }],
  ['a principal where none belongs', { ...BASE, Principal: '*' }],
])('a policy with %s is refused, not guessed at', (_, statement) => {
  expect(() => compilePolicy({ Version: VERSION, Statement: statement as PolicyStatement }, 'identity')).toThrow();
});
