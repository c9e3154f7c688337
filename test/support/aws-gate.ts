/** A proxy between one worker and the AWS sandbox: records each call, and holds one on request. */
import { EventEmitter, once } from 'node:events';
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';

export interface HeldCall {
  /** Resolves when the call has come. */
  readonly arrived: Promise<unknown>;
  /** Answers it: throttled, AWS did nothing. */
  throttle(): unknown;
}

export interface AwsGate {
  readonly url: string;
  /** As `PutParameter`, in the order in which they came. */
  readonly operations: readonly string[];
  /** The next call of this operation does not pass. */
  hold(operation: string): HeldCall;
  close(): Promise<void>;
}

export async function openAwsGate(target: { readonly port: number }): Promise<AwsGate> {
  const operations: string[] = [];
  const holds: { readonly operation: string; readonly events: EventEmitter }[] = [];
  const server = createServer((request, response) => {
    void pass(request, response);
  });

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const operation = operationOf(request, body);
    operations.push(operation);
    const index = holds.findIndex((one) => one.operation === operation);
    const [held] = index < 0 ? [] : holds.splice(index, 1);
    if (!held) {
      forward(target.port, { request, response, body });
      return;
    }
    held.events.emit('arrived');
    await once(held.events, 'throttled');
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify({ __type: 'ThrottlingException', message: 'Rate exceeded' }));
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `http://127.0.0.1:${String(typeof address === 'object' ? address?.port : '')}`,
    operations,
    hold(operation) {
      const events = new EventEmitter();
      holds.push({ operation, events });
      return { arrived: once(events, 'arrived'), throttle: () => events.emit('throttled') };
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** JSON services name it in a header, the others in their form. */
function operationOf({ headers }: IncomingMessage, body: Buffer): string {
  const target = headers['x-amz-target'];
  if (typeof target === 'string') return target.replace(/^.*\./, '');
  return new URLSearchParams(body.toString()).get('Action') ?? '';
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
}

function forward(port: number, { request, response, body }: Exchange): void {
  const { method, url: path, headers } = request;
  const onward = send({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  onward.end(body);
}
