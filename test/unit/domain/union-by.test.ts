import { expect, it } from 'vitest';
import { z } from 'zod';

import { unionBy } from '../../../src/domain/union-by.ts';

const shape = unionBy('method', [
  z.strictObject({ method: z.literal('role'), name: z.string(), credentials: z.strictObject({ arn: z.string() }) }),
  z
    .strictObject({
      method: z.literal('key'),
      name: z.string(),
      credentials: z.strictObject({ id: z.string(), secret: z.string() }),
    })
    .refine(({ name }) => name !== 'key', 'is not a name for a key'),
]);

const refusedBy = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value).error?.issues.map(({ path }) => path.join('.'));

it.each<[string, object, readonly string[]]>([
  ['every shape refuses', { name: 7, credentials: 8 }, ['method', 'name', 'credentials']],
  ['the only shape with these fields refuses', { credentials: { arn: 7 } }, ['method', 'name', 'credentials.arn']],
  ['another shape has these fields for', { name: 'a', credentials: { secret: 's' } }, ['method', 'credentials.id']],
  ['nobody knows', { name: 'a', credentials: { arn: 'a' }, extra: 1 }, ['method', '']],
  ['one of several possible shapes lacks', { name: 'a', credentials: {} }, ['method']],
])('reports beside the wrong value what %s', (_what, fields, paths) => {
  for (const method of ['rolle', undefined, 7, {}]) expect(refusedBy(shape, { ...fields, method })).toEqual(paths);
});

it('reports it where the union is a part of a body, with the other parts', () => {
  const body = z.strictObject({ target: shape, at: z.number() });
  expect(refusedBy(body, { target: { method: 'x', name: 7, credentials: { arn: 'a' } }, at: '' })).toEqual([
    'target.method',
    'target.name',
    'at',
  ]);
});

it('reports once what a known shape refuses, and gives what it takes with its type', () => {
  expect(refusedBy(shape, { method: 'role', name: 7, credentials: {} })).toEqual(['name', 'credentials.arn']);
  const taken = shape.parse({ method: 'role', name: 'a', credentials: { arn: 'b' } });
  expect(taken.method === 'role' && taken.credentials.arn).toBe('b');
  expect(refusedBy(shape, 'text')).toEqual(['']);
});
