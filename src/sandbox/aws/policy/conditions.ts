/**
 * Condition operators of the policy language. Unknown operators are refused when the policy is
 * compiled.
 */
import { PolicySyntaxError } from './syntax-error.ts';
import { matchesWildcard } from './wildcard.ts';

/** Context keys are case-insensitive; the lookup gets a lower-case key. */
export type ContextLookup = (lowerCaseKey: string) => readonly string[] | undefined;

export interface CompiledCondition {
  readonly key: string;
  readonly quantifier: 'any' | 'all' | undefined;
  readonly ifExists: boolean;
  readonly negated: boolean;
  readonly isNull: boolean;
  readonly values: readonly string[];
  readonly test: (actual: string, expected: string) => boolean;
}

type Test = (actual: string, expected: string) => boolean;

const BASE_TESTS: Readonly<Record<string, Test>> = {
  StringEquals: (a, e) => a === e,
  StringEqualsIgnoreCase: (a, e) => a.toLowerCase() === e.toLowerCase(),
  StringLike: (a, e) => matchesWildcard(e, a),
  ArnEquals: (a, e) => matchesWildcard(e, a),
  ArnLike: (a, e) => matchesWildcard(e, a),
  Bool: (a, e) => a.toLowerCase() === e.toLowerCase(),
  NumericEquals: (a, e) => Number(a) === Number(e),
  NumericLessThan: (a, e) => Number(a) < Number(e),
  NumericLessThanEquals: (a, e) => Number(a) <= Number(e),
  NumericGreaterThan: (a, e) => Number(a) > Number(e),
  NumericGreaterThanEquals: (a, e) => Number(a) >= Number(e),
  DateEquals: (a, e) => Date.parse(a) === Date.parse(e),
  DateLessThan: (a, e) => Date.parse(a) < Date.parse(e),
  DateLessThanEquals: (a, e) => Date.parse(a) <= Date.parse(e),
  DateGreaterThan: (a, e) => Date.parse(a) > Date.parse(e),
  DateGreaterThanEquals: (a, e) => Date.parse(a) >= Date.parse(e),
  IpAddress: isInCidr,
};

const NEGATIONS: Readonly<Record<string, string>> = {
  StringNotEquals: 'StringEquals',
  StringNotEqualsIgnoreCase: 'StringEqualsIgnoreCase',
  StringNotLike: 'StringLike',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
  NumericNotEquals: 'NumericEquals',
  DateNotEquals: 'DateEquals',
  NotIpAddress: 'IpAddress',
};

export function compileCondition(operator: string, key: string, values: readonly string[]): CompiledCondition {
  const parts = /^(?:(ForAnyValue|ForAllValues):)?(\w+?)(IfExists)?$/.exec(operator);
  const name = parts?.[2] ?? operator;
  const isNull = name === 'Null';
  const base = NEGATIONS[name] ?? name;
  const test = isNull ? (): boolean => false : BASE_TESTS[base];
  if (!test) throw new PolicySyntaxError(`Invalid Condition type : ${operator}.`);
  return {
    key: key.toLowerCase(),
    quantifier: parts?.[1] === 'ForAnyValue' ? 'any' : parts?.[1] === 'ForAllValues' ? 'all' : undefined,
    ifExists: parts?.[3] !== undefined,
    negated: name in NEGATIONS,
    isNull,
    values,
    test,
  };
}

export function conditionHolds(
  condition: CompiledCondition,
  context: ContextLookup,
  expand: (value: string) => string,
): boolean {
  const actual = context(condition.key);
  if (condition.isNull) return condition.values.some((value) => (value === 'true') === (actual === undefined));
  if (actual === undefined) return condition.ifExists || condition.negated || condition.quantifier === 'all';
  const expected = condition.values.map(expand);
  const matches = (value: string): boolean => expected.some((e) => condition.test(value, e)) !== condition.negated;
  // Without a quantifier a key has one value; a negated operator must then hold for all of them.
  if (condition.quantifier === 'all' || (condition.quantifier === undefined && condition.negated))
    return actual.every(matches);
  return actual.some(matches);
}

function isInCidr(address: string, range: string): boolean {
  const [base = '', bits = '32'] = range.split('/');
  const [a, b] = [toIpv4Number(address), toIpv4Number(base)];
  if (a === undefined || b === undefined) return address === range;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(a / size) === Math.floor(b / size);
}

function toIpv4Number(address: string): number | undefined {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}
