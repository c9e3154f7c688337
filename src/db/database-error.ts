/** Turns what postgres.js and drizzle throw into a `JobError`: their messages hold bound parameters and never leave here. */
import { hostsOf } from '../domain/url-hosts.ts';
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

const unreachable = /^(CONNECTION_|CONNECT_|ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT|EPIPE|57P0|08|53300)/;
const refused = /^(28|3D000)/;
const repeatable = /^(40001|40P01|55P03|57014)$/;

/** Whoever asks for readiness, and every answer of the API, gets the sentence without the server's name. */
function unavailable(problem: string, { url, cause }: { readonly url: string | undefined; readonly cause: unknown }) {
  const host = url === undefined ? undefined : hostsOf(url);
  return new JobError('DB_UNAVAILABLE', {
    message: `PostgreSQL ${problem}`,
    operatorMessage: host === undefined ? undefined : `PostgreSQL at ${host} ${problem}`,
    cause,
  });
}

export function toDatabaseError(error: unknown, url?: string): JobError {
  if (error instanceof JobError) return error;
  const found = driverError(error)?.code;
  const code = typeof found === 'string' ? found : '';
  if (unreachable.test(code)) {
    const problem = `cannot be reached (${code}). Check DATABASE_URL and that the server runs.`;
    return unavailable(problem, { url, cause: error });
  }
  if (refused.test(code)) {
    const problem = `refused the login or has no such database (${code}). Check DATABASE_URL.`;
    return unavailable(problem, { url, cause: error });
  }
  if (repeatable.test(code))
    return new JobError('DB_UNAVAILABLE', {
      message: `PostgreSQL asked to repeat the statement (${code}).`,
      cause: error,
    });
  if (code === '42P01' || code === '3F000' || code === '42703')
    return new JobError('DB_NOT_MIGRATED', { cause: error });
  return new JobError('BUG_UNEXPECTED', { cause: error, context: { sqlState: code } });
}
