/** A second database with the content of a first one: by `pg_dump` and `pg_restore` where they fit the server, else row by row. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';

import { migrate } from '../../../src/db/migrate.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/postgres.ts';
import { readRows, writeRows } from '../../support/rewind.ts';

const run = promisify(execFile);

export interface CopiedDatabase extends TestDatabase {
  readonly by: 'pg_restore' | 'rows';
}

export async function copyDatabase(url: string): Promise<CopiedDatabase> {
  const copy = await createEmptyDatabase();
  const directory = await findTools(url);
  if (directory === undefined) await copyRows(url, copy.url);
  else await dumpAndRestore(directory, url, copy.url);
  return { ...copy, by: directory === undefined ? 'rows' : 'pg_restore' };
}

async function dumpAndRestore(tools: string, from: string, to: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-dump-'));
  const file = join(directory, 'keyferry.dump');
  try {
    await run(join(tools, 'pg_dump'), ['--format', 'custom', '--file', file, '--dbname', from]);
    await run(join(tools, 'pg_restore'), ['--dbname', to, file]);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const DEBIAN = '/usr/lib/postgresql';

/** `pg_dump` refuses a server that is newer than itself. */
async function findTools(url: string): Promise<string | undefined> {
  const version = await onDatabase(url, async (client) => {
    const [row] = await client<{ server_version_num: string }[]>`show server_version_num`;
    return Math.floor(Number(row?.server_version_num) / 10_000);
  });
  const debian = await readdir(DEBIAN).catch(() => []);
  for (const directory of ['', ...debian.map((name) => join(DEBIAN, name, 'bin'))]) {
    const found = await run(join(directory, 'pg_dump'), ['--version']).catch(() => undefined);
    if (Number(/ (\d+)/.exec(found?.stdout ?? '')?.[1] ?? 0) >= version) return directory;
  }
  return undefined;
}

async function copyRows(from: string, to: string): Promise<void> {
  await migrate(to);
  const source = await onDatabase(from, async (client) => ({
    rows: await readRows(client),
    installation: await client<{ found: string }[]>`select to_jsonb(i)::text as found from keyferry.installation i`,
  }));
  await onDatabase(to, async (client) => {
    await writeRows(client, source.rows);
    await client`delete from keyferry.installation`;
    await client`
      insert into keyferry.installation
      select * from jsonb_populate_record(null::keyferry.installation, ${source.installation[0]?.found ?? ''}::text::jsonb)`;
  });
}

async function onDatabase<T>(url: string, use: (client: postgres.Sql) => Promise<T>): Promise<T> {
  const client = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
