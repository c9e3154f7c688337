/**
 * What both PostgreSQL drivers are given: the server that DATABASE_URL names, its TLS, the settings
 * of a session, and sockets that can all be dropped at once. Neither driver reads the URL or PG*
 * variables by itself.
 */
import { readFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

import { type DatabaseServer, parseDatabaseUrl } from './domain/servers/database-url.ts';
import { JobError } from './errors.ts';

/** Throws CONFIG_INVALID. */
export function databaseServerOf(url: string): DatabaseServer {
  const { server, problem } = parseDatabaseUrl(url);
  if (server) return server;
  throw invalid(`DATABASE_URL ${problem}`);
}

function invalid(problem: string, cause?: unknown): JobError {
  return new JobError('CONFIG_INVALID', { message: `${problem}.`, context: { problems: [problem] }, cause });
}

/** False: no TLS. Throws CONFIG_INVALID when a certificate cannot be read. */
export function tlsOptionsOf({ host, tls }: DatabaseServer): ConnectionOptions | false {
  if (tls.mode === 'disable') return false;
  const { ca, cert, key } = tls.files;
  return {
    // Of an address there is no server name to check the certificate against, only this.
    host,
    ...(ca !== undefined && { ca: readCertificate('sslrootcert', ca) }),
    ...(cert !== undefined && { cert: readCertificate('sslcert', cert) }),
    ...(key !== undefined && { key: readCertificate('sslkey', key) }),
    rejectUnauthorized: tls.verifies !== 'nothing',
    ...(tls.verifies === 'authority' && { checkServerIdentity: () => undefined }),
  };
}

function readCertificate(parameter: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw invalid(`DATABASE_URL has the parameter ${parameter}, whose file cannot be read: ${file}`, cause);
  }
}

/** What PgBouncer knows and hands on; other parameters it refuses. */
const knownToPoolers = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
} as const;

/**
 * Set at connect, so that no default of a server, database or role changes what keyferry reads or
 * how long it waits.
 */
const settings = {
  ...knownToPoolers,
  default_transaction_isolation: 'read committed',
  // Keys and intents at AWS outlive a crash of the server only if their commits do.
  synchronous_commit: 'on',
  statement_timeout: '30s',
  lock_timeout: '10s',
  idle_in_transaction_session_timeout: '60s',
} as const;

export function sessionSettings({ isPooled }: DatabaseServer): Readonly<Record<string, string>> {
  return isPooled ? knownToPoolers : settings;
}

/** The same as the command-line options of a session. */
export function sessionOptions(server: DatabaseServer): string {
  const own = Object.entries(sessionSettings(server)).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`,
  );
  return [server.options, ...own].filter((part) => part !== undefined).join(' ');
}

export interface Sockets {
  /** Starts to connect; the driver waits for it. */
  open(server: DatabaseServer): Socket;
  /** For a driver that connects by itself. */
  create(): Socket;
  /** Ends every connection at once: the driver opens others for what comes next. */
  dropAll(): void;
}

/**
 * The sockets of one pool: sessions that can only read, because their server is no longer the
 * primary, would never leave it by themselves.
 */
export function createSockets(): Sockets {
  const sockets = new Set<Socket>();
  const track = <S extends Socket>(socket: S): S => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  return {
    open({ host, port }) {
      const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${String(port)}`) : connect({ host, port });
      // The driver takes the name for the certificate from here.
      return Object.assign(track(socket), { host });
    },
    create: () => track(new Socket()),
    dropAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
