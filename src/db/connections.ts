/**
 * Connections: the rows, and their credentials in clear for the one caller that opens AWS sessions.
 */
import { and, asc, eq, sql, type SQL } from 'drizzle-orm';

import { defined } from '../domain/defined.ts';
import type { StoredCandidate, ExternalIdException, Via } from '../domain/connection/candidate.ts';
import type { ConnectionCredentials, SignInCredentials } from '../domain/connection/credentials.ts';
import { pickReferred, textOf, type Reference } from '../domain/reference.ts';
import { JobError } from '../errors.ts';
import { currentTraceparent } from '../observe/trace.ts';
import type { Database } from './client.ts';
import { deleteConnection, deleteRefused, findDependents } from './connection-deletion.ts';
import { toDatabaseError, violatedConstraint } from './database-error.ts';
import { credentialPlace, type Encryption } from './encryption.ts';
import { newestOfConnections } from './recorded-revisions.ts';
import { assignments, fromRow, insertion, referred } from './rows.ts';
import { connections } from './schema.ts';
import { type ConnectionRow } from './engine/subjects.ts';
import { wake } from './engine/wake.ts';
import { raise } from './statement.ts';
import { dueNow } from './engine/due.ts';

export interface NewConnection {
  readonly name: string;
  readonly description?: string | null;
  readonly projectId?: string | null;
  readonly region?: string | null;
  readonly narrowAccessKey?: boolean;
  readonly createdVia: Via;
  readonly requestedBy: string | null;
  readonly credentials: SignInCredentials;
  readonly externalIdException?: ExternalIdException | null;
}

export interface ConnectionDescription {
  readonly name?: string;
  readonly description?: string | null;
  readonly region?: string | null;
  readonly narrowAccessKey?: boolean;
}

export interface ConnectionChanges {
  readonly description: ConnectionDescription;
  /** Replace the present credentials, or wait beside them for a validation. */
  readonly credentials?: { readonly are: 'replaced' | 'offered'; readonly by: SignInCredentials };
  readonly externalIdException?: ExternalIdException | null;
  readonly via: Via;
  readonly requestedBy: string | null;
}

export interface CreatedConnectionRow {
  readonly connection: ConnectionRow;
  /** The request for the first validation. */
  readonly requestId: string;
}

export type Connections = ReturnType<typeof createConnections>;

export function createConnections(db: Database, encryption: Encryption) {
  return {
    create: (orgId: string, input: NewConnection) => createConnection({ db, encryption }, orgId, input),
    get: (orgId: string, reference: Reference) => getConnection(db, orgId, reference),
    byId: (id: string) => connectionById(db, id),
    list: (orgId: string) => listConnections(db, orgId),
    /** One statement. Undefined when the row changed since `row` was read. */
    update: (row: ConnectionRow, changes: ConnectionChanges) => updateConnection({ db, encryption }, row, changes),
    delete: (row: ConnectionRow) => deleteConnection(db, row),
    /**
     * Whether a connection that AWS refused was deleted: it stays when anything came in between.
     */
    deleteRefused: (row: ConnectionRow) => deleteRefused(db, row),
    dependents: (row: ConnectionRow) => findDependents(db, row),
    credentialsOf: (row: ConnectionRow) => credentialsOf(encryption, row),
    candidateOf: (row: ConnectionRow) => candidateOf(encryption, row),
  };
}

interface Stores {
  readonly db: Database;
  readonly encryption: Encryption;
}

/**
 * The row and the request for its first validation appear together, so that one run answers both.
 */
