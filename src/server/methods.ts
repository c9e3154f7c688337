/** Which methods a path takes, so that another one is refused by name: 405, not 404. */
import type { Context } from 'hono';

import { problem } from './problem.ts';

interface DeclaredRoute {
  /** `ALL` for handlers in front of other routes. */
  readonly method: string;
  /** With `:name` for one part, or `*` for all that follow. */
  readonly path: string;
}

/** Undefined where nothing is declared at the path, or the method is not what is wrong. */
export function refuseMethod(c: Context, routes: readonly DeclaredRoute[]): Response | undefined {
  const { path, method } = c.req;
  const declared = routes.filter((route) => route.method !== 'ALL' && matches(route.path, path));
  const methods = declared.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
  const allowed = [...new Set(methods)].sort().join(', ');
  if (allowed === '' || methods.includes(method)) return undefined;
  c.header('Allow', allowed);
  return problem(c, 405, `${path} takes ${allowed}, not ${method}.`);
}

function matches(declared: string, path: string): boolean {
  const [parts, given] = [declared.split('/'), path.split('/')];
  if (parts.at(-1) === '*' ? given.length < parts.length : given.length !== parts.length) return false;
  return parts.every((part, at) => part === '*' || (part.startsWith(':') ? given[at] !== '' : part === given[at]));
}
