/**
 * Opens PostgreSQL: one pool through drizzle. Run time uses single statements only, because postgres.js ends the whole process
 * when a backend dies inside a transaction block; migrations alone use one.
 */
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';

import { toDatabaseError } from './database-error.ts';
import * as schema from './schema.ts';

export type Database = PostgresJsDatabase<typeof schema>;

export interface DatabaseHandle {
  readonly db: Database;
  /** The bare client, for LISTEN. */
  readonly client: postgres.Sql;
  /** Throws DB_UNAVAILABLE. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const SECOND_MS = 1_000;

export function openDatabase(
  url: string,
  options: { readonly poolSize?: number; readonly name?: string } = {},
): DatabaseHandle {
  const client = postgres(url, {
    max: options.poolSize ?? 10,
    idle_timeout: 30,
    max_lifetime: 30 * 60,
    connect_timeout: 5,
    onnotice: () => undefined,
    connection: {
      application_name: options.name ?? 'keyferry',
      statement_timeout: 30 * SECOND_MS,
      // One plan for a small org and a large one, made by chance from the first few, would be wrong for one of them.
      plan_cache_mode: 'force_custom_plan',
    },
  });
  return {
    db: drizzle(prepared(client), { schema }),
    client,
    async ping() {
      try {
        await client`select 1`;
      } catch (error) {
        throw toDatabaseError(error, url);
      }
    },
    close: () => client.end({ timeout: 3 }),
  };
}

/**
 * drizzle runs everything by `unsafe`, which postgres.js neither prepares nor sends in one round trip. A statement that PostgreSQL knows by name is parsed once per
 * connection; when a migration changes what it returns, postgres.js prepares it anew.
 */
function prepared(client: postgres.Sql): postgres.Sql {
  const unsafe: postgres.Sql['unsafe'] = (query, parameters, options) =>
    client.unsafe(query, parameters, { ...options, prepare: true });
  return Object.assign(Object.create(client) as postgres.Sql, { unsafe });
}
