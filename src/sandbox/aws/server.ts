/**
 * The HTTP door: one loopback port for all four services, plus the control API under `/_sandbox/`.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONTROL_PATH, handleControl } from './control.ts';
import type { AwsSandbox } from './sandbox.ts';
import type { SandboxAnswer, SandboxResponse } from './wire/request.ts';

export interface AwsSandboxServer {
  readonly url: string;
  readonly port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

export interface AwsSandboxServerOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** Must be a loopback address; default 127.0.0.1. */
  readonly host?: string;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
const DRIP_PIECES = 10;

export async function startAwsSandboxServer(
  sandbox: AwsSandbox,
  options: AwsSandboxServerOptions = {},
): Promise<AwsSandboxServer> {
  const host = options.host ?? '127.0.0.1';
  if (!LOOPBACK.has(host)) throw new Error(`The AWS sandbox serves loopback addresses only, not ${host}`);
  const server = createServer((request, response) => {
    serve(sandbox, request, response).catch((error: unknown) => {
      failLoudly(response, error);
    });
  });
  await listen(server, options.port ?? 0, host);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${String(port)}`,
    port,
    close: async () => {
      const closed = new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

async function serve(sandbox: AwsSandbox, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const headers = toHeaders(request);
  if (path.startsWith(CONTROL_PATH)) {
    await send(response, handleControl(sandbox, { path, headers, body }));
    return;
  }
  await send(response, await sandbox.handle({ method: request.method ?? 'GET', path, query, headers, body }));
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
}

function toHeaders(request: IncomingMessage): Record<string, string | undefined> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(',') : value;
  return headers;
}

async function send(response: ServerResponse, answer: SandboxAnswer): Promise<void> {
  if (answer === 'drop') {
    response.socket?.resetAndDestroy();
    return;
  }
  response.writeHead(answer.status, { ...answer.headers });
  if (answer.dripMs === undefined) response.end(answer.body);
  else await drip(response, answer, answer.dripMs);
}

async function drip(response: ServerResponse, answer: SandboxResponse, dripMs: number): Promise<void> {
  const size = Math.max(1, Math.ceil(answer.body.byteLength / DRIP_PIECES));
  for (let start = 0; start < answer.body.byteLength && !response.destroyed; start += size) {
    await sleep(dripMs / DRIP_PIECES);
    response.write(answer.body.subarray(start, start + size));
  }
  response.end();
}

/** A defect of the sandbox: not in the form of an AWS answer, so that it is not taken for one. */
function failLoudly(response: ServerResponse, error: unknown): void {
  if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
  response.end(`defect of the AWS sandbox: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
}
