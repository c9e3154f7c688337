/** How every statement of this room reaches PostgreSQL, and how its errors leave. */
import type { SQL } from 'drizzle-orm';

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

/** For `.catch`: the driver's messages hold bound parameters and never leave this room. */
export function raise(error: unknown): never {
  throw toDatabaseError(error);
}