async function createConnection(
  { db, encryption }: Stores,
  orgId: string,
  input: NewConnection,
): Promise<CreatedConnectionRow> {
  const id = crypto.randomUUID();
  const { credentials, requestedBy, ...rest } = input;
  const columns = await credentialColumns(encryption, { orgId, id, credentialsRevision: 1 }, credentials);
  const due = {
    nextDueAt: sql`now()`,
    dueReason: 'created',
    dueRequestedBy: requestedBy,
    dueTraceparent: currentTraceparent(),
  };
  try {
    const [row] = await db.execute(sql`
      with created as (
        insert into keyferry.connections
          ${insertion(connections, { id, orgId, ...rest, ...columns, ...due })} returning *
      ),
      request as (
        insert into keyferry.requests (org_id, kind, subject_id, actor, reason)
        select org_id, 'validate', id, ${requestedBy}, 'created' from created returning id
      )
      select created.*, request.id as _request_id from created, request`);
    wake(db, 'validate');
    return { connection: fromRow(connections, row ?? {}), requestId: String(row?._request_id) };
  } catch (error) {
    throw nameTaken(error, input.name);
  }
}

function nameTaken(error: unknown, name: string): JobError {
  if (violatedConstraint(error) !== 'connections_org_name') return toDatabaseError(error);
  return new JobError('CONNECTION_NAME_TAKEN', {
    message: `A connection named ${name} already exists. Choose another name, or update that one.`,
  });
}

async function credentialColumns(
  encryption: Encryption,
  place: { orgId: string; id: string; credentialsRevision: number },
  credentials: SignInCredentials,
) {
  if (credentials.method === 'assume-role') {
    const { method, roleArn, externalId } = credentials;
    return { method, roleArn, externalId, accessKeyId: null, secretAccessKey: null } as const;
  }
  const { method, accessKeyId } = credentials;
  const secretAccessKey = await encryption.encrypt(credentials.secretAccessKey, credentialPlace(place));
  return { method, roleArn: null, externalId: null, accessKeyId, secretAccessKey } as const;
}

/** Throws CONNECTION_NOT_FOUND, also for another org's connection. */
async function getConnection(db: Database, orgId: string, reference: Reference): Promise<ConnectionRow> {
  const matches = await db
    .select()
    .from(connections)
    .where(and(eq(connections.orgId, orgId), referred(connections, reference)))
    .catch(raise);
  const row = pickReferred(reference, matches);
  if (!row) throw new JobError('CONNECTION_NOT_FOUND', { message: `There is no connection ${textOf(reference)}.` });
  return row;
}

async function connectionById(db: Database, id: string): Promise<ConnectionRow> {
  const [row] = await db.select().from(connections).where(eq(connections.id, id)).catch(raise);
  if (!row) throw new JobError('CONNECTION_NOT_FOUND', { message: `There is no connection ${id}.` });
  return row;
}

async function listConnections(db: Database, orgId: string): Promise<readonly ConnectionRow[]> {
  return db.select().from(connections).where(eq(connections.orgId, orgId)).orderBy(asc(connections.name)).catch(raise);
}

/**
 * Writes the connection’s row, fenced by the version and the revision of the credentials that were
 * read; undefined: it changed meanwhile. Records an exception in the same statement.
 */
async function updateConnection(
  stores: Stores,
  row: ConnectionRow,
  changes: ConnectionChanges,
): Promise<ConnectionRow | undefined> {
  const { description, credentials, externalIdException: exception, requestedBy } = changes;
  const columns = {
    ...description,
    ...(credentials && (await credentialsChange(stores.encryption, await withNewest(stores.db, row), changes))),
    ...defined({ externalIdException: exception }),
  };
  const { region = row.region, narrowAccessKey = row.narrowAccessKey } = description;
  const isOtherwise = region !== row.region || narrowAccessKey !== row.narrowAccessKey;
  const isDue = isOtherwise || credentials !== undefined || exception !== undefined;
  try {
    const [updated] = await stores.db.execute(sql`
      with updated as (
        update keyferry.connections
        set version = version + 1, updated_at = now()
          ${assignments(connections, columns)}${isDue ? validatedAgain(requestedBy) : sql``}
        where id = ${row.id} and version = ${row.version}
          and credentials_revision = ${row.credentialsRevision}
        returning *
      ),
      audited as (${auditedException(changes)})
      select * from updated`);
    if (updated && isDue) wake(stores.db, 'validate');
    return updated && fromRow(connections, updated);
  } catch (error) {
    throw nameTaken(error, description.name ?? row.name);
  }
}

