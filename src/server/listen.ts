/**
 * The socket: time limits, a clear message when the port is taken, and a shutdown that does not
 * wait for idle connections.
 */
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { JobError } from '../errors.ts';

export interface ListeningServer {
  readonly url: string;
  /** Stops taking requests, lets running ones end for up to 5 s, then cuts them. */
  close(): Promise<void>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  /** The variable that sets the port, for messages. */
  readonly portSetting?: string;
}

const CLOSE_LIMIT_MS = 5_000;

/**
 * Node checks them every 30 s by default, so a slow socket could stay open three times as long as
 * allowed.
 */
const timeLimits = { requestTimeout: 30_000, headersTimeout: 10_000, connectionsCheckingInterval: 2_000 } as const;

/** Throws CONFIG_INVALID when the address cannot be taken. */
export async function listen(app: Hono, address: Address): Promise<ListeningServer> {
  const { host, port } = address;
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions: timeLimits }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(toListenError(error, address));
    });
    server.listen(port, host, resolve);
  });
  const { port: actualPort } = server.address() as AddressInfo;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return { url: `http://${shownHost}:${String(actualPort)}`, close: () => closeServer(server) };
}

/**
 * Throws CONFIG_INVALID when the address cannot be taken now; for a start that first starts much
 * else.
 */
export async function requireFree(address: Address): Promise<void> {
  await (await listen(new Hono(), address)).close();
}

/** The port or the host that is at fault, and what to set. */
export function toListenError(
  error: NodeJS.ErrnoException,
  { host, port, portSetting = 'KEYFERRY_HTTP_PORT' }: Address,
): JobError {
  const at = `${host}, port ${String(port)}`;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `Another program listens on ${at}: stop it, or set ${portSetting} to another port.`,
    EACCES: `Listening on ${at} is not allowed: set ${portSetting} to 1024 or more.`,
    EADDRNOTAVAIL: `This machine has no address ${host}: set KEYFERRY_HTTP_HOST.`,
  };
  const message = reasons[error.code ?? ''] ?? `The server cannot listen on ${at} (${error.code ?? error.name}).`;
  return new JobError('CONFIG_INVALID', { message, cause: error });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    server.closeAllConnections();
  }, CLOSE_LIMIT_MS);
  await closed;
  clearTimeout(timer);
}
