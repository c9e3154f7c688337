/**
 * The actions of a sync: run, plan, import, remove, delete. Each is recorded as a wish; `?wait=`
 * waits for the run.
 */
import type { Context, MiddlewareHandler } from 'hono';

import { defined } from '../../domain/defined.ts';
import { JobError } from '../../errors.ts';
import { needs } from './gate.ts';
import { answers, common, createRoute, waitQuery, z } from './operation.ts';
import { requested, waitForRun } from './runs.ts';
import { secretSyncShape, toSecretSync } from './sync-shapes.ts';
import type { SyncRequestKind } from '../../client/types/sync.ts';
import { requireVersion } from '../../client/versions.ts';
import { versionsOf } from './versions.ts';
import { findSync, type SyncApi } from './sync-part.ts';
import { importBehaviors } from '../../domain/sync/parameters.ts';

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');
const byId = z.object({ syncId: z.uuid() });
const answer = z.object({ secretSync: secretSyncShape, ...requested });

interface Wish {
  readonly syncId: string;
  readonly kind: SyncRequestKind;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly waitSeconds: number;
}

/** Records the wish and, if asked, waits for its run. */
export async function act(c: Context, part: SyncApi, { syncId, kind, parameters, waitSeconds }: Wish) {
  await findSync(c, part, { id: syncId });
  const runRequestId = await c.get('client').syncs.request(kind, syncId, parameters ?? {});
  const waited = await waitForRun(c, runRequestId, waitSeconds);
  return { secretSync: toSecretSync(await findSync(c, part, { id: syncId })), ...waited };
}

export function addSyncActions(part: SyncApi): void {
  addRun(part);
  addPlan(part);
  addImport(part);
  addRemove(part);
  addDelete(part);
}

function addRun(part: SyncApi): void {
  const { api, options, base, noun, tag } = part;
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.sync`, scope: 'write', summary: 'Sync now', tag }, options),
      method: 'post',
      path: `${base}/{syncId}/sync-secrets`,
      request: {
        params: byId,
        query: z.object({
          ...waitQuery,
          confirmDeletions: z.coerce
            .number()
            .int()
            .min(0)
            .optional()
            .describe('Confirms that the present plan deletes exactly this many'),
          acceptDestination: flag.describe('After a restore: keep what AWS holds, and import it'),
          acceptSource: flag.describe('After a restore: write what the folder holds'),
        }),
      },
      responses: answers(answer),
    }),
    async (c) => {
      const { wait, ...asked } = c.req.valid('query');
      return c.json(await act(c, part, { ...c.req.valid('param'), ...toWish(asked), waitSeconds: wait }), 200);
    },
  );
}

interface AskedRun {
  readonly confirmDeletions?: number | undefined;
  readonly acceptDestination: boolean;
  readonly acceptSource: boolean;
}

function toWish({ confirmDeletions, acceptDestination, acceptSource }: AskedRun): Pick<Wish, 'kind' | 'parameters'> {
  if (acceptDestination && (acceptSource || confirmDeletions !== undefined)) {
    const message = 'acceptDestination changes nothing at AWS: send it without acceptSource and confirmDeletions.';
    throw new JobError('PAYLOAD_INVALID', { message });
  }
  if (acceptDestination) return { kind: 'import', parameters: { acceptDestination } };
  return { kind: 'sync', parameters: defined({ confirmDeletions, acceptSource: acceptSource || undefined }) };
}

function addPlan(part: SyncApi): void {
  const { api, options, base, noun, tag } = part;
  api.openapi(
    createRoute({
      ...common(
        { id: `${noun}.plan`, scope: 'write', summary: 'Plan without writing; the plan is the run’s result', tag },
        options,
      ),
      method: 'post',
      path: `${base}/{syncId}/plan`,
      request: { params: byId, query: z.object(waitQuery) },
      responses: answers(answer),
    }),
    async (c) =>
      c.json(
        await act(c, part, { ...c.req.valid('param'), kind: 'plan', waitSeconds: c.req.valid('query').wait }),
        200,
      ),
  );
}

function addImport(part: SyncApi): void {
  const { api, options, base, noun, tag } = part;
  const importBehavior = z.enum(importBehaviors);
  api.openapi(
    createRoute({
      ...common(
        { id: `${noun}.import`, scope: 'write', summary: 'Import the destination’s secrets into the folder', tag },
        options,
      ),
      method: 'post',
      path: `${base}/{syncId}/import-secrets`,
      request: { params: byId, query: z.object({ ...waitQuery, importBehavior }) },
      responses: answers(answer),
    }),
    async (c) => {
      const { wait, ...parameters } = c.req.valid('query');
      return c.json(
        await act(c, part, { ...c.req.valid('param'), kind: 'import', parameters, waitSeconds: wait }),
        200,
      );
    },
  );
}

function addRemove(part: SyncApi): void {
  const { api, options, base, noun, tag } = part;
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.remove`, scope: 'admin', summary: 'Delete at AWS what this sync wrote', tag }, options),
      method: 'post',
      path: `${base}/{syncId}/remove-secrets`,
      request: { params: byId, query: z.object(waitQuery) },
      responses: answers(answer),
    }),
    async (c) =>
      c.json(
        await act(c, part, { ...c.req.valid('param'), kind: 'remove', waitSeconds: c.req.valid('query').wait }),
        200,
      ),
  );
}

