/** A program beside a schema of the release before or after its own. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { migrate, planMigrations, readSchemaState, requireCurrentSchema } from '../../../src/db/migrate.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/postgres.ts';

let database: TestDatabase;
let client: postgres.Sql;

beforeAll(async () => {
  database = await createEmptyDatabase();
  client = postgres(database.url, { max: 1, onnotice: () => undefined });
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

it('plans every statement of an empty database, and runs none', async () => {
  const plan = await planMigrations(database.url);
  expect(plan[0]?.name).toBe('0000_init');
  expect(plan[0]?.statements[0]).toMatch(/^CREATE SCHEMA/);
  expect(await readSchemaState(database.url)).toMatchObject({ applied: 0, unknown: 0 });
});

it('refuses the schema of the release before, and names the command', async () => {
  await migrate(database.url);
  expect(await planMigrations(database.url)).toEqual([]);
  await client`delete from keyferry.migrations
    where created_at = (select max(created_at) from keyferry.migrations)`;
  await expect(requireCurrentSchema(database.url)).rejects.toThrow(/lacks 1 of \d+ migrations. Run `keyferry migrate`/);
  expect(await planMigrations(database.url)).toHaveLength(1);
});

it('works with the schema of a later release until that one no longer supports it', async () => {
  const later = Date.now() + 86_400_000;
  const [known] = await client<{ count: number }[]>`select count(*)::int as count
    from keyferry.migrations`;
  await client`delete from keyferry.migrations`;
  await client`drop schema keyferry cascade`;
  await migrate(database.url);
  await client`insert into keyferry.migrations (hash, created_at) values ('later', ${later})`;
  await requireCurrentSchema(database.url);
  expect(await readSchemaState(database.url)).toMatchObject({ applied: Number(known?.count) + 1, unknown: 1 });
  expect(await migrate(database.url)).toMatchObject({ applied: 0 });
  await client`update keyferry.installation set compatible_since = ${later}`;
  await expect(requireCurrentSchema(database.url)).rejects.toMatchObject({ code: 'DB_TOO_NEW' });
});
