/**
 * One data key per org, wrapped by AWS KMS. The wrapped key is stored in front of each ciphertext;
 * an org's processes share the one that its fingerprint key is stored under, so that a whole folder
 * opens with one call. In clear it is kept in memory only, for an hour or a million uses: then KMS
 * is asked again, and a key that was disabled or taken away stops working.
 */
import { createHash, randomBytes } from 'node:crypto';

import { contextOf, type DataKeyService } from '../domain/data-keys.ts';
import { createBoundedCache } from './bounded-cache.ts';
import { undecryptable } from './cipher.ts';
import {
  type DataKey,
  type DataKeys,
  fingerprintKeyPlace,
  sealWith,
  type WrappedKey,
  wrappedKeyOf,
} from './encryption.ts';
import { FINGERPRINT_KEY_BYTES, type FingerprintKeyRows } from './fingerprint-key.ts';

export interface DataKeyOptions {
  readonly keyArns: readonly string[];
  readonly encryptsWith: string | undefined;
  /** Opened when it is first needed. */
  service(): Promise<DataKeyService>;
  readonly rows: FingerprintKeyRows;
  readonly nowMs?: () => number;
}

const BOUNDS = { maxAgeMs: 3_600_000, maxUses: 1_000_000, maxEntries: 10_000 } as const;

/** With the org: what was opened for one is nothing that another may use. */
function nameOf(orgId: string, { keyArn, wrapped }: WrappedKey): string {
  return `${orgId} ${keyArn} ${createHash('sha256').update(wrapped).digest('base64url')}`;
}

export function createDataKeys({ keyArns, encryptsWith, service, rows, nowMs = Date.now }: DataKeyOptions): DataKeys {
  const opened = createBoundedCache<Buffer | undefined>({ ...BOUNDS, nowMs });
  const current = createBoundedCache<DataKey>({ ...BOUNDS, nowMs });
  const unwrap: DataKeys['unwrap'] = (orgId, key) =>
    opened.get(nameOf(orgId, key), async () =>
      (await service()).unwrap(key.keyArn, Buffer.from(key.wrapped, 'base64url'), contextOf(orgId)),
    );

  const reopen = async (orgId: string, wrapped: WrappedKey): Promise<DataKey> => {
    const key = await unwrap(orgId, wrapped);
    if (key !== undefined) return { ...wrapped, key };
    throw undecryptable(fingerprintKeyPlace(orgId), `its data key is not one that ${wrapped.keyArn} made for this org`);
  };

  const load = async (orgId: string, keyArn: string): Promise<DataKey> => {
    const stored = await rows.find(orgId);
    const known = stored === undefined ? undefined : wrappedKeyOf(stored);
    if (known?.keyArn === keyArn) return reopen(orgId, known);
    const { key, wrapped } = await (await service()).generate(keyArn, contextOf(orgId));
    const made: DataKey = { keyArn, wrapped: wrapped.toString('base64url'), key };
    await opened.get(nameOf(orgId, made), () => Promise.resolve(key));
    // Until `keys rewrap` brings the row here, each process uses one of its own.
    if (stored !== undefined) return made;
    const fingerprintKey = randomBytes(FINGERPRINT_KEY_BYTES).toString('base64');
    const kept = wrappedKeyOf(await rows.add(orgId, sealWith(made, fingerprintKey, fingerprintKeyPlace(orgId))));
    return kept?.keyArn !== keyArn || kept.wrapped === made.wrapped ? made : reopen(orgId, kept);
  };

  return {
    keyArns,
    encryptsWith,
    forOrg: (orgId) => current.get(orgId, () => load(orgId, encryptsWith ?? '')),
    unwrap,
  };
}
