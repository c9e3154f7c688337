/** An endpoint of a consumer: takes what it is sent, and answers as it is told. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As it was sent. */
  readonly text: string;
  readonly type: string;
  // The tests look into bodies of many shapes.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** Status of the next answers; afterwards 204. Zero: none comes. */
  readonly answers: number[];
  /** Status of an answer, by what is received; `undefined` leaves it to `answers`. */
  answer?: (one: Received) => number | undefined;
  close(): Promise<void>;
}

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers: number[] = [];
  const receiver = { received, answers } as unknown as { -readonly [K in keyof Receiver]: Receiver[K] };
  const server = createServer((request, response) => {
    void request
      .setEncoding('utf8')
      .toArray()
      .then((parts) => {
        const text = parts.join('');
        const { type = 'slack', data } = JSON.parse(text) as { type?: string; data?: unknown };
        const one: Received = { path: request.url ?? '', headers: request.headers, text, type, data };
        const status = receiver.answer?.(one) ?? answers.shift() ?? 204;
        received.push(one);
        if (status === 0) return;
        if (status === 302) response.setHeader('location', '/elsewhere');
        response.writeHead(status).end(status === 204 ? undefined : 'echo of a secret');
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/hook`;
  receiver.close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return receiver;
}
