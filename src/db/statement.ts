/** How every statement of this room reaches PostgreSQL, and how its errors leave. */
import { fillPlaceholders, type Query, type SQL } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';

import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';

/** The raw rows of a hand-written statement. Throws a `JobError`. */
export async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}

const dialect = new PgDialect();

/**
 * A statement that every job needs. Its text is rendered once for each shape: a call costs a worker
 * half of what `execute` does. `build` is given the shape alone, so that nothing of one call stays
 * in the text; what differs from call to call is named there with `sql.placeholder`.
 */
export function renderedOnce<S>(build: (shape: S) => SQL) {
  const queries = new Map<string, Query>();
  return async (db: Database, shape: S, values: Readonly<Record<string, string>>) => {
    const key = JSON.stringify(shape);
    const query = queries.get(key) ?? dialect.sqlToQuery(build(shape));
    queries.set(key, query);
    const parameters = fillPlaceholders(query.params, values) as string[];
    return db.$client.unsafe<Record<string, unknown>[]>(query.sql, parameters).catch(raise);
  };
}

/** For `.catch`: the driver's messages hold bound parameters and never leave this room. */
export function raise(error: unknown): never {
  throw toDatabaseError(error);
}
