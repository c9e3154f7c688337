/**
 * Turns what postgres.js and drizzle throw into a `JobError`: their messages hold bound parameters
 * and never leave here.
 */
import { parseDatabaseUrl } from '../domain/servers/database-url.ts';
import { postgresProblem } from '../domain/servers/postgres-problems.ts';
import { hostsOf } from '../domain/servers/url-hosts.ts';
import { JobError } from '../errors.ts';

interface DriverError {
  readonly code?: unknown;
  readonly constraint_name?: unknown;
  readonly cause?: unknown;
}

/** drizzle wraps the driver's error in its own, as `cause`. */
function driverError(error: unknown): DriverError | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < 4 && typeof current === 'object' && current !== null; depth += 1) {
    const candidate = current as DriverError;
    if (typeof candidate.code === 'string') return candidate;
    current = candidate.cause;
  }
  return undefined;
}

/** The name of the unique or foreign-key constraint that was violated, if that is what happened. */
export function violatedConstraint(error: unknown): string | undefined {
  const found = driverError(error);
  const isViolation = found?.code === '23505' || found?.code === '23503';
  return isViolation && typeof found.constraint_name === 'string' ? found.constraint_name : undefined;
}

/** The code of PostgreSQL, the driver or the network; empty when there is none. */
export function codeOf(error: unknown): string {
  const code = driverError(error)?.code;
  return typeof code === 'string' ? code : '';
}

const NO_TLS =
  'ended the connection where TLS begins: does it offer TLS? Switch it on, or use sslmode=disable in DATABASE_URL.';

/** The driver begins TLS also with a server that has just said that it offers none. */
function endsHandshake(code: string, url: string | undefined): boolean {
  return (
    /^(ECONNRESET|CONNECTION_CLOSED|EPIPE)$/.test(code) &&
    url !== undefined &&
    parseDatabaseUrl(url).server?.tls.mode === 'require'
  );
}

/** Readiness answers and API answers get the sentence without the server's name. */
export function toDatabaseError(error: unknown, url?: string): JobError {
  if (error instanceof JobError) return error;
  const code = codeOf(error);
  const sentence = endsHandshake(code, url) ? NO_TLS : postgresProblem(code);
  if (sentence !== undefined) {
    const host = url === undefined ? undefined : hostsOf(url);
    return new JobError('DB_UNAVAILABLE', {
      message: `PostgreSQL ${sentence}`,
      operatorMessage: host === undefined ? undefined : `PostgreSQL at ${host} ${sentence}`,
      context: { sqlState: code },
      cause: error,
    });
  }
  if (code === '42P01' || code === '3F000' || code === '42703')
    return new JobError('DB_NOT_MIGRATED', { cause: error });
  return new JobError('BUG_UNEXPECTED', { cause: error, context: { sqlState: code } });
}
