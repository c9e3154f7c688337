/** What a sync reads of its folder: first keys and revisions, which decide most, and only then the values that are needed. */
import { and, asc, eq, inArray } from 'drizzle-orm';

import type { SourceSecret } from '../../domain/sync/desired.ts';
import { type JobError, toJobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { toDatabaseError } from '../database-error.ts';
import { type Encryption, secretPlace } from '../encryption.ts';
import { folders, secrets } from '../schema.ts';

export type SourceValue = { readonly key: string; readonly revision: number } & (
  { readonly value: string } | { readonly error: JobError }
);

export type SyncSource = ReturnType<typeof createSyncSource>;

export function createSyncSource(db: Database, encryption: Encryption) {
  return {
    /** Keys, revisions and metadata; no value is read. */
    index: (folderId: string): Promise<readonly SourceSecret[]> =>
      db
        .select({ key: secrets.key, revision: secrets.revision, metadata: secrets.metadata })
        .from(secrets)
        .where(eq(secrets.folderId, folderId))
        .orderBy(asc(secrets.key))
        .catch(raise),
    /** Values in clear; what cannot be decrypted comes with its error. Keys that are gone by now are left out. */
    values: (folderId: string, keys: readonly string[]) => readValues({ db, encryption }, folderId, keys),
  };
}

async function readValues(
  stores: { db: Database; encryption: Encryption },
  folderId: string,
  keys: readonly string[],
): Promise<readonly SourceValue[]> {
  const rows = await stores.db
    .select({ orgId: folders.orgId, key: secrets.key, revision: secrets.revision, value: secrets.value })
    .from(secrets)
    .innerJoin(folders, eq(folders.id, secrets.folderId))
    .where(and(eq(secrets.folderId, folderId), inArray(secrets.key, [...keys])))
    .catch(raise);
  return rows.map(({ orgId, key, revision, value }) => {
    try {
      return {
        key,
        revision,
        value: stores.encryption.decrypt(value, secretPlace({ orgId, folderId, key, revision })),
      };
    } catch (error) {
      return { key, revision, error: toJobError(error) };
    }
  });
}

function raise(error: unknown): never {
  throw toDatabaseError(error);
}
