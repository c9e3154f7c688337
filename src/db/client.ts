/**
 * Opens PostgreSQL: one pool through drizzle. Run time uses single statements only, because
 * postgres.js ends the whole process when a backend dies inside a transaction block; migrations
 * alone use one.
 */
import type { Socket } from 'node:net';

import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';

import { createSockets, databaseServerOf, type Sockets, sessionSettings, tlsOptionsOf } from '../database-server.ts';
import { defined } from '../domain/defined.ts';
import type { DatabaseServer } from '../domain/servers/database-url.ts';
import { codeOf, toDatabaseError } from './database-error.ts';
import * as schema from './schema.ts';

export type Database = PostgresJsDatabase<typeof schema> & { readonly $client: postgres.Sql };

export interface DatabaseHandle {
  readonly db: Database;
  /** The bare client, for LISTEN. */
  readonly client: postgres.Sql;
  /** Throws DB_UNAVAILABLE. */
  ping(): Promise<void>;
  /**
   * Proves that a worker's writes are possible. Sessions that can only read leave the pool: after a
   * failover, new ones lead to the primary.
   */
  requireWritable(): Promise<void>;
  /** The same over a fresh connection: whether the server is fine when this pool is not. */
  checkAfresh(): Promise<void>;
  /** Checks every few seconds whether the pool can write; ends with `close`. */
  watch(everyMs?: number): void;
  close(): Promise<void>;
}

export function openDatabase(
  url: string,
  options: { readonly poolSize?: number; readonly name?: string } = {},
): DatabaseHandle {
  const server = databaseServerOf(url);
  const sockets = createSockets();
  const client = postgres({
    ...driverOptions(server, sockets, options.name ?? 'keyferry'),
    max: options.poolSize ?? 10,
    idle_timeout: 30,
    max_lifetime: 30 * 60,
  });
  const requireWritable = async () => {
    try {
      await proveWritable(client);
    } catch (error) {
      if (codeOf(error) === '25006') sockets.dropAll();
      throw toDatabaseError(error, url);
    }
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    requireWritable,
    async checkAfresh() {
      const fresh = postgres({ ...driverOptions(server, createSockets(), 'keyferry check'), max: 1 });
      try {
        await proveWritable(fresh);
      } catch (error) {
        throw toDatabaseError(error, url);
      } finally {
        await fresh.end({ timeout: 1 });
      }
    },
    watch(everyMs = WATCH_EVERY_MS) {
      timer ??= setInterval(() => void requireWritable().catch(() => undefined), everyMs).unref();
    },
    db: drizzle(server.isPooled ? client : preparing(client), { schema }),
    client,
    async ping() {
      try {
        await client`select 1`;
      } catch (error) {
        throw toDatabaseError(error, url);
      }
    },
    close() {
      clearInterval(timer);
      return client.end({ timeout: 3 });
    },
  };
}

const WATCH_EVERY_MS = 5_000;

/** Needs the rights and the server of a worker's writes, and changes nothing. */
async function proveWritable(client: postgres.Sql): Promise<void> {
  await client`update keyferry.connections set name = name where false`;
}

/** `socket` is documented by the driver, but missing in its types. */
type DriverOptions = postgres.Options<Record<string, never>> & { readonly socket: () => Socket };

/** The same for every pool of postgres.js. */
export function driverOptions(server: DatabaseServer, sockets: Pick<Sockets, 'open'>, name: string): DriverOptions {
  const tls = tlsOptionsOf(server);
  return {
    host: server.host,
    port: server.port,
    ...defined({ username: server.user, password: server.password, database: server.database }),
    ssl: server.tls.mode === 'prefer' ? 'prefer' : tls,
    ...(server.tls.isDirect && { sslnegotiation: 'direct' }),
    socket: () => sockets.open(server),
    connect_timeout: server.connectSeconds,
    backoff: reconnectSeconds,
    prepare: !server.isPooled,
    // The driver asks for them by itself. If the connection breaks during that, nothing handles the
    // failure and the process ends.
    fetch_types: false,
    onnotice: () => undefined,
    connection: {
      application_name: name,
      ...sessionSettings(server),
      ...defined({ options: server.options }),
    },
  };
}

/**
 * The driver counts failures over all connections of a pool and waits up to 20 s: when ten break at
 * once, work would resume long after the server is back.
 */
function reconnectSeconds(failures: number): number {
  return Math.min(1, 0.05 * 2 ** failures) * (0.5 + 0.5 * Math.random());
}

/**
 * Far more than there are statements; lists of varying length would otherwise fill the server's
 * memory with plans.
 */
const MAX_PREPARED = 500;

/**
 * drizzle does not use prepared statements: each statement then costs a round trip to describe it
 * and is planned again, which for claims and settlements is most of their time. A plan that a
 * migration made invalid is prepared again by the driver.
 */
function preparing(client: postgres.Sql): postgres.Sql {
  const known = new Set<string>();
  const mayPrepare = (query: string) => {
    if (known.size < MAX_PREPARED) known.add(query);
    return known.has(query);
  };
  return new Proxy(client, {
    get: (target, property) => {
      if (property !== 'unsafe') return Reflect.get(target, property, target) as unknown;
      const unsafe: postgres.Sql['unsafe'] = (query, parameters) =>
        target.unsafe(query, parameters, { prepare: mayPrepare(query) });
      return unsafe;
    },
  });
}
