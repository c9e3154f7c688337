/**
 * `PUT /api/v1/folders/secrets`: how secrets come in. One transaction, one new revision; dependent
 * syncs become due. Values never come out.
 */
import { placeShape, secretKeyShape, secretValueShape } from '../../client/input.ts';
import type { Api, ApiOptions } from './env.ts';
import { defined } from '../../domain/defined.ts';
import { tagVersion, versionsOf } from './versions.ts';
import { answers, common, createRoute, jsonBody, z } from './operation.ts';

const BASE = '/api/v1/folders/secrets';
const tag = 'Folders';

const setBody = placeShape
  .extend({
    secrets: z.record(secretKeyShape, secretValueShape.nullable()).describe('Key to value; null removes the key'),
    metadata: z
      .record(secretKeyShape, z.record(z.string(), z.string()))
      .optional()
      .describe('Key to metadata, which syncs may write as tags; a key that is not in `secrets` keeps its value'),
    mode: z
      .enum(['merge', 'replace'])
      .default('merge')
      .describe('`replace` removes all other keys, except those that a rotation manages'),
  })
  .openapi('SetSecrets');

const folder = z.object({
  id: z.uuid(),
  revision: z.number().int(),
  set: z.number().int(),
  removed: z.number().int(),
  dueSyncs: z.number().int().describe('Syncs that run now because of this change'),
});

export function addFolders(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'secrets.set', scope: 'write', summary: 'Set and remove secrets of a folder', tag }, options),
      method: 'put',
      path: BASE,
      request: { body: jsonBody(setBody) },
      responses: answers(z.object({ folder })),
    }),
    async (c) => {
      const { secrets, metadata, mode, ...place } = c.req.valid('json');
      const { folderId, ...change } = await c
        .get('client')
        .secrets.set(place, { values: secrets, mode, ...defined({ metadata, ifRevision: versionsOf(c) }) });
      c.set('subject', folderId);
      tagVersion(c, change.revision);
      return c.json({ folder: { id: folderId, ...change } }, 200);
    },
  );
  api.openapi(
    createRoute({
      ...common({ id: 'secrets.list', scope: 'read', summary: 'List the names of a folder’s secrets', tag }, options),
      method: 'get',
      path: BASE,
      request: { query: z.object(placeShape.shape) },
      responses: answers(
        z.object({
          secrets: z.array(
            z.object({
              key: z.string(),
              revision: z.number().int(),
              metadata: z.record(z.string(), z.string()),
              managedBy: z.uuid().nullable(),
              updatedAt: z.iso.datetime(),
            }),
          ),
        }),
      ),
    }),
    async (c) => {
      const { secrets } = c.get('client');
      // Read before the names: a change in between makes the tag old, never the names.
      tagVersion(c, await secrets.revision(c.req.valid('query')));
      const names = await secrets.list(c.req.valid('query'));
      return c.json({ secrets: names.map((name) => ({ ...name, updatedAt: name.updatedAt.toISOString() })) }, 200);
    },
  );
}
