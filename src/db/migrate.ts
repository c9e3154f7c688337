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
import { createSockets, databaseServerOf } from '../database-server.ts';
import { driverOptions } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { ensureInstallation } from './installation.ts';

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url));
/** Arbitrary, but ours: 'keyferry' as the first bytes of its SHA-256. */
const LOCK_KEY = 7_311_953_224;

const journalShape = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) });

/** Raised, to that migration's time, with a migration that the release before cannot work with: then its workers refuse to start. */
const COMPATIBLE_SINCE = 0;

export interface SchemaState {
  /** Of the migrations that this program knows. */
  readonly applied: number;
  readonly known: number;
  /** Migrations of a newer release. */
  readonly unknown: number;
}

async function journal(): Promise<{ tag: string; when: number }[]> {
  return journalShape.parse(JSON.parse(await readFile(`${FOLDER}/meta/_journal.json`, 'utf8'))).entries;
}

function connect(databaseUrl: string): postgres.Sql {
  const options = driverOptions(databaseServerOf(databaseUrl), createSockets(), 'keyferry migrate');
  // A migration may take long, and wait for another to end.
  return postgres({ ...options, max: 1, connection: { ...options.connection, statement_timeout: 0, lock_timeout: 0 } });
}

async function readState(client: postgres.Sql): Promise<SchemaState> {
  const [tables] = await client<{ migrations: string | null; installation: string | null }[]>`
    select to_regclass('keyferry.migrations')::text as migrations,
      to_regclass('keyferry.installation')::text as installation`;
  if (!tables?.migrations) return compare([], 0, await journal());
  const rows = await client<{ created_at: string }[]>`select created_at from keyferry.migrations`;
  const [row] = tables.installation
    ? await client<{ since: string | null }[]>`
        select to_jsonb(i) ->> 'compatible_since' as since from keyferry.installation i`
    : [];
  const applied = rows.map(({ created_at: at }) => Number(at));
  return compare(applied, Number(row?.since ?? 0), await journal());
}

/** Throws DB_TOO_NEW or DB_UNAVAILABLE. */
export async function readSchemaState(databaseUrl: string): Promise<SchemaState> {
  const client = connect(databaseUrl);
  try {
    return await readState(client);
  } catch (error) {
    throw toDatabaseError(error, databaseUrl);
  } finally {
    await client.end({ timeout: 3 });
  }
}

/** A newer release only adds to the schema, unless it says otherwise: so its predecessor's workers work on until they are replaced. */
function compare(applied: readonly number[], compatibleSince: number, known: readonly { when: number }[]): SchemaState {
  const newestKnown = Math.max(0, ...known.map((migration) => migration.when));
  if (compatibleSince > newestKnown) throw new JobError('DB_TOO_NEW');
  const unknown = applied.filter((when) => when > newestKnown).length;
  return { applied: applied.length - unknown, known: known.length, unknown };
}

export interface PlannedMigration {
  readonly name: string;
  readonly statements: readonly string[];
}

/** What `migrate` would run, without running it. Throws DB_TOO_NEW or DB_UNAVAILABLE. */
export async function planMigrations(databaseUrl: string): Promise<readonly PlannedMigration[]> {
  const { applied } = await readSchemaState(databaseUrl);
  const missing = (await journal()).slice(applied);
  return Promise.all(
    missing.map(async ({ tag }) => {
      const text = await readFile(`${FOLDER}/${tag}.sql`, 'utf8');
      const statements = text.split('--> statement-breakpoint').map((statement) => statement.trim());
      return { name: tag, statements: statements.filter((statement) => statement !== '') };
    }),
  );
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
    const before = await readState(client);
    const db = drizzle(client);
    await db.execute(sql`create schema if not exists keyferry`);
    await runMigrations(db, { migrationsFolder: FOLDER, migrationsSchema: 'keyferry', migrationsTable: 'migrations' });
    await ensureInstallation(client);
    await client`
      update keyferry.installation set compatible_since = ${COMPATIBLE_SINCE}
      where compatible_since < ${COMPATIBLE_SINCE}`;
    const after = await readState(client);
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
