/**
 * A TCP proxy whose connections can be made half-open: the program still believes in them, but gets
 * no answers any more.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  readonly port: number;
  /**
   * What is connected now never answers again and is never closed; new connections work. Returns
   * how many there were.
   */
  deafen(): number;
  close(): Promise<void>;
}

export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    deafen() {
      const deaf = [...pairs];
      for (const [client, upstream] of deaf) {
        client.unpipe(upstream);
        upstream.unpipe(client);
        // Read and thrown away: to the program its own sends succeed.
        client.resume();
        upstream.removeAllListeners('close').destroy();
      }
      return deaf.length;
    },
    async close() {
      for (const [client, upstream] of pairs) {
        client.destroy();
        upstream.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
