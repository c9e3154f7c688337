/**
 * For every route: paths and queries hold only text that can be stored, before anything of them is
 * looked up or recorded.
 */
import type { MiddlewareHandler } from 'hono';

import { isStorable } from '../../domain/text.ts';
import { problem } from '../problem.ts';

export const storableAddress: MiddlewareHandler = async (c, next) => {
  const query = Object.entries(c.req.queries()).flatMap(([name, values]) => [name, ...values]);
  if ([decoded(c.req.path), ...query].every(isStorable)) return next();
  return problem(c, 422, {
    code: 'PAYLOAD_INVALID',
    message: 'The address holds a character that cannot be stored (U+0000). Remove it.',
  });
};

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not UTF-8: the router leaves it as it is, too. Only the escape itself is searched for.
    return path.replaceAll('%00', '\0');
  }
}
