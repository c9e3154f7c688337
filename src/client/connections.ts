/** `client.connections`: how keyferry reaches AWS accounts. */
import { z } from 'zod';

import type { Connections, Dependent, NewCredentials } from '../db/connections.ts';
import type { ConnectionRow } from '../db/subjects.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { credentialsShape, descriptionShape, nameShape, parseInput, regionShape } from './input.ts';
import { toConnection, type Connection, type RunRecord } from './views.ts';
import type { WaitOptions } from './waiting.ts';

const createShape = z.strictObject({
  name: nameShape,
  description: descriptionShape.optional(),
  projectId: z.string().max(128).nullable().optional(),
  region: regionShape.nullable().optional(),
  credentials: credentialsShape,
});

const updateShape = z.strictObject({
  name: nameShape.optional(),
  description: descriptionShape.optional(),
  region: regionShape.nullable().optional(),
  credentials: credentialsShape.optional(),
});

export type CreateConnection = z.input<typeof createShape>;
export type UpdateConnection = z.input<typeof updateShape>;

export function createConnectionsClient(context: ClientContext, connections: Connections) {
  const { orgId } = context;
  const get = (idOrName: string) => connections.get(orgId, context.refer(idOrName));
  return {
    /**
     * Records a connection and asks for its validation. The external ID of a role is the org's id; only an operator may choose another.
     * Throws CONNECTION_NAME_TAKEN, PAYLOAD_INVALID.
     */
    async create(input: CreateConnection): Promise<{ connection: Connection; requestId: string }> {
      const { credentials, ...rest } = parseInput(createShape, input);
      const created = await connections.create(orgId, {
        ...rest,
        createdVia: context.createdVia,
        requestedBy: context.actor,
        credentials: await withExternalId(context, credentials),
      });
      return { connection: toConnection(created.connection), requestId: created.requestId };
    },
    /** Throws CONNECTION_NOT_FOUND. */
    get: async (idOrName: string): Promise<Connection> => toConnection(await get(idOrName)),
    list: async (): Promise<readonly Connection[]> => (await connections.list(orgId)).map(toConnection),
    /** Syncs and rotations that use it. */
    dependents: async (idOrName: string): Promise<readonly Dependent[]> => connections.dependents(await get(idOrName)),
    /**
     * Changes name, description, region or credentials. Credentials that AWS refuses do not replace the old ones unless `force`; whatever replaces
     * them is validated again at once. The library cannot ask AWS and behaves as with `force`.
     */
    async update(
      idOrName: string,
      input: UpdateConnection,
      options: { readonly force?: boolean } = {},
    ): Promise<Connection> {
      const { credentials, ...description } = parseInput(updateShape, input);
      let row = await get(idOrName);
      const candidate = credentials && (await withExternalId(context, credentials, row));
      if (candidate && options.force !== true) await refuseBadCandidate(context, row, candidate);
      if (Object.keys(description).length > 0) row = await connections.describe(row, description);
      if (candidate) row = await replaceCredentials(connections, row, candidate);
      return toConnection(row);
    },
    /** Asks for a validation now; returns the request's id. */
    async requestValidation(idOrName: string): Promise<string> {
      const row = await get(idOrName);
      return context.requests.open({ orgId, kind: 'validate', subjectId: row.id, actor: context.actor });
    },
    /** Validates now and waits for the run. */
    async validate(idOrName: string, options: WaitOptions = {}): Promise<RunRecord> {
      return context.wait(await this.requestValidation(idOrName), options);
    },
    /** Throws CONNECTION_IN_USE, naming the dependents. */
    delete: async (idOrName: string): Promise<void> => connections.delete(await get(idOrName)),
  };
}

async function replaceCredentials(
  connections: Connections,
  row: ConnectionRow,
  credentials: Parameters<Connections['replaceCredentials']>[1],
) {
  const replaced = await connections.replaceCredentials(row, credentials);
  if (!replaced)
    throw new JobError('PAYLOAD_INVALID', {
      message: `${row.name} was changed by somebody else at the same time; look at it and try again.`,
    });
  return replaced;
}

async function refuseBadCandidate(
  context: ClientContext,
  row: ConnectionRow,
  candidate: NewCredentials,
): Promise<void> {
  const trial = await context.tryCredentials?.(row, candidate);
  if (trial?.verdict.status !== 'invalid') return;
  throw new JobError('CONNECTION_INVALID', {
    message: `The new credentials were refused, so ${row.name} keeps its old ones: ${trial.verdict.message ?? ''}`,
    context: { checks: trial.checks },
  });
}

type ParsedCredentials = z.output<typeof credentialsShape>;

/** A role's external ID is what keeps one customer from using another's role, so it never comes from another org. */
async function withExternalId(context: ClientContext, credentials: ParsedCredentials, row?: ConnectionRow) {
  if (credentials.method !== 'assume-role') return credentials;
  const chosen = credentials.externalId;
  if (chosen === undefined) return { ...credentials, externalId: row?.externalId ?? context.orgId };
  if (context.createdVia === 'api' && chosen !== context.orgId) {
    throw new JobError('PAYLOAD_INVALID', { message: 'externalId cannot be chosen: it is always the org’s id.' });
  }
  if (chosen !== context.orgId && (await context.isOtherOrg(chosen))) {
    throw new JobError('PAYLOAD_INVALID', {
      message: 'externalId is another org’s id; leave it out to use this org’s.',
    });
  }
  return { ...credentials, externalId: chosen };
}
