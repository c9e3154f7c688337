/**
 * The org's key of fingerprints: random, made on first use, stored encrypted, never changed (not
 * even by `keys rewrap`, which only re-encrypts it). It never leaves this file; callers get a
 * function.
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';

import { eq, sql } from 'drizzle-orm';

import type { Fingerprinter } from '../domain/fingerprint.ts';
import type { Database } from './client.ts';
import { type Encryption, fingerprintKeyPlace } from './encryption.ts';
import { orgs } from './schema.ts';
import { raise } from './statement.ts';

export type FingerprintKeys = ReturnType<typeof createFingerprintKeys>;

export const FINGERPRINT_KEY_BYTES = 32;

/** The stored ciphertexts. */
export interface FingerprintKeyRows {
  find(orgId: string): Promise<string | undefined>;
  /** Two processes at once: the first one's key stays, and both get it. */
  add(orgId: string, ciphertext: string): Promise<string>;
}

export function createFingerprintKeyRows(db: Database): FingerprintKeyRows {
  return { find: (orgId) => findKey(db, orgId), add: (orgId, ciphertext) => addKey(db, orgId, ciphertext) };
}

export function createFingerprintKeys(db: Database, encryption: Encryption) {
  const known = new Map<string, Fingerprinter>();
  return {
    async forOrg(orgId: string): Promise<Fingerprinter> {
      const cached = known.get(orgId);
      if (cached) return cached;
      const stored = (await findKey(db, orgId)) ?? (await makeKey(db, encryption, orgId));
      // As an object, which Node does not check and copy again for each fingerprint.
      const key = createSecretKey(await encryption.decrypt(stored, fingerprintKeyPlace(orgId)), 'base64');
      const fingerprinter: Fingerprinter = (input) => createHmac('sha256', key).update(input).digest('base64url');
      known.set(orgId, fingerprinter);
      return fingerprinter;
    },
  };
}

async function findKey(db: Database, orgId: string): Promise<string | undefined> {
  const [row] = await db.select({ key: orgs.fingerprintKey }).from(orgs).where(eq(orgs.id, orgId)).catch(raise);
  return row?.key;
}

async function makeKey(db: Database, encryption: Encryption, orgId: string): Promise<string> {
  const fresh = randomBytes(FINGERPRINT_KEY_BYTES).toString('base64');
  return addKey(db, orgId, await encryption.encrypt(fresh, fingerprintKeyPlace(orgId)));
}

async function addKey(db: Database, orgId: string, fresh: string): Promise<string> {
  const [row] = await db
    .insert(orgs)
    .values({ id: orgId, fingerprintKey: fresh })
    .onConflictDoUpdate({ target: orgs.id, set: { id: sql`excluded.id` } })
    .returning({ key: orgs.fingerprintKey })
    .catch(raise);
  return row?.key ?? fresh;
}
