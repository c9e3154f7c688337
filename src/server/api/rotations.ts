/**
 * `/api/v2/secret-rotations/aws-iam-user-secret`: Infisical’s paths. Creation and rotation are
 * recorded and done by a worker, never inside the request.
 */
import type { Context, MiddlewareHandler } from 'hono';

import { requireVersion } from '../../client/versions.ts';
import type { RotationStatus, Within } from '../../db/status/queries.ts';
import { textOf, type Reference } from '../../domain/reference.ts';
import { JobError } from '../../errors.ts';
import { problem } from '../problem.ts';
import type { Api, ApiOptions } from './env.ts';
import { needs } from './gate.ts';
import { defined } from '../../domain/defined.ts';
import { requireSameApp, requireSameId } from './infisical.ts';
import {
  answers,
  answersInTime,
  common,
  createRoute,
  jsonBody,
  listQuery,
  verdictQuery,
  waitQuery,
  windowOf,
  z,
} from './operation.ts';
import { changeRotation } from './rotation-changes.ts';
import { addRotationOrders } from './rotation-orders.ts';
import {
  createRotationBody,
  requireSamePlace,
  secretRotationShape,
  toOnExisting,
  toSecretRotation,
  updateRotationBody,
} from './rotation-shapes.ts';
import { requested, waitForRun } from './runs.ts';
import { createWaiting } from './verdict.ts';
import { tagVersion, versionsOf } from './versions.ts';

const KIND = 'aws-iam-user-secret';
const BASE = `/api/v2/secret-rotations/${KIND}`;
const tag = 'IAM user rotations';
const byId = z.object({ rotationId: z.uuid() });
const one = z.object({ secretRotation: secretRotationShape });

export function addRotations(api: Api, options: ApiOptions): void {
  addCreate(api, options);
  addReads(api, options);
  addGeneratedCredentials(api, options);
  addUpdate(api, options);
  addRotate(api, options);
  addRotationOrders({ api, options, base: BASE, tag, find: (c, id) => find(c, options, { id }) });
  addDelete(api, options);
}

async function find(c: Context, { queries }: ApiOptions, reference: Reference & Within): Promise<RotationStatus> {
  const found = await queries.findRotation(c.get('caller').orgId, reference, reference);
  if (found) return found;
  throw new JobError('KEY_ROTATION_NOT_FOUND', {
    message: `There is no rotation ${textOf(reference)} in this org. List them with GET ${BASE}.`,
  });
}

function shown(c: Context, rotation: RotationStatus) {
  tagVersion(c, rotation.version);
  return toSecretRotation(rotation);
}

function addCreate(api: Api, options: ApiOptions): void {
  const waiting = createWaiting();
  api.openapi(
    createRoute({
      ...common(
        { id: 'rotation.create', scope: 'write', summary: 'Create a rotation; a worker makes the first key', tag },
        options,
      ),
      method: 'post',
      path: BASE,
      request: { body: jsonBody(createRotationBody), query: z.object(verdictQuery(options.verdictSeconds)) },
      responses: answersInTime(z.object({ secretRotation: secretRotationShape, ...requested })),
    }),
    async (c) => {
      const { projectId, environment, secretPath, connectionId, rotationInterval, parameters, Provider, ...rest } =
        c.req.valid('json');
      const onExisting = toOnExisting(c.get('caller'), rest.onExisting);
      requireSameApp('Provider', Provider, KIND);
      const created = await c.get('client').rotations.create({
        ...(defined(rest) as typeof rest),
        onExisting,
        connection: connectionId,
        target: { projectId, environment, secretPath },
        rotationIntervalDays: rotationInterval,
        userName: parameters.userName,
        ...defined({ region: parameters.region }),
      });
      c.set('subject', created.id);
      const { wait } = c.req.valid('query');
      const waited = await waiting.within(c.get('caller').orgId, wait, (seconds) =>
        waitForRun(c, created.requestId, seconds),
      );
      const answer = { secretRotation: shown(c, await find(c, options, { id: created.id })), ...waited };
      return waited.run === null && wait > 0 ? c.json(answer, 202) : c.json(answer, 200);
    },
  );
}

function addReads(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'rotation.list', scope: 'read', summary: 'List rotations by name', tag }, options),
      method: 'get',
      path: BASE,
      request: { query: z.object(listQuery) },
      responses: answers(z.object({ secretRotations: z.array(secretRotationShape), totalCount: z.number().int() })),
    }),
    async (c) => {
      const { projectId, ...page } = c.req.valid('query');
      const { window, completed } = windowOf(page);
      const query = { projectId, ...window, orgId: c.get('caller').orgId, order: 'name' } as const;
      const { rows, total } = completed(await options.queries.rotations(query));
      return c.json({ secretRotations: rows.map(toSecretRotation), totalCount: total }, 200);
    },
  );
  api.openapi(
    createRoute({
      ...common({ id: 'rotation.getByName', scope: 'read', summary: 'Get a rotation by name', tag }, options),
      method: 'get',
      path: `${BASE}/rotation-name/{name}`,
      request: {
        params: z.object({ name: z.string().min(1).max(256) }),
        query: z.object({
          projectId: listQuery.projectId,
          environment: z.string().max(128).optional(),
          secretPath: z.string().max(512).optional(),
        }),
      },
      responses: answers(one),
    }),
    async (c) => {
      const reference = { ...c.req.valid('param'), ...c.req.valid('query') };
      return c.json({ secretRotation: shown(c, await find(c, options, reference)) }, 200);
    },
  );
  api.openapi(
    createRoute({
      ...common({ id: 'rotation.get', scope: 'read', summary: 'Get a rotation', tag }, options),
      method: 'get',
      path: `${BASE}/{rotationId}`,
      request: { params: byId },
      responses: answers(one),
    }),
    async (c) =>
      c.json({ secretRotation: shown(c, await find(c, options, { id: c.req.valid('param').rotationId })) }, 200),
  );
}

