/**
 * The org's key of fingerprints: random, made on first use, stored encrypted, never changed (not even by `keys rewrap`, which only encrypts it
 * anew). It never leaves this file; callers get a function.
 */
import { createHmac, randomBytes } from 'node:crypto';

import { eq, sql } from 'drizzle-orm';

import type { Fingerprinter } from '../domain/fingerprint.ts';
import type { Database } from './client.ts';
import { type Encryption, fingerprintKeyPlace } from './encryption.ts';
import { orgs } from './schema.ts';
import { raise } from './statement.ts';

export type FingerprintKeys = ReturnType<typeof createFingerprintKeys>;

const KEY_BYTES = 32;

export function createFingerprintKeys(db: Database, encryption: Encryption) {
  const known = new Map<string, Fingerprinter>();
  return {
    async forOrg(orgId: string): Promise<Fingerprinter> {
      const cached = known.get(orgId);
      if (cached) return cached;
      const stored = (await findKey(db, orgId)) ?? (await makeKey(db, encryption, orgId));
      const key = Buffer.from(encryption.decrypt(stored, fingerprintKeyPlace(orgId)), 'base64');
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

/** Two workers at once: the first one's key stays, and both get it. */
async function makeKey(db: Database, encryption: Encryption, orgId: string): Promise<string> {
  const fresh = encryption.encrypt(randomBytes(KEY_BYTES).toString('base64'), fingerprintKeyPlace(orgId));
  const [row] = await db
    .insert(orgs)
    .values({ id: orgId, fingerprintKey: fresh })
    .onConflictDoUpdate({ target: orgs.id, set: { id: sql`excluded.id` } })
    .returning({ key: orgs.fingerprintKey })
    .catch(raise);
  return row?.key ?? fresh;
}
