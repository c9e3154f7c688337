/**
 * What Infisical’s API has and keyferry does not: values are never read back, and everything but
 * AWS connections, syncs, rotations and folders is out of scope. A client gets the reason, never an
 * empty answer or a placeholder.
 */
import { refuseMethod } from '../methods.ts';
import { problem } from '../problem.ts';
import type { Api } from './env.ts';

const VALUES = ['/api/v3/secrets', '/api/v3/secrets/*', '/api/v4/secrets', '/api/v4/secrets/*', '/api/v1/dashboard/*'];

const outside: ReadonlySet<string> = new Set(VALUES);

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
    const refused = refuseMethod(
      c,
      api.routes.filter(({ path }) => !outside.has(path)),
    );
    if (refused !== undefined) return refused;
    return problem(
      c,
      404,
      `${c.req.method} ${c.req.path} is not part of keyferry. keyferry manages AWS connections, secret syncs and IAM user rotations; docs/infisical.md lists what it answers of Infisical’s API.`,
    );
  });
}
