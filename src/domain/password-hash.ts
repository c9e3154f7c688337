/**
 * How an operator's password is stored: scrypt in the form of PHC strings,
 * `$scrypt$ln=14,r=8,p=5$SALT$HASH`, in base64 without padding. All have the same cost, so that the
 * time of a login says nothing about the name. Pure.
 */
import { z } from 'zod';

export interface PasswordHash {
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/** 16 MiB and about a fifth of a second: what OWASP recommends for servers with little memory. */
export const SCRYPT_COST = { logN: 14, blockSize: 8, parallelization: 5 } as const;
export const SALT_BYTES = 16;
export const HASH_BYTES = 32;

export const MIN_PASSWORD = 12;

const { logN, blockSize, parallelization } = SCRYPT_COST;
const PREFIX = `$scrypt$ln=${String(logN)},r=${String(blockSize)},p=${String(parallelization)}$`;

/** Goes into the audit trail; a colon ends the user in HTTP basic authentication. */
export const operatorName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, 'must be 1 to 64 letters, digits or . _ @ - and start with a letter');

export function printPasswordHash({ salt, hash }: PasswordHash): string {
  return `${PREFIX}${toBase64(salt)}$${toBase64(hash)}`;
}

/** Undefined when it is none, or one of another cost. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const [salt = '', hash = '', ...rest] = text.slice(PREFIX.length).split('$').map(fromBase64);
  if (rest.length > 0 || typeof salt === 'string' || typeof hash === 'string') return undefined;
  return salt.length === SALT_BYTES && hash.length === HASH_BYTES ? { salt, hash } : undefined;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

function fromBase64(text: string): Uint8Array | '' {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : '';
}
