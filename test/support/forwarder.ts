/**
 * Lets a server be reached at another address: a Unix socket, IPv6, or as another server after a
 * failover.
 */
import { once } from 'node:events';
import { connect, createServer, type ListenOptions, type Socket } from 'node:net';

export interface Forwarder {
  readonly port: number;
  /** Where new connections lead from here on; those that are open stay. */
  leadTo(port: number): void;
  /** Ends all connections, and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function startForwarder(targetPort: number, listen: ListenOptions): Promise<Forwarder> {
  let target = targetPort;
  let isCut = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(listen);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    leadTo(port) {
      target = port;
    },
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
