/**
 * Brings the schema up to date. Runs under an advisory lock on a connection of its own, since drizzle's migrator is not safe to start twice at
 * once, and refuses a database that a newer keyferry migrated.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as runMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { z } from 'zod';

import { JobError } from '../errors.ts';
import { toDatabaseError } from './database-error.ts';
import { ensureInstallation } from './installation.ts';

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url));
/** Arbitrary, but ours: 'keyferry' as the first bytes of its SHA-256. */
const LOCK_KEY = 7_311_953_224;

const journalShape = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) });

export interface SchemaState {
  readonly applied: number;
  readonly known: number;
}

async function journal(): Promise<{ tag: string; when: number }[]> {
  return journalShape.parse(JSON.parse(await readFile(`${FOLDER}/meta/_journal.json`, 'utf8'))).entries;
}

function connect(databaseUrl: string): postgres.Sql {
  return postgres(databaseUrl, {
    max: 1,
    connect_timeout: 5,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: 'keyferry migrate' },
  });
}

async function appliedMoments(client: postgres.Sql): Promise<number[]> {
  const [table] = await client<{ found: string | null }[]>`select to_regclass('keyferry.migrations')::text as found`;
  if (!table?.found) return [];
  const rows = await client<{ created_at: string }[]>`select created_at from keyferry.migrations order by created_at`;
  return rows.map((row) => Number(row.created_at));
}

/** Throws DB_TOO_NEW or DB_UNAVAILABLE. */
export async function readSchemaState(databaseUrl: string): Promise<SchemaState> {
  const client = connect(databaseUrl);
  try {
    return compare(await appliedMoments(client), await journal());
  } catch (error) {
    throw toDatabaseError(error, databaseUrl);
  } finally {
    await client.end({ timeout: 3 });
  }
}

function compare(applied: readonly number[], known: readonly { when: number }[]): SchemaState {
  const newestKnown = Math.max(0, ...known.map((migration) => migration.when));
  if (applied.some((when) => when > newestKnown)) throw new JobError('DB_TOO_NEW');
  return { applied: applied.length, known: known.length };
}

/** Throws DB_NOT_MIGRATED, DB_TOO_NEW or DB_UNAVAILABLE. */
export async function requireCurrentSchema(databaseUrl: string): Promise<void> {
  const { applied, known } = await readSchemaState(databaseUrl);
  if (applied < known) {
    throw new JobError('DB_NOT_MIGRATED', {
      message: `The database lacks ${String(known - applied)} of ${String(known)} migrations. Run \`keyferry migrate\`.`,
    });
  }
}

/** Applies what is missing; safe to start several times at once. Returns how many migrations it applied. */
export async function migrate(databaseUrl: string): Promise<{ applied: number; known: number }> {
  const client = connect(databaseUrl);
  try {
    await client`select pg_advisory_lock(${LOCK_KEY})`;
    const before = compare(await appliedMoments(client), await journal());
    const db = drizzle(client);
    await db.execute(sql`create schema if not exists keyferry`);
    await runMigrations(db, { migrationsFolder: FOLDER, migrationsSchema: 'keyferry', migrationsTable: 'migrations' });
    await ensureInstallation(client);
    const after = compare(await appliedMoments(client), await journal());
    // drizzle silently skips a migration whose time is older than the last applied one.
    if (after.applied < after.known)
      throw new JobError('DB_NOT_MIGRATED', { message: 'A migration was skipped: the journal is out of order.' });
    return { applied: after.applied - before.applied, known: after.known };
  } catch (error) {
    throw toDatabaseError(error, databaseUrl);
  } finally {
    await client.end({ timeout: 3 });
  }
}
