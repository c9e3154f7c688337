/**
 * Nothing may be stored under a local key whose id is known and whose bytes are others: no process
 * with the right bytes could read it. Workers and servers try all keys when they start; commands
 * and the library try the one that encrypts before they first use it.
 */
import type { JobError } from '../errors.ts';
import type { Encryption } from './encryption.ts';

/** `findMisfit`: asked once, and again only after it could not be answered. */
export function refuseMisfit(
  encryption: Encryption,
  findMisfit: (encryption: Encryption) => Promise<JobError | undefined>,
): Encryption {
  let asked: Promise<JobError | undefined> | undefined;
  const ask = () => {
    asked ??= findMisfit(encryption).catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
  return {
    ...encryption,
    async encrypt(plaintext, place) {
      const misfit = await ask();
      if (misfit) throw misfit;
      return encryption.encrypt(plaintext, place);
    },
  };
}
