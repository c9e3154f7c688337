/**
 * The columns that hold ciphertexts: how their rows are found, and what each ciphertext is bound
 * to.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { CipherBinding } from './cipher.ts';
import {
  credentialPlace,
  fingerprintKeyPlace,
  rotationKeyPlace,
  secretPlace,
  sourcePlace,
  webhookPlace,
} from './encryption.ts';

/** One per encrypted column: how to find its rows, and what its ciphertexts are bound to. */
export interface EncryptedColumn {
  readonly kind: string;
  readonly table: SQL;
  readonly column: SQL;
  /** Selects `ref` (unique text of the row), `cipher`, and what `place` needs. */
  readonly rows: SQL;
  readonly ref: SQL;
  place(row: Record<string, unknown>): CipherBinding;
}

export const encryptedColumns: readonly EncryptedColumn[] = [
  // First: all else of an org then goes under the data key that this row is stored under.
  {
    kind: 'fingerprint keys of orgs',
    table: sql`keyferry.orgs`,
    column: sql`fingerprint_key`,
    ref: sql`t.id`,
    rows: sql`select t.id as ref, t.fingerprint_key as cipher, t.id as org_id from keyferry.orgs t`,
    place: (row) => fingerprintKeyPlace(String(row.org_id)),
  },
  credentialColumn({
    kind: 'credentials of connections',
    column: sql`secret_access_key`,
    revision: sql`t.credentials_revision`,
  }),
  credentialColumn({
    kind: 'candidate credentials of connections',
    column: sql`candidate_secret`,
    revision: sql`t.candidate ->> 'credentialsRevision'`,
  }),
  {
    kind: 'secrets',
    table: sql`keyferry.secrets`,
    column: sql`value`,
    ref: sql`t.folder_id::text || '/' || t.key`,
    rows: sql`select t.folder_id::text || '/' || t.key as ref, t.value as cipher, f.org_id,
      t.folder_id, t.key, t.revision
      from keyferry.secrets t join keyferry.folders f on f.id = t.folder_id`,
    place: (row) =>
      secretPlace({
        orgId: String(row.org_id),
        folderId: String(row.folder_id),
        key: String(row.key),
        revision: Number(row.revision),
      }),
  },
  {
    kind: 'rotated access keys',
    table: sql`keyferry.rotation_keys`,
    column: sql`secret`,
    ref: sql`t.rotation_id::text || '/' || t.access_key_id`,
    rows: sql`select t.rotation_id::text || '/' || t.access_key_id as ref, t.secret as cipher,
      r.org_id, t.rotation_id, t.access_key_id
      from keyferry.rotation_keys t join keyferry.rotations r on r.id = t.rotation_id`,
    place: (row) =>
      rotationKeyPlace({
        orgId: String(row.org_id),
        rotationId: String(row.rotation_id),
        accessKeyId: String(row.access_key_id),
      }),
  },
  {
    kind: 'endpoints of webhooks',
    table: sql`keyferry.webhooks`,
    column: sql`target`,
    ref: sql`t.id::text`,
    rows: sql`select t.id::text as ref, t.target as cipher, t.org_id, t.id from keyferry.webhooks t`,
    place: (row) => webhookPlace({ orgId: String(row.org_id), id: String(row.id) }),
  },
  {
    kind: 'settings of sources',
    table: sql`keyferry.sources`,
    column: sql`target`,
    ref: sql`t.folder_id::text`,
    rows: sql`select t.folder_id::text as ref, t.target as cipher, t.org_id, t.folder_id,
      t.target_revision
      from keyferry.sources t`,
    place: (row) =>
      sourcePlace({
        orgId: String(row.org_id),
        folderId: String(row.folder_id),
        targetRevision: Number(row.target_revision),
      }),
  },
];

/** A secret access key in a connection's row, bound to the revision of the credentials. */
function credentialColumn({
  kind,
  column,
  revision,
}: Pick<EncryptedColumn, 'kind' | 'column'> & { readonly revision: SQL }): EncryptedColumn {
  return {
    kind,
    table: sql`keyferry.connections`,
    column,
    ref: sql`t.id::text`,
    rows: sql`select t.id::text as ref, t.${column} as cipher, t.org_id, t.id,
      ${revision} as revision
      from keyferry.connections t`,
    place: (row) =>
      credentialPlace({
        orgId: String(row.org_id),
        id: String(row.id),
        credentialsRevision: Number(row.revision),
      }),
  };
}
