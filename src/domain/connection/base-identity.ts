/** Faults of the worker's own identity. They concern the installation: no connection, sync or rotation is to blame, and none changes. Pure. */
import type { JobError } from '../../errors.ts';
import type { Outcome } from '../run.ts';

/** Where the worker's own credentials come from. */
export type BaseKind =
  | 'key-pair'
  | 'environment'
  | 'profile'
  | 'profile-role'
  | 'process'
  | 'sso'
  | 'web-identity'
  | 'container'
  | 'instance'
  | 'unknown';

/** A run waits this long for a repair, ± a third, so that everything resumes within a minute of it. */
const WAIT_MS = 30_000;

export function isBaseFault({ code }: JobError): boolean {
  return code === 'CONNECTION_NO_BASE_IDENTITY' || code === 'CONNECTION_BASE_REFUSED';
}

/**
 * The outcome of a run that has to wait: it comes again without an attempt spent. A fault of the worker's identity also leaves the status of its subject
 * as it was.
 */
export function snoozed(
  error: JobError,
  run: { now(): Date; random(): number },
  defaultMs = 0,
): Outcome & { readonly status: 'continued' } {
  const isFault = isBaseFault(error);
  const waitMs = isFault ? WAIT_MS * (2 / 3 + (2 / 3) * run.random()) : (error.retryAfterMs ?? defaultMs);
  const at = new Date(run.now().getTime() + waitMs);
  return { status: 'continued', at, ...(isFault && { waitsFor: { code: error.code, message: error.publicMessage } }) };
}
