/**
 * Once per run of tests that need servers: PostgreSQL with the migrated template, Redis, and the
 * compiled program. The servers of KEYFERRY_TEST_DATABASE_URL and KEYFERRY_TEST_REDIS_URL are used
 * when given, else started here.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../src/db/migrate.ts';
import { enterSandboxEnvironment } from '../../src/sandbox/environment.ts';
import { startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { compileProgram } from './program.ts';
import { startRedis } from './redis.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The server's own database; tests use `createTestDatabase`. */
    postgresUrl: string;
    templateDatabase: string;
    /** Empty in `npm run test:no-redis`. */
    redisUrl: string;
    /** `keyferry`, compiled from this checkout. */
    program: string;
  }
}

type Release = () => Promise<void>;

export default async function setUp(project: TestProject): Promise<Release> {
  enterSandboxEnvironment();
  const database = await findDatabaseServer();
  const redis = await findRedisServer();
  const program = await compileProgram();
  const template = await createTemplate(database.url);
  project.provide('postgresUrl', database.url);
  project.provide('templateDatabase', template.name);
  project.provide('redisUrl', redis.url);
  project.provide('program', program.path);
  return async () => {
    await template.drop();
    await Promise.all([database.release(), redis.release(), program.remove()]);
  };
}

interface Server {
  readonly url: string;
  readonly release: Release;
}

async function findDatabaseServer(): Promise<Server> {
  const given = process.env['KEYFERRY_TEST_DATABASE_URL'];
  if (given !== undefined) return { url: given, release: () => Promise.resolve() };
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-test-'));
  const server = await startEmbeddedPostgres({ directory, persistent: false });
  return { url: server.url, release: () => server.stop() };
}

async function findRedisServer(): Promise<Server> {
  const none = { url: '', release: () => Promise.resolve() };
  if (process.env['KEYFERRY_TEST_NO_REDIS'] !== undefined) return none;
  const given = process.env['KEYFERRY_TEST_REDIS_URL'];
  if (given !== undefined) return { ...none, url: given };
  const server = await startRedis({ appendOnly: false });
  return { url: server.url, release: () => server.stop() };
}

/** A name of its own, as the server may be shared with another run. */
async function createTemplate(serverUrl: string): Promise<{ name: string; drop: Release }> {
  const name = `keyferry_template_${randomBytes(4).toString('hex')}`;
  await command(serverUrl, `create database "${name}"`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await migrate(url.href);
  return { name, drop: () => command(serverUrl, `drop database if exists "${name}" with (force)`) };
}

async function command(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
