/**
 * `/api/v1/secret-syncs/{destination}`: Infisical’s paths for both AWS destinations, and keyferry's
 * own `plan`.
 */
import type { Context } from 'hono';

import type { SyncStatus } from '../../db/status/queries.ts';
import { destinationNames } from '../../domain/destinations/names.ts';
import { destinations } from '../../domain/destinations/registry.ts';
import type { Api, ApiOptions } from './env.ts';
import { defined } from '../../domain/defined.ts';
import { requireSameApp, requireSameId } from './infisical.ts';
import { answers, common, compatibilityTag, createRoute, jsonBody, listQuery, windowOf, z } from './operation.ts';
import { findSync, type SyncApi } from './sync-part.ts';
import { addSyncActions } from './sync-actions.ts';
import { addSyncOrders } from './sync-orders.ts';
import { ifMatch, tagVersion } from './versions.ts';
import { secretSyncShape, shapesOf, toOptions, toSecretSync, wordOf } from './sync-shapes.ts';

const one = z.object({ secretSync: secretSyncShape });
const byId = z.object({ syncId: z.uuid() });

export function addSyncs(api: Api, options: ApiOptions): void {
  for (const destination of destinationNames) {
    const word = wordOf(destination);
    const part: SyncApi = {
      api,
      options,
      destination,
      base: `/api/v1/secret-syncs/${destination}`,
      noun: `${word.charAt(0).toLowerCase()}${word.slice(1)}Sync`,
      tag: `Syncs to ${destinations[destination].title}`,
    };
    addCreate(part);
    addReads(part);
    addUpdate(part);
    addDestinationCheck(part);
    addSyncActions(part);
    addSyncOrders(part);
  }
}

function addCreate(part: SyncApi): void {
  const { api, options, base, noun, tag, destination } = part;
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.create`, scope: 'write', summary: 'Create a sync; it runs at once', tag }, options),
      method: 'post',
      path: base,
      request: { body: jsonBody(shapesOf(destination).create) },
      responses: answers(one),
    }),
    async (c) => {
      const body = c.req.valid('json');
      requireSameApp('App', body.App, destination);
      const { projectId, environment, secretPath } = body;
      const created = await c.get('client').syncs.create({
        name: body.name,
        ...defined({ description: body.description }),
        connection: body.connectionId,
        source: { projectId, environment, secretPath },
        destination,
        destinationConfig: body.destinationConfig,
        syncOptions: { ...toOptions(body.syncOptions), ...(await unnamedOnExisting(c)) },
        isAutoSyncEnabled: body.isAutoSyncEnabled ?? body.isEnabled ?? true,
      });
      c.set('subject', created.id);
      return c.json({ secretSync: shown(c, await findSync(c, part, { id: created.id })) }, 200);
    },
  );
}

function addReads(part: SyncApi): void {
  const { api, options, base, noun, tag, destination } = part;
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.list`, scope: 'read', summary: 'List syncs by name', tag }, options),
      method: 'get',
      path: base,
      request: { query: z.object(listQuery) },
      responses: answers(z.object({ secretSyncs: z.array(secretSyncShape), totalCount: z.number().int() })),
    }),
    async (c) => {
      const { projectId, ...page } = c.req.valid('query');
      const { window, completed } = windowOf(page);
      const query = { projectId, ...window, orgId: c.get('caller').orgId, destination, order: 'name' } as const;
      const { rows, total } = completed(await options.queries.syncs(query));
      return c.json({ secretSyncs: rows.map(toSecretSync), totalCount: total }, 200);
    },
  );
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.getByName`, scope: 'read', summary: 'Get a sync by name', tag }, options),
      method: 'get',
      path: `${base}/sync-name/{name}`,
      request: {
        params: z.object({ name: z.string().min(1).max(256) }),
        query: z.object({ projectId: listQuery.projectId }),
      },
      responses: answers(one),
    }),
    async (c) => {
      const reference = { ...c.req.valid('param'), ...c.req.valid('query') };
      return c.json({ secretSync: shown(c, await findSync(c, part, reference)) }, 200);
    },
  );
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.get`, scope: 'read', summary: 'Get a sync', tag }, options),
      method: 'get',
      path: `${base}/{syncId}`,
      request: { params: byId },
      responses: answers(one),
    }),
    async (c) => c.json({ secretSync: shown(c, await findSync(c, part, { id: c.req.valid('param').syncId })) }, 200),
  );
}

