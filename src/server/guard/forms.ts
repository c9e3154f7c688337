/**
 * What the forms of the status page carry, so that no page of another site can send one. The first
 * check is that of every request: Host, Origin and Sec-Fetch-Site. The second is a token that only
 * keyferry's own pages hold, bound to the operator. It is signed, not stored: any server with the
 * same key accepts it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface Signatures {
  /** For a hidden field or an address; says nothing about the key. */
  sign(purpose: string): string;
  /** True when it was signed for this purpose within the last `maxAgeMs`. */
  verify(purpose: string, signature: string | undefined, maxAgeMs: number): boolean;
}

/** A form may stay open for a working day. */
export const FORM_MAX_AGE_MS = 12 * 3_600_000;
/** Clocks of two servers differ a little. */
const EARLY_MS = 60_000;
const SIGNATURE = /^([0-9a-z]{6,10})\.([A-Za-z0-9_-]{43})$/;

/** `key`: 32 bytes that every server of the installation has, and nobody else. */
export function createSignatures(key: Uint8Array, now: () => number): Signatures {
  const mac = (at: string, purpose: string) => createHmac('sha256', key).update(`${at}\n${purpose}`, 'utf8').digest();
  return {
    sign(purpose) {
      const at = Math.floor(now() / 1_000).toString(36);
      return `${at}.${mac(at, purpose).toString('base64url')}`;
    },
    verify(purpose, signature, maxAgeMs) {
      const [, at = '', given = ''] = SIGNATURE.exec(signature ?? '') ?? [];
      if (given === '' || !timingSafeEqual(mac(at, purpose), Buffer.from(given, 'base64url'))) return false;
      const ageMs = now() - Number.parseInt(at, 36) * 1_000;
      return ageMs >= -EARLY_MS && ageMs <= maxAgeMs;
    },
  };
}

export function formPurpose(operator: string): string {
  return `form of ${operator}`;
}
