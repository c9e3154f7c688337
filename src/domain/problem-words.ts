/**
 * Words what is wrong with the fields of an input where the schema has no message of its own: the
 * validator's sentences are written for developers. The library, the command line, the API and the
 * queues report problems in the same form. Pure.
 */
import type { z } from 'zod';

import { counted } from './counted.ts';
import { shownName } from './text.ts';

/** As many as a person reads; an input with bad keys has an issue for each. */
const MAX_PROBLEMS = 20;

interface ProblemWords {
  /** What the input as a whole is called. */
  readonly whole: string;
  /** The message about an unknown field, in place of the general one. */
  readonly ofUnknown?: (field: string) => string | undefined;
}

/** `destinationConfig.region is missing`, one for each problem: fields by name, never a value. */
export function problemsOf({ issues }: z.ZodError, words: ProblemWords): readonly string[] {
  const problems = new Set(issues.slice(0, MAX_PROBLEMS).flatMap((issue) => describeIssue(issue, words)));
  const shown = [...problems].slice(0, MAX_PROBLEMS);
  return issues.length > MAX_PROBLEMS ? [...shown, `${String(issues.length - MAX_PROBLEMS)} more`] : shown;
}

function describeIssue(issue: z.core.$ZodIssue, words: ProblemWords): readonly string[] {
  const path = issue.path.map((part) => shownName(String(part))).join('.');
  if (issue.code === 'unrecognized_keys' && LIBRARY.test(issue.message)) {
    const inPath = (key: string) => [path, shownName(key)].filter(Boolean).join('.');
    return issue.keys
      .slice(0, MAX_PROBLEMS)
      .map((key) => words.ofUnknown?.(key) ?? `${inPath(key)} is not a known field`);
  }
  if (issue.code === 'unrecognized_keys') return [issue.message];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [first = []] = [...issue.errors].sort((a, b) => a.length - b.length);
    return first.flatMap((inner) => describeIssue({ ...inner, path: [...issue.path, ...inner.path] }, words));
  }
  return [`${path || words.whole} ${wordsOf(issue)}`];
}

/** How the validator's own sentences begin; those of the schemas here begin in lower case. */
const LIBRARY = /^(Invalid|Too (small|big)|Unrecognized)/;

const types: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  date: 'a date',
};

const formats: Readonly<Record<string, string>> = {
  uuid: 'a UUID',
  datetime: 'a time such as 2026-01-31T04:05:06Z',
  url: 'a URL',
  date: 'a date such as 2026-01-31',
};

export function wordsOf(issue: z.core.$ZodIssue): string {
  const { message } = issue;
  if (!LIBRARY.test(message)) return message.charAt(0).toLowerCase() + message.slice(1);
  switch (issue.code) {
    case 'invalid_type':
      return message.endsWith('received undefined')
        ? 'is missing'
        : `must be ${types[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map(String))}`;
    case 'invalid_format':
      return `must be ${formats[issue.format] ?? 'of another form'}`;
    case 'too_small':
      return bound(issue, 'at least', Number(issue.minimum));
    case 'too_big':
      return bound(issue, 'at most', Number(issue.maximum));
    case 'invalid_union':
      return unionWords(message);
    case 'invalid_key':
      return issue.issues[0] === undefined ? 'is not a name' : wordsOf(issue.issues[0]);
    default:
      return 'is not valid';
  }
}

/** The validator names the values of the field that decides which shape is meant. */
function unionWords(message: string): string {
  const values = [...message.matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '');
  return values.length === 0 ? 'has none of the allowed forms' : `must be ${oneOf(values)}`;
}

function bound({ origin }: { readonly origin: string }, side: string, limit: number): string {
  if (origin === 'string') return `must have ${side} ${counted(limit, 'character')}`;
  if (origin === 'array' || origin === 'set') return `must have ${side} ${counted(limit, 'element')}`;
  return `must be ${side} ${String(limit)}`;
}

function oneOf(values: readonly string[]): string {
  const [only = '', ...others] = values;
  return others.length === 0 ? only : `one of ${values.join(', ')}`;
}
