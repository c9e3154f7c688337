/**
 * scrypt at the one cost of `domain/password-hash.ts`, in the thread pool, so that the event loop
 * is not blocked.
 */
import { randomBytes, scrypt } from 'node:crypto';

import {
  HASH_BYTES,
  printPasswordHash,
  SALT_BYTES,
  SCRYPT_COST,
  type PasswordHash,
} from '../../domain/password-hash.ts';

const { logN, blockSize, parallelization } = SCRYPT_COST;
const options = { N: 2 ** logN, r: blockSize, p: parallelization, maxmem: 64 * 1024 * 1024 };

export function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, options, (error, hash) => {
      if (error === null) resolve(hash);
      else reject(error);
    });
  });
}

/** What the settings keep of a password. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const stored: PasswordHash = { salt, hash: await derive(password, salt) };
  return printPasswordHash(stored);
}
