/**
 * What Infisical’s API has and keyferry has not: values are never read back, and everything but AWS
 * connections, syncs, rotations and folders is out of scope. A client gets the reason, never an
 * empty answer or a placeholder.
 */
import { problem } from '../problem.ts';
import type { Api } from './env.ts';

const VALUES = [
  '/api/v3/secrets',
  '/api/v3/secrets/*',
  '/api/v4/secrets',
  '/api/v4/secrets/*',
  '/api/v1/dashboard/*',
] as const;

/** After all other routes. */
export function addOutside(api: Api): void {
  for (const path of VALUES) {
    api.get(path, (c) =>
      problem(
        c,
        403,
        'keyferry gives out no secret values: applications read them at AWS, where a sync writes them. GET /api/v1/folders/secrets lists names. See docs/infisical.md.',
      ),
    );
  }
  api.all('/api/*', (c) => {
    const allowed = allowedMethods(api, c.req.path);
    if (allowed.length > 0) {
      c.header('Allow', allowed.join(', '));
      return problem(c, 405, `${c.req.path} takes ${allowed.join(', ')}, not ${c.req.method}.`);
    }
    return problem(
      c,
      404,
      `${c.req.method} ${c.req.path} is not part of keyferry. keyferry manages AWS connections, secret syncs and IAM user rotations; docs/infisical.md lists what it answers of Infisical’s API.`,
    );
  });
}

/** None for a path that nothing is declared at. */
function allowedMethods(api: Api, path: string): readonly string[] {
  const declared = api.openAPIRegistry.definitions.flatMap((one) => (one.type === 'route' ? [one.route] : []));
  const methods = declared.filter((route) => matches(route.path, path)).map(({ method }) => method.toUpperCase());
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].sort();
}

/** `{name}` stands for one part of the path. */
function matches(declared: string, path: string): boolean {
  const [parts, given] = [declared.split('/'), path.split('/')];
  return parts.length === given.length && parts.every((part, at) => part.startsWith('{') || part === given[at]);
}
