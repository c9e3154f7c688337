/** `/api/v1/app-connections/aws`: Infisical’s paths, and keyferry's own `validate`. */
import type { Context } from 'hono';

import { textOf, type Reference } from '../../domain/reference.ts';
import { JobError } from '../../errors.ts';
import { requireVersion } from '../../client/versions.ts';
import type { ConnectionStatus } from '../../db/status/queries.ts';
import {
  appConnectionShape,
  createConnectionBody,
  toAppConnection,
  toCredentials,
  updateConnectionBody,
} from './connection-shapes.ts';
import type { Api, ApiOptions } from './env.ts';
import { defined } from '../../domain/defined.ts';
import { requireSame, requireSameId } from './infisical.ts';
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
import { requested, toApiRun, waitForRun } from './runs.ts';
import { createWaiting } from './verdict.ts';
import { ifMatch, tagVersion, versionsOf } from './versions.ts';
import type { CreateConnection, ValidatedConnection, Connection } from '../../client/types/connection.ts';

const BASE = '/api/v1/app-connections/aws';
const tag = 'AWS connections';
const byId = z.object({ connectionId: z.uuid() });
const one = z.object({ appConnection: appConnectionShape });

export function addConnections(api: Api, options: ApiOptions): void {
  addCreate(api, options);
  addReads(api, options);
  addChanges(api, options);
  addValidate(api, options);
}

async function find(c: Context, options: ApiOptions, reference: Reference): Promise<ConnectionStatus> {
  const found = await options.queries.findConnection(c.get('caller').orgId, reference);
  if (found) return found;
  throw new JobError('CONNECTION_NOT_FOUND', {
    message: `There is no connection ${textOf(reference)} in this org. List them with GET ${BASE}.`,
  });
}

async function toAnswer({ fingerprints }: ApiOptions, connection: Connection | ConnectionStatus) {
  return toAppConnection(connection, await fingerprints.forOrg(connection.orgId));
}

function shown(c: Context, options: ApiOptions, connection: Connection | ConnectionStatus) {
  tagVersion(c, connection.version);
  return toAnswer(options, connection);
}

function addCreate(api: Api, options: ApiOptions): void {
  const waiting = createWaiting();
  api.openapi(
    createRoute({
      ...common(
        { id: 'connection.create', scope: 'write', summary: 'Create an AWS connection; it is validated at once', tag },
        options,
      ),
      method: 'post',
      path: BASE,
      request: { body: jsonBody(createConnectionBody), query: z.object(verdictQuery(options.verdictSeconds)) },
      responses: answersInTime(z.object({ appConnection: appConnectionShape, ...requested })),
    }),
    async (c) => {
      const { name, description, projectId, region, credentials, ...rest } = c.req.valid('json');
      const narrowAccessKey = 'narrowAccessKey' in rest ? rest.narrowAccessKey : undefined;
      const input = {
        name,
        ...defined({ description, projectId, region, narrowAccessKey }),
        credentials: toCredentials(credentials),
      };
      const { wait } = c.req.valid('query');
      const create = (waitSeconds: number) => createWithin(c, input, waitSeconds);
      const { connection, requestId, run } = await waiting.within(c.get('caller').orgId, wait, create);
      c.set('subject', connection.id);
      const appConnection = await shown(c, options, connection);
      const answer = { appConnection, runRequestId: requestId, run: run && toApiRun(run) };
      return run === null && wait > 0 ? c.json(answer, 202) : c.json(answer, 200);
    },
  );
}

/** A client that hangs up changes nothing: the verdict counts all the same. */
async function createWithin(c: Context, input: CreateConnection, waitSeconds: number): Promise<ValidatedConnection> {
  const { connections } = c.get('client');
  if (waitSeconds === 0) return { ...(await connections.create(input)), run: null };
  const timeoutMs = waitSeconds * 1_000;
  return connections.createValidated(input, { timeoutMs, untakenTimeoutMs: timeoutMs });
}

