/** What an org looks back on: its folders, who changed what, and whether workers are there. */
import { answers, common, createRoute, moment, toMoment, z } from './operation.ts';
import type { Api, ApiOptions } from './env.ts';

export function addHistory(api: Api, options: ApiOptions): void {
  addFolderList(api, options);
  addAudit(api, options);
  addWorkers(api, options);
}

const folder = z.object({
  id: z.uuid(),
  projectId: z.string(),
  environment: z.string(),
  secretPath: z.string(),
  revision: z.number().int(),
  secrets: z.number().int().describe('How many secrets it holds'),
  syncs: z.number().int().describe('How many syncs read it'),
  updatedAt: z.iso.datetime(),
});

function addFolderList(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'folder.list', scope: 'read', summary: 'List folders by place', tag: 'Folders' }, options),
      method: 'get',
      path: '/api/v1/folders',
      request: { query: z.object({ projectId: z.string().max(128).optional() }) },
      responses: answers(z.object({ folders: z.array(folder) })),
    }),
    async (c) => {
      const found = await c.get('client').history.folders(c.req.valid('query').projectId);
      return c.json({ folders: found.map((one) => ({ ...one, updatedAt: one.updatedAt.toISOString() })) }, 200);
    },
  );
}

const change = z.object({
  at: z.iso.datetime(),
  actor: z.string(),
  via: z.string(),
  action: z.string(),
  subject: z.string().nullable(),
  requestId: z.string(),
  statusCode: z.number().int().nullable(),
});

function addAudit(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'audit.list', scope: 'read', summary: 'List changes, newest first', tag: 'Audit' }, options),
      method: 'get',
      path: '/api/v1/audit',
      request: { query: z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(50) }) },
      responses: answers(z.object({ changes: z.array(change) })),
    }),
    async (c) => {
      const found = await c.get('client').history.audit(c.req.valid('query').limit);
      const changes = found.map(({ id: _id, orgId: _orgId, at, ...one }) => ({ ...one, at: at.toISOString() }));
      return c.json({ changes }, 200);
    },
  );
}

/** Each worker reports once a minute. */
const SILENT_AFTER_MS = 150_000;

function addWorkers(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'worker.list', scope: 'read', summary: 'Whether workers are running', tag: 'Workers' }, options),
      method: 'get',
      path: '/api/v1/workers',
      responses: answers(
        z.object({
          areRunning: z.boolean(),
          lastSeenAt: moment.describe('When a worker reported last; each does once a minute'),
        }),
      ),
    }),
    async (c) => {
      const { workersSeenAt } = await options.queries.overview();
      const areRunning = workersSeenAt !== null && options.now() - workersSeenAt.getTime() < SILENT_AFTER_MS;
      return c.json({ areRunning, lastSeenAt: toMoment(workersSeenAt) }, 200);
    },
  );
}
