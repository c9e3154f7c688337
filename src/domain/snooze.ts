/**
 * The outcome of a run that has to wait: it comes again without an attempt spent. Where the cause
 * is a server or an identity of the installation itself, the status of the run's subject stays as
 * it was: it could not be repaired at a connection, a sync or a rotation.
 */
import type { ErrorCode, JobError } from '../errors.ts';
import { isBaseFault } from './connection/base-identity.ts';
import { isKmsFault } from './data-keys.ts';
import type { Outcome } from './run.ts';

/**
 * A run waits this long for a repair of the worker's identity or of KMS, ± a third, so that
 * everything resumes within a minute of it.
 */
const BASE_WAIT_MS = 30_000;
/** The settlement itself needs PostgreSQL: once it succeeds, the outage is over or nearly so. */
const OUTAGE_WAIT_MS = 6_000;

const outages: ReadonlySet<ErrorCode> = new Set(['DB_UNAVAILABLE', 'QUEUE_UNAVAILABLE']);

/**
 * PostgreSQL or the queue, not the subject of the run, which would have failed on any other
 * subject, too.
 */
export function isOutage({ code }: JobError): boolean {
  return outages.has(code);
}

export function snoozed(
  error: JobError,
  run: { now(): Date; random(): number },
  defaultMs = 0,
): Outcome & { readonly status: 'continued' } {
  const faultMs = isBaseFault(error) || isKmsFault(error) ? BASE_WAIT_MS : isOutage(error) ? OUTAGE_WAIT_MS : undefined;
  const waitMs = faultMs === undefined ? (error.retryAfterMs ?? defaultMs) : spread(faultMs, run.random());
  const at = new Date(run.now().getTime() + waitMs);
  if (faultMs === undefined) return { status: 'continued', at };
  return { status: 'continued', at, waitsFor: { code: error.code, message: error.publicMessage } };
}

const spread = (ms: number, random: number): number => ms * (2 / 3 + (2 / 3) * random);
