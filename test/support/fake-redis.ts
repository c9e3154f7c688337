/**
 * A server that speaks enough of Redis's protocol to answer every command with one error, for
 * conditions that are hard to bring about.
 */
import { createServer, type Socket } from 'node:net';

export interface FakeRedis {
  readonly url: string;
  /** From here on every command that works with data gets this answer; undefined: it works. */
  answerWith(error: string | undefined): void;
  close(): Promise<void>;
}

interface FakeRedisOptions {
  /** What INFO says, where the client looks before it calls the connection ready. */
  readonly info?: string;
}

const bulk = (text: string): string => `$${String(text.length)}\r\n${text}\r\n`;

export async function startFakeRedis({ info = 'redis_version:7.2.0' }: FakeRedisOptions = {}): Promise<FakeRedis> {
  let error: string | undefined;
  const sockets = new Set<Socket>();
  const answer = (command: string): string => {
    if (command === 'info') return bulk(info);
    if (['hello', 'client', 'select', 'auth', 'quit'].includes(command)) return '+OK\r\n';
    return error === undefined ? bulk('ok') : `-${error}\r\n`;
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    // The client sends commands as arrays of bulk strings; each begins with `*`, its name is the
    // second line after.
    socket.on('data', (data) => {
      for (const [, name = ''] of data.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g))
        socket.write(answer(name.toLowerCase()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `redis://127.0.0.1:${String(port)}`,
    answerWith: (next) => {
      error = next;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      });
    },
  };
}
