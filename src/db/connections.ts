/** Connections: the rows, and their credentials in clear for the one caller that opens AWS sessions. */
import { and, asc, eq, sql } from 'drizzle-orm';

import type { ConnectionCredentials } from '../domain/connection-credentials.ts';
import { pickReferred, textOf, type Reference } from '../domain/reference.ts';
import { JobError } from '../errors.ts';
import { currentTraceparent } from '../trace.ts';
import type { Database } from './client.ts';
import { toDatabaseError, violatedConstraint } from './database-error.ts';
import { credentialPlace, type Encryption } from './encryption.ts';
import { fromRow, insertion, referred } from './rows.ts';
import { connections, rotations, syncs } from './schema.ts';
import { type ConnectionRow } from './subjects.ts';
import { wake } from './wake.ts';

export type NewCredentials =
  | { readonly method: 'assume-role'; readonly roleArn: string; readonly externalId: string }
  | { readonly method: 'access-key'; readonly accessKeyId: string; readonly secretAccessKey: string };

export interface NewConnection {
  readonly name: string;
  readonly description?: string | null;
  readonly projectId?: string | null;
  readonly region?: string | null;
  readonly createdVia: 'operator' | 'api';
  readonly requestedBy: string | null;
  readonly credentials: NewCredentials;
}

export interface CreatedConnection {
  readonly connection: ConnectionRow;
  /** The request for the first validation. */
  readonly requestId: string;
}

export interface Dependent {
  readonly kind: 'sync' | 'rotation';
  readonly id: string;
  readonly name: string;
}

export type Connections = ReturnType<typeof createConnections>;

export function createConnections(db: Database, encryption: Encryption) {
  return {
    create: (orgId: string, input: NewConnection) => createConnection({ db, encryption }, orgId, input),
    get: (orgId: string, reference: Reference) => getConnection(db, orgId, reference),
    byId: (id: string) => connectionById(db, id),
    list: (orgId: string) => listConnections(db, orgId),
    /** Null when the row changed since `row` was read. */
    replaceCredentials: (row: ConnectionRow, credentials: NewCredentials) =>
      replaceCredentials({ db, encryption }, row, credentials),
    describe: (row: ConnectionRow, changes: ConnectionDescription) => describeConnection(db, row, changes),
    delete: (row: ConnectionRow) => deleteConnection(db, row),
    dependents: (row: ConnectionRow) => findDependents(db, row),
    credentialsOf: (row: ConnectionRow) => credentialsOf(encryption, row),
  };
}

interface Stores {
  readonly db: Database;
  readonly encryption: Encryption;
}

