import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os'; import { join } from 'node:path';
import postgres from 'postgres';
import { startEmbeddedPostgres } from './src/sandbox/postgres.ts';
import { migrate, requireCurrentSchema } from './src/db/migrate.ts';
import { openDatabase } from './src/db/client.ts';
import { createStatusQueries } from './src/db/status-queries.ts';
import { createQueueBackend } from './src/queues/backend.ts';
import { createMetrics } from './src/metrics.ts';
import { createLog } from './src/log.ts';
import { createServer } from './src/server/server.ts';
import { seedStates, seedManySyncs } from './test/integration/server/seed.ts';
const pg = await startEmbeddedPostgres({ directory: await mkdtemp(join(tmpdir(), 'kf-preview-')), persistent: false });
await migrate(pg.url);
const sql = postgres(pg.url, { max: 1, onnotice: () => undefined });
await seedStates(sql);
if (process.argv[2]) await seedManySyncs(sql, Number(process.argv[2]));
const handle = openDatabase(pg.url);
const backend = createQueueBackend({ databaseUrl: pg.url, redisUrl: undefined });
await backend.prepare();
const server = await createServer({ host: '127.0.0.1', port: 3999, login: undefined, log: createLog({ level: 'info' }),
  health: { database: () => handle.client`select 1`, queue: () => backend.check(), migrations: () => requireCurrentSchema(pg.url) },
  metrics: createMetrics({ version: 'x' }), queues: (['validate','sync','rotate'] as const).map((k) => backend.queue(k)), status: createStatusQueries(handle.db) }).listen();
console.log(server.url, pg.url);
process.on('SIGTERM', async () => { await server.close(); await backend.close(); await handle.close(); await sql.end(); await pg.stop(); process.exit(0); });
