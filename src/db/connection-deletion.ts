/** Deletes connections, and names what still depends on them. */
import { asc, eq, sql } from 'drizzle-orm';

import type { Dependent } from '../domain/connection/dependent.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { toDatabaseError, violatedConstraint } from './database-error.ts';
import { rotations, syncs } from './schema.ts';
import { closedWork, type ConnectionRow, isAsSeen, untilAsSeen } from './engine/subjects.ts';

/**
 * Ends the requests and runs of the connection with it. Throws CONNECTION_IN_USE with the
 * dependents' names.
 */
export async function deleteConnection(db: Database, row: ConnectionRow): Promise<void> {
  try {
    await untilAsSeen(() => tryDeletion(db, row.id));
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

/**
 * Fenced, because it ends the requests and runs that its snapshot shows. Undefined when another
 * transaction changed the row first.
 */
async function tryDeletion(db: Database, id: string): Promise<true | undefined> {
  const [row] = await db.execute(sql`
    with seen as materialized (
      select c.id, c.xmin as row_version from keyferry.connections c where c.id = ${id}
    ),
    gone as (
      delete from keyferry.connections t using seen where t.id = seen.id and ${isAsSeen}
      returning t.id
    ),
    ${closedWork(sql`gone`)}
    select (select count(*) from seen) = (select count(*) from gone) as is_done`);
  return row?.['is_done'] === true ? true : undefined;
}

/**
 * Deletes a connection that its first validation refused, if nothing came in between: no change, no
 * other credentials, nothing that uses it. Returns whether it did.
 */
export async function deleteRefused(db: Database, row: ConnectionRow): Promise<boolean> {
  try {
    return await untilAsSeen(() => tryRefusedDeletion(db, row));
  } catch (error) {
    // Something began to use it while the statement was on its way.
    if (violatedConstraint(error) !== undefined) return false;
    throw toDatabaseError(error);
  }
}

/**
 * One row of the connection and its open work, if the row is as the snapshot saw it; undefined: it
 * changed meanwhile. Foreign keys refuse what began to use it.
 */
async function tryRefusedDeletion(db: Database, row: ConnectionRow): Promise<boolean | undefined> {
  const [found] = await db.execute(sql`
    with seen as materialized (
      select c.id, c.xmin as row_version from keyferry.connections c
      where c.id = ${row.id} and c.version = ${row.version}
        and c.credentials_revision = ${row.credentialsRevision}
        and c.status = 'invalid' and c.candidate is null
        and not exists (select 1 from keyferry.syncs s where s.connection_id = c.id)
        and not exists (select 1 from keyferry.rotations r where r.connection_id = c.id)
    ),
    gone as (
      delete from keyferry.connections t using seen where t.id = seen.id and ${isAsSeen}
      returning t.id
    ),
    ${closedWork(sql`gone`)}
    select (select count(*) from seen)::int as seen, (select count(*) from gone)::int as gone`);
  if (found?.['seen'] === 0) return false;
  return found?.['gone'] === 1 ? true : undefined;
}

export async function findDependents(db: Database, row: ConnectionRow): Promise<readonly Dependent[]> {
  const columns = (table: typeof syncs | typeof rotations) => ({ id: table.id, name: table.name });
  const [ofSyncs, ofRotations] = await Promise.all([
    db.select(columns(syncs)).from(syncs).where(eq(syncs.connectionId, row.id)).orderBy(asc(syncs.name)),
    db
      .select(columns(rotations))
      .from(rotations)
      .where(eq(rotations.connectionId, row.id))
      .orderBy(asc(rotations.name)),
  ]).catch((error: unknown) => {
    throw toDatabaseError(error);
  });
  return [
    ...ofSyncs.map((one) => ({ kind: 'sync' as const, ...one })),
    ...ofRotations.map((one) => ({ kind: 'rotation' as const, ...one })),
  ];
}
