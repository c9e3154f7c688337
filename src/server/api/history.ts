/** History of an org: its folders, who changed what, and whether workers are running. */
import { hasScope } from '../../domain/caller.ts';
import { type LiveWorker, stateOfWorker } from '../../domain/live-worker.ts';
import { kinds } from '../../domain/run.ts';
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

const worker = z.object({
  name: z.string().describe('Host and process id'),
  state: z.enum(['running', 'silent', 'stopped']),
  version: z.string(),
  queues: z.array(z.enum(kinds)),
  running: z.partialRecord(z.enum(kinds), z.number().int()).describe('Jobs under way, by queue'),
  startedAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime(),
});

function addWorkers(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'worker.list', scope: 'read', summary: 'Whether workers are running', tag: 'Workers' }, options),
      method: 'get',
      path: '/api/v1/workers',
      responses: answers(
        z.object({
          areRunning: z.boolean(),
          lastSeenAt: moment.describe('When a worker reported last; each does every ten seconds'),
          workers: z
            .array(worker)
            .nullable()
            .describe('Those of the last hour, the latest start first; null without the scope `admin`'),
        }),
      ),
    }),
    async (c) => {
      const { areRunning, lastSeenAt, workers } = (await options.queries.overview()).workers;
      const now = new Date(options.now());
      // Host names concern operators, not tenants.
      const shown = hasScope(c.get('caller'), 'admin') ? workers.map((one) => toWorker(one, now)) : null;
      return c.json({ areRunning, lastSeenAt: toMoment(lastSeenAt), workers: shown }, 200);
    },
  );
}

function toWorker(one: LiveWorker, now: Date): z.infer<typeof worker> {
  const { name, version, queues, running, startedAt, seenAt, stoppedAt } = one;
  return {
    ...{ name, state: stateOfWorker(one, now), version, queues: [...queues], running: { ...running } },
    ...{ startedAt: startedAt.toISOString(), lastSeenAt: (stoppedAt ?? seenAt).toISOString() },
  };
}
