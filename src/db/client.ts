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

/** How the server writes values as text; a database or a role may have other defaults. */
const textFormats = { DateStyle: 'ISO, MDY', IntervalStyle: 'postgres', TimeZone: 'UTC' } as const;

export function openDatabase(
  url: string,
  options: { readonly poolSize?: number; readonly name?: string } = {},
): DatabaseHandle {
  const client = postgres(url, {
    max: options.poolSize ?? 10,
    idle_timeout: 30,
    max_lifetime: 30 * 60,
    connect_timeout: 5,
    // The driver asks for them on its own account, and when the connection breaks at that moment, nobody handles its failure: the process ends.
    fetch_types: false,
    onnotice: () => undefined,
    connection: {
      application_name: options.name ?? 'keyferry',
      statement_timeout: 30 * SECOND_MS,
      ...textFormats,
      // Keys and intents at AWS outlive a crash of the server only if their commits do.
      synchronous_commit: 'on',
    },
  });
  return {
    db: drizzle(preparing(client), { schema }),
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

/** Far more than there are statements; lists of varying length would otherwise fill the server's memory with plans. */
const MAX_PREPARED = 500;

/**
 * drizzle asks for no prepared statements: then each costs a round trip to describe it and is planned anew, which for claims and settlements is
 * most of their time. A plan that a migration made invalid is prepared again by the driver.
 */
function preparing(client: postgres.Sql): postgres.Sql {
  const known = new Set<string>();
  const mayPrepare = (query: string) => known.has(query) || (known.size < MAX_PREPARED && known.add(query).has(query));
  return new Proxy(client, {
    get: (target, property) => {
      if (property !== 'unsafe') return Reflect.get(target, property, target) as unknown;
      const unsafe: postgres.Sql['unsafe'] = (query, parameters) =>
        target.unsafe(query, parameters, { prepare: mayPrepare(query) });
      return unsafe;
    },
  });
}
