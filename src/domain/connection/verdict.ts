/**
 * From checks to the status of a connection. `invalid` only when AWS, or one of keyferry's own
 * rules, refused the credentials themselves; what is missing for one use degrades, and so does a
 * network failure, which says nothing about the credentials. Pure.
 */
import { type ErrorCode, JobError } from '../../errors.ts';
import type { Check, CheckName } from './checks.ts';

export interface ConnectionVerdict {
  readonly status: 'valid' | 'degraded' | 'invalid';
  readonly code: string | null;
  readonly message: string | null;
}

/** If one of these fails, the credentials are invalid. */
const condemning: ReadonlySet<CheckName> = new Set(['identity', 'account', 'external-id']);

export function toVerdict(checks: readonly Check[]): ConnectionVerdict {
  const failed = checks.filter((check) => check.verdict === 'fail');
  const worst = failed.find((check) => condemning.has(check.name)) ?? failed[0];
  if (!worst) return { status: 'valid', code: null, message: null };
  const others = failed.length > 1 ? ` (and ${String(failed.length - 1)} more)` : '';
  return {
    status: condemning.has(worst.name) ? 'invalid' : 'degraded',
    code: worst.code ?? null,
    message: `${worst.detail}${others}`,
  };
}

/**
 * Errors that are a verdict on the credentials; any other error during a validation proves nothing
 * about them.
 */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CONNECTION_ACCESS_DENIED',
  'CONNECTION_KEY_UNKNOWN',
  'CONNECTION_SECRET_WRONG',
  'CONNECTION_KEY_REFUSED',
  'CONNECTION_ROLE_REFUSED',
  'CONNECTION_REGION_DISABLED',
  'AWS_ACCESS_DENIED',
  'AWS_REJECTED',
  'SECRET_UNDECRYPTABLE',
]);

export function isRefusal(error: JobError): boolean {
  return refusals.has(error.code);
}

const narrowingRefusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'AWS_ACCESS_DENIED',
  'AWS_REJECTED',
  'CONNECTION_REGION_DISABLED',
]);

/**
 * AWS's answer to the narrowing of an access key, which the key itself need not share; not a
 * network, a budget or a lost lease.
 */
export function isNarrowingRefusal(error: unknown): error is JobError {
  return error instanceof JobError && narrowingRefusals.has(error.code);
}