/**
 * Where Infisical hands out values; not in the document, because it never answers with anything
 * else.
 */
function addGeneratedCredentials(api: Api, options: ApiOptions): void {
  api.get(`${BASE}/:rotationId/generated-credentials`, needs('read'), async (c) => {
    const { activeAccessKeyId, folder, secretsMapping } = await find(c, options, { id: c.req.param('rotationId') });
    const key =
      activeAccessKeyId === null ? 'No key is made yet; it will be' : `The active key is ${activeAccessKeyId},`;
    const message = `keyferry gives out no values. ${key} in the folder ${folder.secretPath} as ${secretsMapping.accessKeyId} and ${secretsMapping.secretAccessKey}. Read it where a sync writes it.`;
    return problem(c, 403, message);
  });
}

function addUpdate(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'rotation.update', scope: 'write', summary: 'Change a rotation', tag }, options),
      method: 'patch',
      path: `${BASE}/{rotationId}`,
      request: { params: byId, body: jsonBody(updateRotationBody) },
      responses: answers(one),
    }),
    async (c) => {
      const { rotationId } = c.req.valid('param');
      const body = c.req.valid('json');
      requireSameApp('Provider', body.Provider, KIND);
      requireSameId(body.ID, rotationId);
      requireSamePlace(body, await find(c, options, { id: rotationId }));
      if (body.onExisting !== undefined) toOnExisting(c.get('caller'), body.onExisting);
      await changeRotation(c, rotationId, body);
      return c.json({ secretRotation: shown(c, await find(c, options, { id: rotationId })) }, 200);
    },
  );
}

function addRotate(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common(
        { id: 'rotation.rotate', scope: 'write', summary: 'Rotate now; the old key is retired later', tag },
        options,
      ),
      method: 'post',
      path: `${BASE}/{rotationId}/rotate-secrets`,
      request: {
        params: byId,
        query: z.object({
          ...waitQuery,
          skipSync: z
            .string()
            .max(1024)
            .optional()
            .describe('Names of dependent syncs that the rotation does not wait for, separated by commas'),
        }),
      },
      responses: answers(z.object({ secretRotation: secretRotationShape, ...requested })),
    }),
    async (c) => {
      const { rotationId } = c.req.valid('param');
      const { wait, skipSync } = c.req.valid('query');
      const runRequestId = await c
        .get('client')
        .rotations.request(rotationId, skipSync === undefined ? {} : { skipSync: skipSync.split(',') });
      const waited = await waitForRun(c, runRequestId, wait);
      return c.json({ secretRotation: toSecretRotation(await find(c, options, { id: rotationId })), ...waited }, 200);
    },
  );
}

const takingAwayNeedsAdmin: MiddlewareHandler = (c, next) => {
  const takesAway = c.req.query('deleteSecrets') === 'true' || c.req.query('revokeGeneratedCredentials') === 'true';
  return c.req.method === 'DELETE' && takesAway ? needs('admin')(c, next) : next();
};

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');

const REVOCATION_SECONDS = 25;

function addDelete(api: Api, options: ApiOptions): void {
  const route = createRoute({
    ...common(
      {
        id: 'rotation.delete',
        scope: 'write',
        summary: 'Delete a rotation; its keys and secrets stay unless asked otherwise (scope admin)',
        tag,
      },
      options,
    ),
    method: 'delete',
    path: `${BASE}/{rotationId}`,
    request: { params: byId, query: z.object({ deleteSecrets: flag, revokeGeneratedCredentials: flag }) },
    responses: answers(one),
  });
  api.use(route.getRoutingPath(), takingAwayNeedsAdmin);
  api.openapi(route, async (c) => {
    const { rotationId } = c.req.valid('param');
    const { deleteSecrets, revokeGeneratedCredentials } = c.req.valid('query');
    const rotation = await find(c, options, { id: rotationId });
    requireVersion(rotation, versionsOf(c));
    const secretRotation = toSecretRotation(rotation);
    if (revokeGeneratedCredentials) await revokeFirst(c, rotationId);
    await c.get('client').rotations.delete(rotationId, deleteSecrets ? 'remove' : 'keep');
    return c.json({ secretRotation }, 200);
  });
}

/** The row is deleted only once the keys are: otherwise nobody would know them. */
async function revokeFirst(c: Context, rotationId: string): Promise<void> {
  const { run } = await waitForRun(c, await c.get('client').rotations.revokeKeys(rotationId), REVOCATION_SECONDS);
  if (run?.status === 'succeeded') return;
  const message =
    run === null
      ? 'The keys are still being deleted at AWS. Send the same request again until it is done; the rotation stays until then.'
      : `Deleting the keys ended ${run.status}: ${run.errorMessage ?? 'see the run'} The rotation stays.`;
  throw new JobError('KEY_DEPENDENTS_WAITING', { message });
}
