/**
 * Notifications that a source has changed, as Infisical's project webhooks sign them:
 * `x-infisical-signature: t=<ms>;<hex>`, an HMAC-SHA256 of the body as it was sent, whose field
 * `timestamp` is that same `t`. The header's own time is not signed.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface SignedBody {
  readonly body: Uint8Array;
  readonly signature: string | undefined;
}

const HEADER = /^t=(\d{1,15});([0-9a-f]{64})$/;
/** Clocks may differ, and a notification may be under way. */
const WINDOW_MS = 300_000;

/**
 * Milliseconds of the sender's clock; undefined unless this very body is signed with the secret.
 */
export function verifiedTime({ body, signature }: SignedBody, secret: string): number | undefined {
  const [, at, given = ''] = HEADER.exec(signature ?? '') ?? [];
  const right = createHmac('sha256', secret).update(body).digest();
  const presented = Buffer.from(given, 'hex');
  const isRight = presented.length === right.length && timingSafeEqual(presented, right);
  return isRight && timestampOf(body) === Number(at) ? Number(at) : undefined;
}

function timestampOf(body: Uint8Array): unknown {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && 'timestamp' in parsed ? parsed.timestamp : undefined;
  } catch {
    return undefined;
  }
}

export function isCurrent(atMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - atMs) <= WINDOW_MS;
}
