import { once } from 'node:events';
import { connect, createServer } from 'node:net';

import { expect, it } from 'vitest';

import { openDatabase } from '../../../src/db/client.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();

/** The server's "ready for query", which ends the login. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5]);

/** Lets one login through and resets the connection at what the client says next. */
async function startResettingServer(target: URL): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let isLoggedIn = false;
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    upstream.on('data', (data) => {
      isLoggedIn ||= data.includes(READY);
      client.write(data);
    });
    client.on('data', (data) => {
      if (isLoggedIn) client.resetAndDestroy();
      else upstream.write(data);
    });
    client.on('close', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, close: () => server.close() };
}

it('a connection that is reset right after the login fails what wanted it, and nothing else', async () => {
  const url = new URL(database().url);
  const server = await startResettingServer(new URL(url));
  url.port = String(server.port);
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const handle = openDatabase(url.href);
  try {
    await expect(handle.ping()).rejects.toMatchObject({ code: 'DB_UNAVAILABLE' });
    // Node tells of unhandled rejections a turn later.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
    await handle.close();
    server.close();
  }
});