/** The row and the request for its first validation appear together, so that one run answers both. */
async function createConnection(
  { db, encryption }: Stores,
  orgId: string,
  input: NewConnection,
): Promise<CreatedConnection> {
  const id = crypto.randomUUID();
  const { credentials, requestedBy, ...rest } = input;
  const columns = credentialColumns(encryption, { orgId, id, credentialsRevision: 1 }, credentials);
  const due = {
    nextDueAt: new Date(),
    dueReason: 'created',
    dueRequestedBy: requestedBy,
    dueTraceparent: currentTraceparent(),
  };
  try {
    const [row] = await db.execute(sql`
      with created as (
        insert into keyferry.connections ${insertion(connections, { id, orgId, ...rest, ...columns, ...due })} returning *
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
    message: `A connection named ${name} exists already. Choose another name, or update that one.`,
  });
}

function credentialColumns(
  encryption: Encryption,
  place: { orgId: string; id: string; credentialsRevision: number },
  credentials: NewCredentials,
) {
  if (credentials.method === 'assume-role') {
    const { method, roleArn, externalId } = credentials;
    return { method, roleArn, externalId, accessKeyId: null, secretAccessKey: null };
  }
  const { method, accessKeyId } = credentials;
  const secretAccessKey = encryption.encrypt(credentials.secretAccessKey, credentialPlace(place));
  return { method, roleArn: null, externalId: null, accessKeyId, secretAccessKey };
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

async function replaceCredentials(
  { db, encryption }: Stores,
  row: ConnectionRow,
  credentials: NewCredentials,
): Promise<ConnectionRow | null> {
  const credentialsRevision = row.credentialsRevision + 1;
  const [updated] = await db
    .update(connections)
    .set({
      ...credentialColumns(encryption, { orgId: row.orgId, id: row.id, credentialsRevision }, credentials),
      credentialsRevision,
      version: sql`${connections.version} + 1`,
      // A new role is unproven: what was known of the old one does not speak for it.
      status: 'pending',
      externalIdProbedAt: null,
      wantedRevision: sql`${connections.wantedRevision} + 1`,
      nextDueAt: sql`now()`,
      dueReason: 'changed',
      dueTraceparent: currentTraceparent(),
      attempt: 0,
      updatedAt: sql`now()`,
    })
    .where(and(eq(connections.id, row.id), eq(connections.credentialsRevision, row.credentialsRevision)))
    .returning()
    .catch(raise);
  if (updated) wake(db, 'validate');
  return updated ?? null;
}

export interface ConnectionDescription {
  readonly name?: string;
  readonly description?: string | null;
  readonly region?: string | null;
}

async function describeConnection(
  db: Database,
  row: ConnectionRow,
  changes: ConnectionDescription,
): Promise<ConnectionRow> {
  try {
    const [updated] = await db
      .update(connections)
      .set({ ...changes, version: sql`${connections.version} + 1`, updatedAt: sql`now()` })
      .where(eq(connections.id, row.id))
      .returning();
    if (!updated) throw new JobError('CONNECTION_NOT_FOUND');
    return updated;
  } catch (error) {
    throw nameTaken(error, changes.name ?? row.name);
  }
}

/** Throws CONNECTION_IN_USE with the dependents' names. */
async function deleteConnection(db: Database, row: ConnectionRow): Promise<void> {
  try {
    await db.delete(connections).where(eq(connections.id, row.id));
  } catch (error) {
    if (violatedConstraint(error) === undefined) throw toDatabaseError(error);
    const dependents = await findDependents(db, row);
    const names = dependents.map((one) => `${one.kind} ${one.name}`).join(', ');
    throw new JobError('CONNECTION_IN_USE', {
      message: `${row.name} is still used by ${names}. Delete or move them first.`,
      context: { dependents },
      cause: error,
    });
  }
}

async function findDependents(db: Database, row: ConnectionRow): Promise<readonly Dependent[]> {
  const columns = (table: typeof syncs | typeof rotations) => ({ id: table.id, name: table.name });
  const [ofSyncs, ofRotations] = await Promise.all([
    db.select(columns(syncs)).from(syncs).where(eq(syncs.connectionId, row.id)).orderBy(asc(syncs.name)),
    db
      .select(columns(rotations))
      .from(rotations)
      .where(eq(rotations.connectionId, row.id))
      .orderBy(asc(rotations.name)),
  ]).catch(raise);
  return [
    ...ofSyncs.map((one) => ({ kind: 'sync' as const, ...one })),
    ...ofRotations.map((one) => ({ kind: 'rotation' as const, ...one })),
  ];
}

function credentialsOf(encryption: Encryption, row: ConnectionRow): ConnectionCredentials {
  const base = { connectionId: row.id, orgId: row.orgId, credentialsRevision: row.credentialsRevision };
  if (row.method === 'assume-role') {
    return { ...base, method: 'assume-role', roleArn: row.roleArn ?? '', externalId: row.externalId ?? row.orgId };
  }
  const secretAccessKey = encryption.decrypt(row.secretAccessKey ?? '', credentialPlace(row));
  return { ...base, method: 'access-key', accessKeyId: row.accessKeyId ?? '', secretAccessKey };
}

function raise(error: unknown): never {
  throw toDatabaseError(error);
}
