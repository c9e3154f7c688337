/**
 * What is wrong with a field, in words of ours where the schema has none of its own: the
 * validator's sentences are its developers' language. Pure.
 */
import type { z } from 'zod';

import { counted } from './counted.ts';

/** As the validator's own sentences begin; those of the schemas here begin in lower case. */
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
