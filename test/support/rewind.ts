/** Takes a database back to an earlier state of its rows, as a restored backup does. The clock goes on. */
import type postgres from 'postgres';

/** In the order in which rows refer to each other. */
const TABLES = [
  'orgs',
  'connections',
  'folders',
  'secrets',
  'syncs',
  'sync_entries',
  'rotations',
  'rotation_keys',
  'rotation_steps',
  'requests',
  'runs',
  'tombstones',
] as const;

let backups = 0;

/** Returns how to restore what is stored now. */
export async function takeBackup(client: postgres.Sql): Promise<() => Promise<void>> {
  backups += 1;
  const schema = `backup_${String(backups)}`;
  await client.unsafe(`create schema ${schema}`);
  const columns = new Map<string, string>();
  for (const table of TABLES) {
    columns.set(table, await storedColumns(client, table));
    await client.unsafe(`create table ${schema}.${table} as select ${columns.get(table) ?? ''} from keyferry.${table}`);
  }
  return async () => {
    const deletions = TABLES.toReversed().map((table) => `delete from keyferry.${table}`);
    const insertions = TABLES.map((table) => {
      const names = columns.get(table) ?? '';
      return `insert into keyferry.${table} (${names}) overriding system value select ${names} from ${schema}.${table}`;
    });
    // Several statements in one query are one transaction.
    await client.unsafe([...deletions, ...insertions].join(';\n'));
  };
}

async function storedColumns(client: postgres.Sql, table: string): Promise<string> {
  const rows = await client<{ column_name: string }[]>`
    select column_name from information_schema.columns
    where table_schema = 'keyferry' and table_name = ${table} and is_generated = 'NEVER' order by ordinal_position`;
  return rows.map((row) => `"${row.column_name}"`).join(', ');
}