function addUpdate(part: SyncApi): void {
  const { api, options, base, noun, tag, destination } = part;
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.update`, scope: 'write', summary: 'Change a sync; it runs at once', tag }, options),
      method: 'patch',
      path: `${base}/{syncId}`,
      request: { params: byId, body: jsonBody(shapesOf(destination).update) },
      responses: answers(one),
    }),
    async (c) => {
      const { syncId } = c.req.valid('param');
      const body = c.req.valid('json');
      requireSameApp('App', body.App, destination);
      requireSameId(body.ID, syncId);
      await findSync(c, part, { id: syncId });
      const { projectId, environment, secretPath } = body;
      await c.get('client').syncs.update(
        syncId,
        {
          ...defined({
            name: body.name,
            description: body.description,
            connection: body.connectionId,
            destinationConfig: body.destinationConfig,
            isAutoSyncEnabled: body.isAutoSyncEnabled ?? body.isEnabled,
          }),
          source: defined({ projectId, environment, secretPath }),
          ...(body.syncOptions === undefined
            ? {}
            : { syncOptions: toChanges(toOptions(body.syncOptions), await sentOptions(c)) }),
        },
        ifMatch(c),
      );
      return c.json({ secretSync: shown(c, await findSync(c, part, { id: syncId })) }, 200);
    },
  );
}

function addDestinationCheck(part: SyncApi): void {
  const { api, options, base, noun, destination } = part;
  const tag = compatibilityTag;
  const summary = 'Say whether another sync writes to the same place';
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.checkDestination`, scope: 'read', summary, tag }, options),
      method: 'post',
      path: `${base}/check-destination`,
      request: { body: jsonBody(shapesOf(destination).check) },
      responses: answers(z.object({ hasDuplicate: z.boolean(), duplicateProjectId: z.string().optional() })),
    }),
    async (c) => {
      const { App, destinationConfig, excludeSyncId } = c.req.valid('json');
      requireSameApp('App', App, destination);
      const { orgId } = c.get('caller');
      const target = { orgId, destination, destinationConfig, exceptSyncId: excludeSyncId };
      const duplicateProjectId = await options.queries.duplicateTarget(target);
      return c.json({ hasDuplicate: duplicateProjectId !== undefined, ...defined({ duplicateProjectId }) }, 200);
    },
  );
}

function shown(c: Context, sync: SyncStatus) {
  tagVersion(c, sync.version);
  return toSecretSync(sync);
}

/**
 * An identity may choose what its syncs do with existing objects where the request does not say.
 */
async function unnamedOnExisting(c: Context) {
  return (await sentOptions(c)).has('onExisting') ? {} : { onExisting: c.get('caller').onExisting };
}

/** What Infisical has options for; it replaces all of them in every change. */
const unset = {
  keySchema: null,
  keyId: null,
  tags: null,
  disableSecretDeletion: false,
  syncSecretMetadataAsTags: false,
} as const;

/** Defaults of fields that were not sent must not overwrite what is set. */
function toChanges<T extends object>(parsed: T, sent: ReadonlySet<string>): Partial<T> {
  const given = Object.fromEntries(Object.entries(parsed).filter(([name]) => sent.has(name)));
  return (sent.has('initialSyncBehavior') ? { ...unset, ...given } : given) as Partial<T>;
}

async function sentOptions(c: Context): Promise<ReadonlySet<string>> {
  const { syncOptions = {} } = await c.req.json<{ syncOptions?: object }>();
  return new Set(Object.keys(syncOptions));
}
