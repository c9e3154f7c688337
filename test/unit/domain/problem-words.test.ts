import { expect, it } from 'vitest';
import { z } from 'zod';

import { problemsOf, wordsOf } from '../../../src/domain/problem-words.ts';

function said(shape: z.ZodType, input: unknown): string {
  const { error } = shape.safeParse(input);
  return error?.issues.map(wordsOf).join('; ') ?? '';
}

it.each<[z.ZodType, unknown, string]>([
  [z.string(), undefined, 'is missing'],
  [z.string(), 7, 'must be text'],
  [z.number(), 'x', 'must be a number'],
  [z.number().int(), 1.5, 'must be a whole number'],
  [z.boolean(), 'yes', 'must be true or false'],
  [z.array(z.string()), {}, 'must be a list'],
  [z.object({}), [], 'must be an object'],
  [z.enum(['read', 'write']), 'all', 'must be one of read, write'],
  [z.literal('one'), 'two', 'must be one'],
  [z.uuid(), 'abc', 'must be a UUID'],
  [z.iso.datetime(), 'now', 'must be a time such as 2026-01-31T04:05:06Z'],
  [z.string().min(2), 'a', 'must have at least 2 characters'],
  [z.string().max(2), 'abc', 'must have at most 2 characters'],
  [z.number().max(200), 300, 'must be at most 200'],
  [z.array(z.string()).min(1), [], 'must have at least 1 element'],
  [z.string().regex(/^a$/, 'must be the letter a'), 'b', 'must be the letter a'],
  [z.record(z.string().regex(/^a$/, 'must be the letter a'), z.string()), { b: '' }, 'must be the letter a'],
  [
    z.discriminatedUnion('method', [z.object({ method: z.literal('a') }), z.object({ method: z.literal('b') })]),
    { method: 'c' },
    'must be one of a, b',
  ],
])('%# says what is wrong in words of ours', (shape, input, words) => {
  expect(said(shape, input)).toBe(words);
});

it('names each field once, in one form for the library, the command line, the API and the queues', () => {
  const shape = z.strictObject({ at: z.strictObject({ region: z.string() }), name: z.union([z.string(), z.null()]) });
  const problems = (input: unknown) => {
    const { error } = shape.safeParse(input);
    return error && problemsOf(error, { whole: 'input', ofUnknown: (field) => (field === 'id' ? 'no id' : undefined) });
  };
  expect(problems({ at: { region: 7, zone: 'a' }, name: 7, id: 1, 'a b': 2 })).toEqual([
    'at.region must be text',
    'at.zone is not a known field',
    'name must be text',
    'no id',
    'a… is not a known field',
  ]);
  expect(problems(7)).toEqual(['input must be an object']);
});

it('lists as many problems as a person reads, and counts the others', () => {
  const { error } = z.array(z.number()).safeParse(Array.from({ length: 25 }, () => 'x'));
  const problems = error ? problemsOf(error, { whole: 'input' }) : [];
  expect([problems.length, problems[0], problems.at(-1)]).toEqual([21, '0 must be a number', '5 more']);
});