const removingNeedsAdmin: MiddlewareHandler = (c, next) =>
  c.req.method === 'DELETE' && c.req.query('removeSecrets') === 'true' ? needs('admin')(c, next) : next();

const REMOVAL_SECONDS = 25;

function addDelete(part: SyncApi): void {
  const { api, options, base, noun, tag } = part;
  const route = createRoute({
    ...common(
      {
        id: `${noun}.delete`,
        scope: 'write',
        summary: 'Delete a sync; what it wrote stays at AWS unless removeSecrets=true (scope admin)',
        tag,
      },
      options,
    ),
    method: 'delete',
    path: `${base}/{syncId}`,
    request: { params: byId, query: z.object({ removeSecrets: flag }) },
    responses: answers(z.object({ secretSync: secretSyncShape, leftBehind })),
  });
  api.use(route.getRoutingPath(), removingNeedsAdmin);
  api.openapi(route, async (c) => {
    const { syncId } = c.req.valid('param');
    const sync = await findSync(c, part, { id: syncId });
    requireVersion(sync, versionsOf(c));
    const secretSync = toSecretSync(sync);
    if (c.req.valid('query').removeSecrets) {
      await deleteWithSecrets(c, syncId);
      return c.json({ secretSync }, 200);
    }
    const stays = await c.get('client').syncs.delete(syncId, { abandon: true });
    return c.json({ secretSync, ...(stays.length > 0 ? { leftBehind: [...stays] } : {}) }, 200);
  });
}

const leftBehind = z
  .array(z.object({ remoteName: z.string(), region: z.string(), accountId: z.string() }))
  .optional()
  .describe('What the sync wrote and leaves at AWS');

/** The sync is deleted only once everything that it wrote is deleted at AWS. */
async function deleteWithSecrets(c: Context, syncId: string): Promise<void> {
  const requestId = await c.get('client').syncs.request('remove', syncId, { deleteAfterRemove: true });
  const { run } = await waitForRun(c, requestId, REMOVAL_SECONDS);
  if (run?.status === 'succeeded') return;
  if (run === null) {
    const message =
      'The removal is in progress, and the sync is deleted when it ends. Send the request again: 404 means that it is done.';
    throw new JobError('SYNC_PARTIAL', { message });
  }
  const why = `The removal ended ${run.status}: ${run.errorMessage ?? 'see the run'} The sync stays.`;
  throw new JobError('SYNC_PARTIAL', {
    message: `${why} A DELETE without removeSecrets=true deletes it and lists what stays at AWS.`,
  });
}