function addReads(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'connection.list', scope: 'read', summary: 'List AWS connections by name', tag }, options),
      method: 'get',
      path: BASE,
      request: { query: z.object(listQuery) },
      responses: answers(z.object({ appConnections: z.array(appConnectionShape), totalCount: z.number().int() })),
    }),
    async (c) => {
      const { orgId } = c.get('caller');
      const query = c.req.valid('query');
      const { window, completed } = windowOf(query);
      const { rows, total } = completed(
        await options.queries.connections({ projectId: query.projectId, ...window, orgId, order: 'name' }),
      );
      const fingerprint = await options.fingerprints.forOrg(orgId);
      return c.json({ appConnections: rows.map((row) => toAppConnection(row, fingerprint)), totalCount: total }, 200);
    },
  );
  api.openapi(
    createRoute({
      ...common({ id: 'connection.getByName', scope: 'read', summary: 'Get an AWS connection by name', tag }, options),
      method: 'get',
      path: `${BASE}/connection-name/{name}`,
      request: { params: z.object({ name: z.string().min(1).max(256) }) },
      responses: answers(one),
    }),
    async (c) => c.json({ appConnection: await shown(c, options, await find(c, options, c.req.valid('param'))) }, 200),
  );
  api.openapi(
    createRoute({
      ...common(
        { id: 'connection.get', scope: 'read', summary: 'Get an AWS connection with its checks', tag },
        options,
      ),
      method: 'get',
      path: `${BASE}/{connectionId}`,
      request: { params: byId },
      responses: answers(one),
    }),
    async (c) => {
      const connection = await find(c, options, { id: c.req.valid('param').connectionId });
      return c.json({ appConnection: await shown(c, options, connection) }, 200);
    },
  );
}

function addChanges(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common(
        {
          id: 'connection.update',
          scope: 'write',
          summary: 'Change an AWS connection; changed credentials are validated at once',
          tag,
        },
        options,
      ),
      method: 'patch',
      path: `${BASE}/{connectionId}`,
      request: { params: byId, body: jsonBody(updateConnectionBody) },
      responses: answers(one),
    }),
    async (c) => {
      const { name, description, region, method, credentials, projectId, ID, narrowAccessKey } = c.req.valid('json');
      const { connectionId } = c.req.valid('param');
      requireSameId(ID, connectionId);
      if (projectId !== undefined)
        requireSame('projectId', projectId, (await find(c, options, { id: connectionId })).projectId);
      const typed = credentials === undefined ? undefined : toCredentials(credentials);
      requireMethod(method, typed?.method);
      const changed = await c
        .get('client')
        .connections.update(
          connectionId,
          defined({ name, description, region, narrowAccessKey, credentials: typed }),
          ifMatch(c),
        );
      return c.json({ appConnection: await shown(c, options, changed) }, 200);
    },
  );
  api.openapi(
    createRoute({
      ...common(
        { id: 'connection.delete', scope: 'write', summary: 'Delete an AWS connection that nothing uses', tag },
        options,
      ),
      method: 'delete',
      path: `${BASE}/{connectionId}`,
      request: { params: byId },
      responses: answers(one),
    }),
    async (c) => {
      const { connectionId } = c.req.valid('param');
      const connection = await find(c, options, { id: connectionId });
      requireVersion(connection, versionsOf(c));
      await c.get('client').connections.delete(connectionId);
      return c.json({ appConnection: await toAnswer(options, connection) }, 200);
    },
  );
}

function requireMethod(sent: string | undefined, implied: string | undefined): void {
  if (sent === undefined || sent === implied) return;
  const message =
    implied === undefined
      ? 'method: can only change together with credentials.'
      : `method: the credentials are those of ${implied}.`;
  throw new JobError('PAYLOAD_INVALID', { message });
}

function addValidate(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'connection.validate', scope: 'write', summary: 'Validate an AWS connection now', tag }, options),
      method: 'post',
      path: `${BASE}/{connectionId}/validate`,
      request: { params: byId, query: z.object(waitQuery) },
      responses: answers(z.object({ appConnection: appConnectionShape, ...requested })),
    }),
    async (c) => {
      const { connectionId } = c.req.valid('param');
      const runRequestId = await c.get('client').connections.requestValidation(connectionId);
      const waited = await waitForRun(c, runRequestId, c.req.valid('query').wait);
      const connection = await find(c, options, { id: connectionId });
      return c.json({ appConnection: await toAnswer(options, connection), ...waited }, 200);
    },
  );
}
