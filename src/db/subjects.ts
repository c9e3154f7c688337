/** The rows that runs are about, and what every statement of the engine shares. */
import { sql, type SQL } from 'drizzle-orm';

import type { Kind } from '../domain/run.ts';
import { currentTraceparent } from '../trace.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { connections, rotations, syncs } from './schema.ts';

export type ConnectionRow = typeof connections.$inferSelect;
export type SyncRow = typeof syncs.$inferSelect;
export type RotationRow = typeof rotations.$inferSelect;

export interface SubjectRows {
  readonly validate: ConnectionRow;
  readonly sync: SyncRow;
  readonly rotate: RotationRow;
}

export const DUE_CHANNEL = 'keyferry_due';

export const tables = { validate: connections, sync: syncs, rotate: rotations } as const;

export const tableNames: Readonly<Record<Kind, SQL>> = {
  validate: sql`keyferry.connections`,
  sync: sql`keyferry.syncs`,
  rotate: sql`keyferry.rotations`,
};

/** Goes wherever a subject becomes due: the run that follows belongs to the trace of who asked. */
export function dueTrace(): SQL {
  return sql`due_traceparent = ${currentTraceparent()}`;
}

export async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/** An array parameter as PostgreSQL's own literal: ids only, so nothing needs quoting. */
export function textArray(ids: readonly string[]): string {
  return `{${ids.join(',')}}`;
}
