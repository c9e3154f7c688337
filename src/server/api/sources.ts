/**
 * `/api/v1/folders/source`: where the secrets of a folder come from. Credentials go in and never
 * come out.
 */
import { placeShape } from '../../client/input.ts';
import { newSourceShape, sourceKinds } from '../../domain/sources.ts';
import type { Api, ApiOptions } from './env.ts';
import { defined } from '../../domain/defined.ts';
import { answers, common, createRoute, jsonBody, moment, toMoment, z } from './operation.ts';
import { inOperations } from './wording.ts';
import type { FolderSource } from '../../client/types/source.ts';

const BASE = '/api/v1/folders/source';
const tag = 'Folders';

const setBody = placeShape
  .extend({ source: newSourceShape.describe('Settings by kind; they replace those of a source that is there') })
  .openapi('SetSource');

const runBody = placeShape
  .extend({
    confirmDeletions: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Lets this pull remove exactly this many secrets'),
  })
  .openapi('RunSource');

const sourceShape = z
  .object({
    folderId: z.uuid(),
    kind: z.enum(sourceKinds),
    config: z.record(z.string(), z.union([z.string(), z.boolean()])).describe('What may be shown of its settings'),
    everySeconds: z.number().int(),
    status: z.enum(['pending', 'succeeded', 'blocked', 'failed']),
    statusCode: z.string().nullable(),
    statusMessage: z.string().nullable(),
    statusSince: z.iso.datetime(),
    isRunning: z.boolean(),
    isStale: z.boolean().describe('Not read for three times its schedule, and at least 15 minutes'),
    failures: z.number().int().describe('Failed pulls in a row'),
    skippedKeys: z.array(z.string()).describe('Keys that are left to a rotation'),
    lastPulledAt: moment,
    nextDueAt: z.iso.datetime(),
    notifyPath: z.string().nullable().describe('Where signed notifications go; null where none are taken'),
  })
  .openapi('Source');

const answer = answers(z.object({ source: sourceShape }));

function toSource(source: FolderSource): z.infer<typeof sourceShape> {
  const { folderId, kind, config, everySeconds, status, statusCode, statusMessage, isRunning, isStale } = source;
  return {
    ...{ folderId, kind, config, everySeconds, status, statusCode, isRunning, isStale },
    statusMessage: statusMessage && inOperations(statusMessage),
    failures: source.failures,
    skippedKeys: [...source.skippedKeys],
    statusSince: source.statusSince.toISOString(),
    lastPulledAt: toMoment(source.lastPulledAt),
    nextDueAt: source.nextDueAt.toISOString(),
    notifyPath: config.isNotified === true ? `/api/v1/sources/${folderId}/notify` : null,
  };
}

export function addSources(api: Api, options: ApiOptions): void {
  addSet(api, options);
  addGet(api, options);
  addUnset(api, options);
  addRun(api, options);
}

function addSet(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'source.set', scope: 'write', summary: 'Set the source of a folder', tag }, options),
      method: 'put',
      path: BASE,
      request: { body: jsonBody(setBody) },
      responses: answer,
    }),
    async (c) => {
      const { source, ...place } = c.req.valid('json');
      const set = await c.get('client').sources.set(place, source);
      c.set('subject', set.folderId);
      return c.json({ source: toSource(set) }, 200);
    },
  );
}

function addGet(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common(
        { id: 'source.get', scope: 'read', summary: 'Show the source of a folder and its state', tag },
        options,
      ),
      method: 'get',
      path: BASE,
      request: { query: z.object(placeShape.shape) },
      responses: answer,
    }),
    async (c) => c.json({ source: toSource(await c.get('client').sources.show(c.req.valid('query'))) }, 200),
  );
}

function addUnset(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common(
        { id: 'source.unset', scope: 'write', summary: 'End the source; the folder keeps its secrets', tag },
        options,
      ),
      method: 'delete',
      path: BASE,
      request: { query: z.object(placeShape.shape) },
      responses: answer,
    }),
    async (c) => {
      const gone = await c.get('client').sources.unset(c.req.valid('query'));
      c.set('subject', gone.folderId);
      return c.json({ source: toSource(gone) }, 200);
    },
  );
}

function addRun(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'source.run', scope: 'write', summary: 'Have a worker read the source now', tag }, options),
      method: 'post',
      path: `${BASE}/run`,
      request: { body: jsonBody(runBody) },
      responses: answer,
    }),
    async (c) => {
      const { confirmDeletions, ...place } = c.req.valid('json');
      const asked = await c.get('client').sources.request(place, defined({ confirmDeletions }));
      c.set('subject', asked.folderId);
      return c.json({ source: toSource(asked) }, 200);
    },
  );
}
