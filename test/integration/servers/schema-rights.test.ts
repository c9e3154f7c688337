/** `keyferry migrate` as a role that does not own the database, as administrators hand it out. */
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { migrate, requireCurrentSchema } from '../../../src/db/migrate.ts';
import { createQueueBackend } from '../../../src/queues/backend.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/postgres.ts';

const role = `kf-app_${crypto.randomUUID().slice(0, 8)}`;
let database: TestDatabase;
let url: string;

async function administer(...statements: readonly string[]): Promise<void> {
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  try {
    for (const statement of statements) await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

beforeEach(async () => {
  database = await createEmptyDatabase();
  await administer(`create role "${role}" login password 'not-a-secret'`);
  const parsed = new URL(database.url);
  parsed.username = role;
  parsed.password = 'not-a-secret';
  url = parsed.href;
});
afterEach(async () => {
  await administer(`drop owned by "${role}" cascade`, `drop role "${role}"`);
  await database.drop();
});

async function prepareQueue(): Promise<void> {
  const backend = await createQueueBackend({ databaseUrl: url, redisUrl: undefined });
  try {
    await backend.prepare();
  } finally {
    await backend.close();
  }
}

test('schemas that an administrator made for the role are enough', async () => {
  await administer(
    `create schema keyferry authorization "${role}"`,
    `create schema bullmq
      authorization "${role}"`,
  );
  await migrate(url);
  await prepareQueue();
  await requireCurrentSchema(url);
  expect(await migrate(url)).toMatchObject({ applied: 0 });
});

test('the right to create schemas is enough', async () => {
  await administer(`grant create on database "${database.name}" to "${role}"`);
  await migrate(url);
  await prepareQueue();
  await administer(`revoke create on database "${database.name}" from "${role}"`);
  expect(await migrate(url)).toMatchObject({ applied: 0 });
  await prepareQueue();
});

test.each([
  ['keyferry', () => migrate(url)],
  ['bullmq', prepareQueue],
] as const)('without a right, the error names role, database, schema %s and both remedies', async (schema, act) => {
  const error = await act().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'DB_DENIED', context: { sqlState: '42501' } });
  const { operatorMessage, publicMessage } = error as { operatorMessage: string; publicMessage: string };
  expect(operatorMessage).toContain(`GRANT CREATE ON DATABASE ${database.name} TO "${role}"`);
  expect(operatorMessage).toContain(`CREATE SCHEMA ${schema} AUTHORIZATION "${role}"`);
  expect(publicMessage).not.toContain(role);
});

test.each([
  ['keyferry', () => migrate(url)],
  ['bullmq', prepareQueue],
] as const)('in a schema of somebody else, the error names its owner: %s', async (schema, act) => {
  await administer(`create schema ${schema}`);
  const error = await act().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'DB_DENIED', context: { sqlState: '42501' } });
  const { operatorMessage } = error as { operatorMessage: string };
  expect(operatorMessage).toContain(`ALTER SCHEMA ${schema} OWNER TO "${role}"`);
  expect(operatorMessage).toMatch(/owned by postgres|owned by keyferry/);
});
