/**
 * An application that owns its settings and has keyferry bring them to AWS. One transaction of its own stores a setting and a note that keyferry
 * does not have it yet; then the notes are worked off, here and after each start. A crash loses nothing, and a value that is set twice makes
 * no second revision.
 */
import { connect } from 'keyferry';
import postgres from 'postgres';

const { APP_DATABASE_URL = '', DATABASE_URL = '', KEYFERRY_ENCRYPTION_KEYS = '' } = process.env;
const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const sql = postgres(APP_DATABASE_URL, { onnotice: () => undefined });
const keyferry = await connect({
  databaseUrl: DATABASE_URL,
  encryptionKeys: KEYFERRY_ENCRYPTION_KEYS,
  org: 'acme',
  actor: 'shop',
});

async function change(name: string, value: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`
      insert into settings (name, value) values (${name}, ${value})
      on conflict (name) do update set value = excluded.value`;
    await transaction`insert into unsent (name, value) values (${name}, ${value})`;
  });
}

async function bringOver(): Promise<void> {
  const notes = await sql<{ id: number; name: string; value: string }[]>`select * from unsent order by id`;
  if (notes.length === 0) return;
  // A later note of the same name wins.
  const values = Object.fromEntries(notes.map(({ name, value }) => [name, value]));
  const { revision, dueSyncs } = await keyferry.secrets.set(place, { values });
  await sql`delete from unsent where id in ${sql(notes.map(({ id }) => id))}`;
  console.log(
    `brought over ${Object.keys(values).join(', ')}: revision ${String(revision)}, ${String(dueSyncs)} sync due`,
  );
}

await sql`create table if not exists settings (name text primary key, value text not null)`;
await sql`create table if not exists unsent (id serial primary key, name text not null, value text not null)`;
await bringOver();
await change('DB_HOST', 'db.internal.example');
await change('DB_HOST', 'db-2.internal.example');
await bringOver();
await Promise.all([keyferry.close(), sql.end()]);