function validatedAgain(requestedBy: string | null): SQL {
  return sql`,
          external_id_probed_at = null,
          wanted_revision = wanted_revision + 1,
          ${dueNow('changed', requestedBy)}`;
}

/** An operator's exception is on record with who allowed it. */
function auditedException({ externalIdException: exception, requestedBy }: ConnectionChanges): SQL {
  const action = exception === null ? 'connection.requireExternalId' : 'connection.allowMissingExternalId';
  return sql`
        insert into keyferry.audit_log (org_id, actor, via, action, subject, request_id,
          status_code)
        select org_id, ${requestedBy ?? 'operator'}, 'operator', ${action}, id::text,
          gen_random_uuid()::text, 200
        from updated where ${exception !== undefined}
      `;
}

/**
 * New credentials come after all that were in use, also where older ones were put back past
 * keyferry.
 */
async function withNewest(db: Database, row: ConnectionRow): Promise<ConnectionRow> {
  const [newest = 0] = await newestOfConnections(db, [row.id]);
  return { ...row, credentialsRevision: Math.max(row.credentialsRevision, newest) };
}

async function credentialsChange(
  encryption: Encryption,
  row: ConnectionRow,
  { credentials, via, requestedBy }: ConnectionChanges,
) {
  if (credentials === undefined) return {};
  const credentialsRevision = row.credentialsRevision + 1;
  const { secretAccessKey, ...columns } = await credentialColumns(
    encryption,
    { ...row, credentialsRevision },
    credentials.by,
  );
  if (credentials.are === 'replaced') {
    // What is known about the old credentials does not apply to the new ones.
    const forgotten = { status: 'pending', candidate: null, candidateSecret: null } as const;
    return { ...columns, secretAccessKey, credentialsRevision, createdVia: via, ...forgotten };
  }
  const candidate: StoredCandidate = {
    id: crypto.randomUUID(),
    method: columns.method,
    ...(columns.method === 'assume-role'
      ? { roleArn: columns.roleArn, externalId: columns.externalId }
      : { accessKeyId: columns.accessKeyId }),
    credentialsRevision,
    via,
    offeredBy: requestedBy,
    offeredAt: new Date().toISOString(),
  };
  return { candidate, candidateSecret: secretAccessKey };
}

async function credentialsOf(encryption: Encryption, row: ConnectionRow): Promise<ConnectionCredentials> {
  const base = { connectionId: row.id, orgId: row.orgId, credentialsRevision: row.credentialsRevision };
  if (row.method === 'assume-role') {
    return { ...base, method: 'assume-role', roleArn: row.roleArn ?? '', externalId: row.externalId ?? row.orgId };
  }
  const secretAccessKey = await encryption.decrypt(row.secretAccessKey ?? '', credentialPlace(row));
  return { ...base, method: 'access-key', accessKeyId: row.accessKeyId ?? '', secretAccessKey };
}

/** The offered credentials in clear. */
async function candidateOf(encryption: Encryption, row: ConnectionRow): Promise<SignInCredentials | undefined> {
  const { candidate, candidateSecret } = row;
  if (candidate === null || candidate.refusal !== undefined) return undefined;
  if (candidate.method === 'assume-role')
    return { method: 'assume-role', roleArn: candidate.roleArn ?? '', externalId: candidate.externalId ?? row.orgId };
  const place = credentialPlace({ ...row, credentialsRevision: candidate.credentialsRevision });
  const secretAccessKey = await encryption.decrypt(candidateSecret ?? '', place);
  return { method: 'access-key', accessKeyId: candidate.accessKeyId ?? '', secretAccessKey };
}
