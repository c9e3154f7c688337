/**
 * Query parameters that an operation does not have are refused: a misspelt `removeSecrets` must not
 * delete something else.
 */
import { z } from '@hono/zod-openapi';

import { nearest } from '../../domain/nearest.ts';
import { cutText } from '../../domain/text.ts';

const MAX_NAMED = 20;

/** The same query, without room for others. */
export function strictQuery(query: z.ZodType | undefined): z.ZodType {
  const shape = query instanceof z.ZodObject ? query.shape : {};
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? describeUnknown(issue.keys, known) : undefined),
  });
}

function describeUnknown(names: readonly string[], known: readonly string[]): string {
  return names
    .slice(0, MAX_NAMED)
    .map((name) => {
      const meant = nearest(name, known);
      const hint = meant === undefined ? '' : `, but ${meant} is`;
      return `${cutText(name, 64)} is not a query parameter of this operation${hint}`;
    })
    .join('; ');
}
