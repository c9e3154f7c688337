/**
 * Infisical’s lists across apps, destinations and types, and what can be made of each. AWS is all
 * there is.
 */
import { destinationNames } from '../../domain/destinations/names.ts';
import { destinations } from '../../domain/destinations/registry.ts';
import { appConnectionShape, toAppConnection } from './connection-shapes.ts';
import type { Api, ApiOptions } from './env.ts';
import { answers, common, compatibilityTag, createRoute, listQuery, windowOf, z } from './operation.ts';
import { secretRotationShape, toSecretRotation } from './rotation-shapes.ts';
import { secretSyncShape, toSecretSync } from './sync-shapes.ts';

const tag = compatibilityTag;
const query = z.object(listQuery);
const totalCount = z.number().int();

export function addOverviews(api: Api, options: ApiOptions): void {
  addConnections(api, options);
  addAvailable(api, options);
  addSyncs(api, options);
  addRotations(api, options);
  addOptions(api, options);
}

function addConnections(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'connection.listAll', scope: 'read', summary: 'List connections by name', tag }, options),
      method: 'get',
      path: '/api/v1/app-connections',
      request: { query },
      responses: answers(z.object({ appConnections: z.array(appConnectionShape), totalCount })),
    }),
    async (c) => {
      const { orgId } = c.get('caller');
      const { projectId, ...page } = c.req.valid('query');
      const { window, completed } = windowOf(page);
      const { rows, total } = completed(
        await options.queries.connections({ projectId, ...window, orgId, order: 'name' }),
      );
      const fingerprint = await options.fingerprints.forOrg(orgId);
      return c.json({ appConnections: rows.map((row) => toAppConnection(row, fingerprint)), totalCount: total }, 200);
    },
  );
}

/** Connections of the org itself and of the project. */
function addAvailable(api: Api, options: ApiOptions): void {
  const available = z.object({
    app: z.literal('aws'),
    name: z.string(),
    id: z.uuid(),
    projectId: z.string().nullable(),
  });
  api.openapi(
    createRoute({
      ...common(
        {
          id: 'connection.listAvailable',
          scope: 'read',
          summary: 'List the connections that a project can use',
          tag,
        },
        options,
      ),
      method: 'get',
      path: '/api/v1/app-connections/aws/available',
      request: { query: z.object({ projectId: listQuery.projectId }) },
      responses: answers(z.object({ appConnections: z.array(available) })),
    }),
    async (c) => {
      const { orgId } = c.get('caller');
      const { projectId } = c.req.valid('query');
      const { window, completed } = windowOf({ offset: 0 });
      const { rows } = completed(await options.queries.connections({ ...window, orgId, order: 'name' }));
      const usable = rows.filter((row) => projectId === undefined || [null, projectId].includes(row.projectId));
      const appConnections = usable.map(({ id, name, projectId: of }) => ({
        app: 'aws' as const,
        name,
        id,
        projectId: of,
      }));
      return c.json({ appConnections }, 200);
    },
  );
}

function addSyncs(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'sync.listAll', scope: 'read', summary: 'List syncs to all destinations', tag }, options),
      method: 'get',
      path: '/api/v1/secret-syncs',
      request: { query },
      responses: answers(z.object({ secretSyncs: z.array(secretSyncShape), totalCount })),
    }),
    async (c) => {
      const { projectId, ...page } = c.req.valid('query');
      const { window, completed } = windowOf(page);
      const { orgId } = c.get('caller');
      const { rows, total } = completed(await options.queries.syncs({ projectId, ...window, orgId, order: 'name' }));
      return c.json({ secretSyncs: rows.map(toSecretSync), totalCount: total }, 200);
    },
  );
}

function addRotations(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'rotation.listAll', scope: 'read', summary: 'List rotations of all types', tag }, options),
      method: 'get',
      path: '/api/v2/secret-rotations',
      request: { query },
      responses: answers(z.object({ secretRotations: z.array(secretRotationShape), totalCount })),
    }),
    async (c) => {
      const { projectId, ...page } = c.req.valid('query');
      const { window, completed } = windowOf(page);
      const { orgId } = c.get('caller');
      const { rows, total } = completed(
        await options.queries.rotations({ projectId, ...window, orgId, order: 'name' }),
      );
      return c.json({ secretRotations: rows.map(toSecretRotation), totalCount: total }, 200);
    },
  );
}

interface Kind {
  readonly path: string;
  readonly id: string;
  readonly field: string;
  readonly options: Record<string, string | boolean | string[]>[];
}

const kinds: readonly Kind[] = [
  {
    path: '/api/v1/app-connections/options',
    id: 'connection.listOptions',
    field: 'appConnectionOptions',
    options: [{ name: 'AWS', app: 'aws', methods: ['assume-role', 'access-key'] }],
  },
  {
    path: '/api/v1/secret-syncs/options',
    id: 'sync.listOptions',
    field: 'secretSyncOptions',
    options: destinationNames.map((destination) => ({
      name: `AWS ${destinations[destination].title}`,
      destination,
      connection: 'aws',
      canImportSecrets: true,
      canRemoveSecretsOnDeletion: true,
    })),
  },
  {
    path: '/api/v2/secret-rotations/options',
    id: 'rotation.listOptions',
    field: 'secretRotationOptions',
    options: [{ name: 'AWS IAM User Secret', type: 'aws-iam-user-secret', connection: 'aws' }],
  },
];

function addOptions(api: Api, options: ApiOptions): void {
  for (const kind of kinds) {
    const summary = 'List what can be made';
    api.openapi(
      createRoute({
        ...common({ id: kind.id, scope: 'read', summary, tag }, options),
        method: 'get',
        path: kind.path,
        responses: answers(z.object({ [kind.field]: z.array(z.record(z.string(), z.unknown())) })),
      }),
      (c) => c.json({ [kind.field]: kind.options }, 200),
    );
  }
}
