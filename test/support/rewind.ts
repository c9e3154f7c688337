/**
 * Returns a database to an earlier state of its rows, as a restored backup does. The clock
 * continues.
 */
import type postgres from 'postgres';

/** Whose rows they are is what a restore is about: tests set them apart. */
const KEPT = new Set(['migrations', 'installation']);

/** Every row of every table as one text, read by one statement. */
export async function readRows(client: postgres.Sql): Promise<string> {
  const tables = await tablesOf(client);
  const parts = tables.map(
    ({ name }) => `'${name}', (select coalesce(jsonb_agg(to_jsonb(t)), '[]') from keyferry.${name} t)`,
  );
  const [row] = await client.unsafe<{ rows: string }[]>(`select
    jsonb_build_object(${parts.join(', ')})::text as rows`);
  return row?.rows ?? '{}';
}

/** Replaces all rows, in one transaction. */
export async function writeRows(client: postgres.Sql, rows: string): Promise<void> {
  const tables = await tablesOf(client);
  const insertions = tables.map(
    ({ name, columns }) =>
      `insert into keyferry.${name} (${columns}) overriding system value
       select ${columns} from jsonb_populate_recordset(null::keyferry.${name}, (select rows -> '${name}' from pg_temp.backup))`,
  );
  await client.begin(async (transaction) => {
    // Rows refer to each other: no order of the tables is right for all of them.
    await transaction.unsafe(`set local session_replication_role = replica`);
    await transaction.unsafe(`create temp table backup (rows jsonb) on commit drop`);
    await transaction`insert into pg_temp.backup values (${rows}::text::jsonb)`;
    const deletions = tables.map(({ name }) => `delete from keyferry.${name}`);
    await transaction.unsafe([...deletions, ...insertions, CONTINUED_SEQUENCES].join(';\n'));
  });
}

/** In another database they would begin at rows that are there already. */
const CONTINUED_SEQUENCES = `
  do $$
  declare c record;
  begin
    for c in
      select table_name as name, column_name as id from information_schema.columns
      where table_schema = 'keyferry' and is_identity = 'YES'
    loop
      execute
        format('select setval(pg_get_serial_sequence(%L, %L), greatest((select max(%I) from keyferry.%I), nextval(pg_get_serial_sequence(%L, %L))))',
          'keyferry.' || c.name, c.id, c.id, c.name, 'keyferry.' || c.name, c.id);
    end loop;
  end $$`;

/** Returns how to restore what is stored now. */
export async function takeBackup(client: postgres.Sql): Promise<() => Promise<void>> {
  const rows = await readRows(client);
  return () => writeRows(client, rows);
}

interface Table {
  readonly name: string;
  readonly columns: string;
}

async function tablesOf(client: postgres.Sql): Promise<readonly Table[]> {
  const tables = await client<Table[]>`
    select table_name as name,
      string_agg(quote_ident(column_name), ', ' order by ordinal_position) as columns
    from information_schema.columns
    where table_schema = 'keyferry'
      and is_generated = 'NEVER'
      and table_name in (select tablename from pg_tables where schemaname = 'keyferry')
    group by table_name`;
  return tables.filter(({ name }) => !KEPT.has(name));
}
