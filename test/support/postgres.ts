/**
 * Databases for tests. The run has one server (see global-setup.ts) and on it one migrated
 * template; each test file clones it, which takes some 50 ms. A clone is dropped unless a test of
 * its file failed: then it stays and its name is printed.
 */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, inject, onTestFailed, beforeEach } from 'vitest';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  drop(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `keyferry_test_${randomBytes(6).toString('hex')}`;
  await onServer((sql) =>
    sql.unsafe(`create database "${name}"
      template "${inject('templateDatabase')}"`),
  );
  return {
    url: toDatabaseUrl(name),
    name,
    drop: () => onServer((sql) => sql.unsafe(`drop database if exists "${name}" with (force)`)),
  };
}

/** A database without any table, for tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const name = `keyferry_test_${randomBytes(6).toString('hex')}`;
  await onServer((sql) => sql.unsafe(`create database "${name}"`));
  return {
    url: toDatabaseUrl(name),
    name,
    drop: () => onServer((sql) => sql.unsafe(`drop database if exists "${name}" with (force)`)),
  };
}

/**
 * For the top of a test file: a database from before its first test to after its last, kept when
 * one of them failed. `const database = useTestDatabase(); … database().url`
 */
export function useTestDatabase(): () => TestDatabase {
  let database: TestDatabase | undefined;
  let hasFailed = false;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  beforeEach(() => {
    onTestFailed(() => {
      hasFailed = true;
    });
  });
  afterAll(async () => {
    if (hasFailed) console.error(`kept the database of the failed test: ${database?.name ?? 'none'}`);
    else await database?.drop();
  });
  return () => {
    if (database === undefined) throw new Error('There is no database before the first test begins.');
    return database;
  };
}

function toDatabaseUrl(name: string): string {
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer(action: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(inject('postgresUrl'), { max: 1, onnotice: () => undefined });
  try {
    await action(sql);
  } finally {
    await sql.end();
  }
}
