/**
 * The HTTP status of each refusal: what the API answers, and how a change ended in the audit trail.
 * Pure.
 */
import type { ErrorCode } from '../errors.ts';

export type HttpStatus = 404 | 409 | 412 | 422 | 500 | 503;

const statuses: Partial<Readonly<Record<ErrorCode, HttpStatus>>> = {
  PAYLOAD_INVALID: 422,
  QUEUE_UNAVAILABLE: 503,
  DB_UNAVAILABLE: 503,
  DB_CONTENDED: 503,
  KMS_UNAVAILABLE: 503,
  KMS_DENIED: 503,
  KMS_KEY_UNUSABLE: 503,
  PAYLOAD_STALE: 412,
  IDENTITY_ISSUER_UNAVAILABLE: 503,
  DB_NOT_MIGRATED: 503,
  DB_TOO_NEW: 503,
  CONNECTION_IN_USE: 409,
  CONNECTION_ROLE_REFUSED: 422,
  SECRET_MANAGED: 409,
  SECRET_SOURCED: 409,
  SECRET_UNDECRYPTABLE: 500,
  KEY_FOREIGN: 409,
  BUG_UNEXPECTED: 500,
};

/**
 * What is not listed follows from the code's name; a refusal that fits nothing else is a conflict
 * with the present state.
 */
export function statusOf(code: ErrorCode): HttpStatus {
  const listed = statuses[code];
  if (listed !== undefined) return listed;
  if (code.endsWith('_NOT_FOUND')) return 404;
  return code.startsWith('DB_') || code.startsWith('BUG_') ? 500 : 409;
}
