/**
 * Servers that fail over in the ways that people's servers do: become read-only, restart, are cut
 * off, or lead to another one.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';
import postgres from 'postgres';

import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { startForwarder } from '../support/forwarder.ts';
import { startRedis } from '../support/redis.ts';

export interface FailingServer {
  /** As the worker knows it; it stays the same. */
  readonly url: string;
  readonly failovers: Readonly<Record<string, () => Promise<void>>>;
  /** Resolves when a client of its own can write. */
  writable(): Promise<void>;
  stop(): Promise<void>;
}

/** How long a server is out. */
const OUTAGE_MS = 500;

export async function startFailingPostgres(): Promise<FailingServer> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-failover-'));
  const options = { directory, persistent: true, password: randomBytes(12).toString('hex') };
  let server: EmbeddedPostgres = await startEmbeddedPostgres(options);
  const address = await startForwarder(server.port, { host: '127.0.0.1', port: 0 });
  const url = server.url.replace(`:${String(server.port)}/`, `:${String(address.port)}/`);
  const administer = async (...statements: readonly string[]) => {
    const sql = postgres(server.url, { max: 1, connection: { default_transaction_read_only: false } });
    try {
      for (const statement of statements) await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };
  const endSessions =
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'";
  return {
    url,
    failovers: {
      async 'read-only (25006)'() {
        await administer('alter system set default_transaction_read_only = on', 'select pg_reload_conf()', endSessions);
        await sleep(OUTAGE_MS);
        // The sessions that were opened meanwhile stay, and stay read-only.
        await administer('alter system reset default_transaction_read_only', 'select pg_reload_conf()');
      },
      async 'a restart'() {
        await server.stop();
        server = await startEmbeddedPostgres({ ...options, port: server.port });
        address.leadTo(server.port);
      },
      async 'cut connections'() {
        address.cut();
        await sleep(OUTAGE_MS);
        address.mend();
      },
      'ended sessions': () => administer(endSessions),
    },
    writable: () =>
      until(async () => {
        const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => undefined });
        try {
          await sql`create temporary table proof (id int)`;
          await sql`update keyferry.connections set name = name where false`;
        } finally {
          await sql.end({ timeout: 1 });
        }
      }),
    async stop() {
      await address.close();
      await server.stop();
    },
  };
}

export async function startFailingRedis(): Promise<FailingServer> {
  // Without a file: who restarts is empty.
  const servers = [await startRedis({ appendOnly: false }), await startRedis({ appendOnly: false })];
  let [primary, other] = servers as [Awaited<ReturnType<typeof startRedis>>, Awaited<ReturnType<typeof startRedis>>];
  const address = await startForwarder(primary.port, { host: '127.0.0.1', port: 0 });
  const command = async (url: string, ...words: readonly [string, ...string[]]) => {
    const admin = new Redis(url, { maxRetriesPerRequest: 3 });
    admin.on('error', () => undefined);
    try {
      await admin.call(words[0], ...words.slice(1));
    } finally {
      admin.disconnect();
    }
  };
  const url = `redis://127.0.0.1:${String(address.port)}`;
  return {
    url,
    failovers: {
      async 'a replica (READONLY)'() {
        await command(primary.url, 'REPLICAOF', '127.0.0.1', '1');
        await sleep(OUTAGE_MS);
        await command(primary.url, 'REPLICAOF', 'NO', 'ONE');
      },
      async 'a restart that lost everything'() {
        await primary.kill('SIGKILL');
        await sleep(OUTAGE_MS);
        await primary.restart();
      },
      async 'cut connections'() {
        address.cut();
        await sleep(OUTAGE_MS);
        address.mend();
      },
      async 'another primary, while the old one still answers'() {
        [primary, other] = [other, primary];
        await command(primary.url, 'REPLICAOF', 'NO', 'ONE');
        address.leadTo(primary.port);
        await command(other.url, 'REPLICAOF', '127.0.0.1', String(primary.port));
      },
    },
    writable: () => until(() => command(url, 'SET', 'proof', '1')),
    async stop() {
      await address.close();
      await Promise.all(servers.map((one) => one.stop()));
    },
  };
}

async function until(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const isDone = await attempt().then(
      () => true,
      () => false,
    );
    if (isDone) return;
    if (performance.now() > deadline) throw new Error('The server did not become writable within 60 s.');
    await sleep(20);
  }
}
