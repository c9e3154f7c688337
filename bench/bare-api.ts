/**
 * What the API is compared with: one insert per request and one select, behind hono and
 * postgres.js, and nothing else. A process of its own, by `bench/api.ts`.
 */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import postgres from 'postgres';

const sql = postgres(process.env['DATABASE_URL'] ?? '', { max: 10 });
await sql`create table if not exists bare (id uuid primary key default gen_random_uuid(),
  name text not null unique, role_arn text not null)`;

const app = new Hono();
app.post('/', async (c) => {
  const { name, roleArn } = await c.req.json<{ name: string; roleArn: string }>();
  const [row] = await sql`insert into bare (name, role_arn) values (${name}, ${roleArn})
    returning *`;
  return c.json({ row });
});
app.get('/:id', async (c) => {
  const [row] = await sql`select * from bare where name = ${c.req.param('id')}`;
  return c.json({ row });
});
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => {
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
});
