/**
 * A second database with the content of a first one: by `pg_dump` and `pg_restore` where they fit
 * the server, else row by row.
 */
import postgres from 'postgres';

import { migrate } from '../../../src/db/migrate.ts';
import { dumpAndRestore, findPgTools } from '../../support/pg-tools.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/postgres.ts';
import { readRows, writeRows } from '../../support/rewind.ts';

export interface CopiedDatabase extends TestDatabase {
  readonly by: 'pg_restore' | 'rows';
}

export async function copyDatabase(url: string): Promise<CopiedDatabase> {
  const copy = await createEmptyDatabase();
  const directory = await findPgTools(url);
  if (directory === undefined) await copyRows(url, copy.url);
  else await dumpAndRestore(directory, { from: url, to: copy.url });
  return { ...copy, by: directory === undefined ? 'rows' : 'pg_restore' };
}

async function copyRows(from: string, to: string): Promise<void> {
  await migrate(to);
  const source = await onDatabase(from, async (client) => ({
    rows: await readRows(client),
    installation: await client<{ found: string }[]>`select to_jsonb(i)::text as found
      from keyferry.installation i`,
  }));
  await onDatabase(to, async (client) => {
    await writeRows(client, source.rows);
    await client`delete from keyferry.installation`;
    await client`
      insert into keyferry.installation
      select * from jsonb_populate_record(null::keyferry.installation,
        ${source.installation[0]?.found ?? ''}::text::jsonb)`;
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
