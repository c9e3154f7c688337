/** `client.connections`: how keyferry reaches AWS accounts. */
import { z } from 'zod';

import type { Connections } from '../db/connections.ts';
import type { SignInCredentials } from '../domain/connection/credentials.ts';
import type { ConnectionRow } from '../db/engine/subjects.ts';
import type { ExternalIdException } from '../domain/connection/candidate.ts';
import { partitionOfConnection, partitionProblem } from '../domain/partitions.ts';
import { JobError, toJobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { credentialsShape, descriptionShape, nameShape, parseInput, problemsIn, refuse, regionShape } from './input.ts';
import { isEmpty, otherThan, updateVersion } from './versions.ts';
import type { SameAs } from './same.ts';
import type {
  ConnectionsClient,
  CreateConnection,
  UpdateConnection,
  UpdateConnectionOptions,
} from './types/connection.ts';
import { toConnection } from './views.ts';

/** Operators only: why this connection may use a role that does not insist on an external ID. */
const exceptionReason = z.string().trim().min(8, 'must say why, in 8 to 256 characters').max(256);

const createShape = z.strictObject({
  name: nameShape,
  description: descriptionShape.optional(),
  projectId: z.string().max(128).nullable().optional(),
  region: regionShape.nullable().optional(),
  credentials: credentialsShape,
  narrowAccessKey: z.boolean().optional(),
  allowMissingExternalId: exceptionReason.nullable().optional(),
});

/** What `create` would refuse before it reads anything. */
export const findConnectionProblems = (input: unknown): readonly string[] => problemsIn(createShape, input);

const updateShape = z.strictObject({
  name: nameShape.optional(),
  description: descriptionShape.optional(),
  region: regionShape.nullable().optional(),
  credentials: credentialsShape.optional(),
  narrowAccessKey: z.boolean().optional(),
  allowMissingExternalId: exceptionReason.nullable().optional(),
});

/** What `update` would refuse before it reads anything. */
export const findConnectionChangeProblems = (input: unknown): readonly string[] => problemsIn(updateShape, input);

export function createConnectionsClient(context: ClientContext, connections: Connections): ConnectionsClient {
  const { orgId } = context;
  const get = (idOrName: string) => connections.get(orgId, context.refer(idOrName));
  return {
    async create(input: SameAs<CreateConnection, z.input<typeof createShape>>) {
      const { credentials: given, allowMissingExternalId: reason, ...rest } = parseInput(createShape, input);
      refuse([
        ...narrowingProblems(rest.narrowAccessKey, given.method),
        ...exceptionProblems(context, reason, roleOf(given)),
        ...(await externalIdProblems(context, given)),
        ...regionProblems(rest.region, { principalArn: null, roleArn: roleOf(given) }),
      ]);
      const credentials = withExternalId(context, given);
      const created = await connections.create(orgId, {
        ...rest,
        createdVia: context.via,
        requestedBy: context.actor,
        credentials,
        ...(reason === undefined ? {} : { externalIdException: toException(context, reason, roleOf(credentials)) }),
      });
      return { connection: toConnection(created.connection), requestId: created.requestId };
    },
    async createValidated(input, options) {
      const created = await this.create(input);
      const { id } = created.connection;
      const run = await context.wait(created.requestId, options).catch(withoutVerdict);
      const row = await connections.byId(id);
      if (run === null || row.status !== 'invalid') return { ...created, connection: toConnection(row), run };
      const asCreated = { ...row, version: created.connection.version, credentialsRevision: 1 };
      if (!(await connections.deleteRefused(asCreated)))
        return { ...created, connection: toConnection(await connections.byId(id)), run };
      throw new JobError('CONNECTION_INVALID', { message: row.statusMessage ?? '', context: { checks: row.checks } });
    },
    get: async (idOrName) => toConnection(await get(idOrName)),
    list: async () => (await connections.list(orgId)).map(toConnection),
    dependents: async (idOrName) => connections.dependents(await get(idOrName)),
    async update(idOrName, input: SameAs<UpdateConnection, z.input<typeof updateShape>>, options = {}) {
      const changes = parseInput(updateShape, input);
      const read = () => get(idOrName);
      const write = (row: ConnectionRow) => updateConnection({ context, connections }, row, { ...changes, ...options });
      return toConnection(await updateVersion({ read, write }, options));
    },
    async requestValidation(idOrName) {
      const row = await get(idOrName);
      return context.requests.open({ orgId, kind: 'validate', subjectId: row.id, actor: context.actor });
    },
    async validate(idOrName, options = {}) {
      return context.wait(await this.requestValidation(idOrName), options);
    },
    delete: async (idOrName) => connections.delete(await get(idOrName)),
  };
}

/** No worker took the request up, or AWS is slow: that says nothing about the connection. */
function withoutVerdict(error: unknown): null {
  const { code } = toJobError(error);
  if (code === 'QUEUE_UNAVAILABLE' || code === 'QUEUE_TIMEOUT') return null;
  throw error;
}

interface Parts {
  readonly context: ClientContext;
  readonly connections: Connections;
}

/** Undefined when the row changed since it was read. */
async function updateConnection(
  { context, connections }: Parts,
  row: ConnectionRow,
  {
    credentials,
    allowMissingExternalId: reason,
    force,
    ifVersion: _,
    ...given
  }: z.output<typeof updateShape> & UpdateConnectionOptions,
): Promise<ConnectionRow | undefined> {
  const role = credentials ? roleOf(credentials) : row.roleArn;
  const partitioned = credentials ? { principalArn: null, roleArn: role } : row;
  const region = given.region === undefined && credentials ? row.region : given.region;
  refuse([
    ...narrowingProblems(given.narrowAccessKey, credentials?.method ?? row.method),
    ...exceptionProblems(context, reason, role),
    ...(credentials ? await externalIdProblems(context, credentials) : []),
    ...regionProblems(region, partitioned),
  ]);
  const description = otherThan(row, given);
  const sent = credentials && withExternalId(context, credentials, row);
  const by = sent === undefined || (force !== true && isInUse(row, sent)) ? undefined : sent;
  if (isEmpty(description) && by === undefined && reason === undefined) return row;
  return connections.update(row, {
    description,
    ...(by === undefined ? {} : { credentials: { by, are: await admit(context, row, { by, force }) } }),
    ...(reason === undefined ? {} : { externalIdException: toException(context, reason, role) }),
    via: context.via,
    requestedBy: context.actor,
  });
}

/**
 * The role that the connection uses already. One that AWS refused is tried again, and an access key
 * always: its secret may be another.
 */
function isInUse(row: ConnectionRow, credentials: SignInCredentials): boolean {
  if (credentials.method !== 'assume-role' || row.method !== 'assume-role') return false;
  const isSame = credentials.roleArn === row.roleArn && credentials.externalId === row.externalId;
  return isSame && row.candidate === null && row.status !== 'invalid';
}

/**
 * Working credentials are never lost: with access to AWS they are checked now, otherwise a
 * validation decides.
 */
async function admit(
  { tryCredentials, via, actor }: ClientContext,
  row: ConnectionRow,
  { by, force }: { readonly by: SignInCredentials; readonly force: boolean | undefined },
): Promise<'replaced' | 'offered'> {
  if (force === true) return 'replaced';
  if (tryCredentials === undefined) return 'offered';
  const trial = await tryCredentials(row, { credentials: by, via, requestedBy: actor });
  if (trial.verdict.status !== 'invalid') return 'replaced';
  throw new JobError('CONNECTION_INVALID', {
    message: `The new credentials were refused, so ${row.name} keeps its old ones: ${trial.verdict.message ?? ''}`,
    context: { checks: trial.checks },
  });
}

function narrowingProblems(
  narrowAccessKey: boolean | undefined,
  method: SignInCredentials['method'],
): readonly string[] {
  if (narrowAccessKey !== true || method === 'access-key') return [];
  return ['narrowAccessKey is for an access key; a role is narrowed for each use anyhow'];
}

/** What AWS keeps separate from the account. */
function regionProblems(
  region: string | null | undefined,
  connection: Parameters<typeof partitionOfConnection>[0],
): readonly string[] {
  const problem = region && partitionProblem(region, partitionOfConnection(connection));
  return problem ? [`region ${problem}`] : [];
}

function roleOf(credentials: ParsedCredentials): string | null {
  return credentials.method === 'assume-role' ? credentials.roleArn : null;
}

function exceptionProblems(
  { via }: ClientContext,
  reason: string | null | undefined,
  roleArn: string | null,
): readonly string[] {
  if (reason === undefined) return [];
  if (via !== 'operator')
    return [
      'allowMissingExternalId is for operators: `keyferry connection update NAME --allow-missing-external-id REASON`',
    ];
  if (reason === null || roleArn !== null) return [];
  return ['allowMissingExternalId is for a role; an access key has no external ID'];
}

function toException(
  context: ClientContext,
  reason: string | null,
  roleArn: string | null,
): ExternalIdException | null {
  if (reason === null || roleArn === null) return null;
  return { roleArn, reason, allowedBy: context.actor, allowedAt: new Date().toISOString() };
}

type ParsedCredentials = z.output<typeof credentialsShape>;

/**
 * A role's external ID is what keeps one customer from using another's role, so it never comes from
 * another org.
 */
async function externalIdProblems(context: ClientContext, credentials: ParsedCredentials): Promise<readonly string[]> {
  const chosen = credentials.method === 'assume-role' ? credentials.externalId : undefined;
  if (chosen === undefined) return [];
  if (context.via !== 'operator' && chosen !== context.orgId)
    return ['externalId cannot be chosen: it is always the org’s id'];
  if (await context.isForeignExternalId(chosen))
    return ['externalId is another org’s; leave it out to use this org’s id'];
  return [];
}

function withExternalId(context: ClientContext, credentials: ParsedCredentials, row?: ConnectionRow) {
  if (credentials.method !== 'assume-role') return credentials;
  return { ...credentials, externalId: credentials.externalId ?? row?.externalId ?? context.orgId };
}
