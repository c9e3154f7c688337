/** Reads for showing: a statement in, raw rows out, errors made public. */
import type { SQL } from 'drizzle-orm';

import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';

export type ReadAll = (statement: SQL) => Promise<Record<string, unknown>[]>;

export function createReadAll(db: Database): ReadAll {
  return async (statement) => {
    try {
      return await db.execute(statement);
    } catch (error) {
      throw toDatabaseError(error);
    }
  };
}

export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function parsedJson(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : value;
}
