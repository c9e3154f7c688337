/**
 * The operators' login by HTTP basic authentication: one user of the settings, and named operators,
 * compared in constant time. Repeated wrong passwords of an address are throttled; the right one
 * always passes. Behind a proxy all operators share one address, and a lock would let anybody keep
 * them out. The limit spares log and CPU; what stops guessing is the password's length, which the
 * settings demand.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

import { createPasswordCheck, type NamedOperator } from './passwords.ts';

export interface BoardLogin {
  readonly user: string;
  readonly password: string;
}

/** Who may log in. */
export interface Logins {
  readonly login: BoardLogin | undefined;
  readonly operators?: readonly NamedOperator[];
}

export function isLoginNeeded({ login, operators = [] }: Logins): boolean {
  return login !== undefined || operators.length > 0;
}

export type LoginVerdict =
  | { readonly is: 'ok'; readonly name: string }
  | { readonly is: 'refused' }
  | { readonly is: 'limited'; readonly retryAfterSeconds: number };

export interface LoginCheck {
  verify(authorization: string | undefined, address: string): Promise<LoginVerdict>;
}

const FAILURES_ALLOWED = 10;
const WINDOW_MS = 60_000;
/**
 * Addresses remembered at once; the oldest are forgotten, so that a sweep of addresses cannot fill
 * the memory.
 */
const ADDRESSES_KEPT = 10_000;

export function createLoginCheck({ login, operators = [] }: Logins, now: () => number): LoginCheck {
  const expected = login && { name: login.user, digest: digest(`${login.user}:${login.password}`) };
  const passwords = operators.length === 0 ? undefined : createPasswordCheck(operators, { now });
  const failures = createWindowCounter(now);
  return {
    async verify(authorization, address) {
      if (authorization === undefined) return { is: 'refused' };
      const given = decodeBasic(authorization);
      if (expected !== undefined && timingSafeEqual(digest(given), expected.digest))
        return { is: 'ok', name: expected.name };
      const found = await passwords?.verify(given, address);
      if (found === 'busy') return { is: 'limited', retryAfterSeconds: 1 };
      if (found !== undefined) return { is: 'ok', name: found.name };
      const retryAfterSeconds = failures.blockedSeconds(address);
      if (retryAfterSeconds > 0) return { is: 'limited', retryAfterSeconds };
      failures.add(address);
      return { is: 'refused' };
    },
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

function decodeBasic(authorization: string): string {
  const encoded = /^basic ([A-Za-z0-9+/=_-]+)$/i.exec(authorization)?.[1];
  return encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
}

export interface WindowCounter {
  /** Seconds until this address, or caller, may try again; 0 when it may now. */
  blockedSeconds(address: string): number;
  add(address: string): void;
}

const wrongLogins = { allowed: FAILURES_ALLOWED, windowMs: WINDOW_MS };

export function createWindowCounter(now: () => number, { allowed, windowMs } = wrongLogins): WindowCounter {
  const windows = new Map<string, { count: number; endsAt: number }>();
  return {
    blockedSeconds(address) {
      const window = windows.get(address);
      if (window === undefined || window.count < allowed) return 0;
      return Math.max(0, Math.ceil((window.endsAt - now()) / 1_000));
    },
    add(address) {
      const window = windows.get(address);
      const isOpen = window !== undefined && window.endsAt > now();
      windows.delete(address);
      windows.set(address, isOpen ? { ...window, count: window.count + 1 } : { count: 1, endsAt: now() + windowMs });
      const oldest = windows.keys().next();
      if (windows.size > ADDRESSES_KEPT && oldest.done !== true) windows.delete(oldest.value);
    },
  };
}
