/**
 * Brings the schema up to date. Runs under an advisory lock on a connection of its own, since
 * drizzle's migrator is not safe to start twice at once, and refuses a database that a newer
 * keyferry migrated.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { readMigrationFiles } from 'drizzle-orm/migrator';
import postgres from 'postgres';
import { z } from 'zod';

import {
  isSchemaDenied,
  type SchemaRights,
  schemaRightsStatement,
  toSchemaDenied,
} from '../domain/servers/schema-rights.ts';
import { JobError } from '../errors.ts';
import { createSockets, databaseServerOf } from '../database-server.ts';
import { driverOptions } from './client.ts';
import { codeOf, toDatabaseError } from './database-error.ts';
import { ensureInstallation } from './installation.ts';
import { lockKeys } from './locks.ts';

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url));

const journalShape = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) });

/**
 * Raised, to that migration's time, with a migration that the release before cannot work with: then
 * its workers refuse to start.
 */
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
  // A migration may take long, and wait for another to end. As text: the driver sends no 0, and the
  // role's own limits would hold.
  const noLimits: Readonly<Record<string, string>> = { statement_timeout: '0', lock_timeout: '0' };
  return postgres({ ...options, max: 1, connection: { ...options.connection, ...noLimits } });
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

/**
 * A newer release only adds to the schema, unless it says otherwise: so its predecessor's workers
 * work on until they are replaced.
 */
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

/**
 * Applies what is missing; safe to start several times at once. Returns how many migrations it
 * applied.
 */
export async function migrate(databaseUrl: string): Promise<{ applied: number; known: number }> {
  const client = connect(databaseUrl);
  try {
    await client`select pg_advisory_lock(${lockKeys.migration})`;
    const before = await readState(client);
    await applyMigrations(client);
    await ensureInstallation(client);
    await client`
      update keyferry.installation set compatible_since = ${COMPATIBLE_SINCE}
      where compatible_since < ${COMPATIBLE_SINCE}`;
    const after = await readState(client);
    // A migration whose time is older than the last applied one is skipped.
    if (after.applied < after.known)
      throw new JobError('DB_NOT_MIGRATED', { message: 'A migration was skipped: the journal is out of order.' });
    return { applied: after.applied - before.applied, known: after.known };
  } catch (error) {
    if (isSchemaDenied(codeOf(error))) throw toSchemaDenied('keyferry', await readRights(client), error);
    throw toDatabaseError(error, databaseUrl);
  } finally {
    await client.end({ timeout: 3 });
  }
}

/**
 * `CREATE SCHEMA IF NOT EXISTS` needs the right to create schemas also where the schema exists, so
 * it runs only where it does not.
 */
const CREATE_SCHEMA = /^create schema if not exists/i;

/**
 * All in one transaction, in drizzle's own table of migrations. drizzle's migrator would create the
 * schema each time.
 */
async function applyMigrations(client: postgres.Sql): Promise<void> {
  const { owner } = await readRights(client);
  if (owner === null) await client`create schema keyferry`;
  await client`
    create table if not exists keyferry.migrations (
      id serial primary key,
      hash text not null,
      created_at bigint
    )`;
  const [last] = await client<{ at: string | null }[]>`select max(created_at) as at
    from keyferry.migrations`;
  const missing = readMigrationFiles({ migrationsFolder: FOLDER }).filter(
    ({ folderMillis }) => folderMillis > Number(last?.at ?? 0),
  );
  await client.begin(async (transaction) => {
    for (const { sql: statements, hash, folderMillis } of missing) {
      for (const statement of statements.filter((one) => !CREATE_SCHEMA.test(one.trim())))
        await transaction.unsafe(statement);
      await transaction`insert into keyferry.migrations (hash, created_at)
        values (${hash}, ${folderMillis})`;
    }
  });
}

async function readRights(client: postgres.Sql): Promise<SchemaRights> {
  const [rights] = await client.unsafe<SchemaRights[]>(schemaRightsStatement, ['keyferry']);
  if (!rights) throw new Error('PostgreSQL returned no row for a query without a table.');
  return rights;
}
