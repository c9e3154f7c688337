/**
 * Encryption at the column, with a local key or with a data key that AWS KMS wraps.
 *
 * Formats: `v1.<key id>.<sealed>` and `v2.<ARN of the KMS key>.<base64url of the wrapped data
 * key>.<sealed>`; the second field names the key in both. What is sealed is described in
 * `cipher.ts`. Rows of earlier versions have no commitment; those versions read longer rows up to
 * it, so that both work during an upgrade.
 */
import { type CipherBinding, type CipherKey, seal, undecryptable, unseal } from './cipher.ts';

export interface EncryptionKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** Both methods throw KMS_UNAVAILABLE, KMS_DENIED and KMS_KEY_UNUSABLE where KMS must be asked. */
export interface Encryption {
  /** Of the key that encrypts: a local one's id, or the ARN of a KMS key. */
  readonly currentKeyId: string;
  readonly keyIds: readonly string[];
  encrypt(plaintext: string, place: CipherBinding): Promise<string>;
  /**
   * Throws SECRET_UNDECRYPTABLE when the key is unknown or another, or the row is not the one it
   * was encrypted for.
   */
  decrypt(ciphertext: string, place: CipherBinding): Promise<string>;
}

export interface WrappedKey {
  readonly keyArn: string;
  /** In base64url. */
  readonly wrapped: string;
}

export interface DataKey extends WrappedKey {
  readonly key: Buffer;
}

export interface DataKeys {
  /** All that may decrypt: a row cannot bring a key of its own along. */
  readonly keyArns: readonly string[];
  /** Undefined: only for rows that are there. */
  readonly encryptsWith: string | undefined;
  forOrg(orgId: string): Promise<DataKey>;
  /** Undefined: KMS did not make it for this org. */
  unwrap(orgId: string, wrapped: WrappedKey): Promise<Buffer | undefined>;
}

/** The first key encrypts, all decrypt; a KMS key comes before them if `dataKeys` says so. */
export function createEncryption(keys: readonly [EncryptionKey, ...EncryptionKey[]], dataKeys?: DataKeys): Encryption {
  const byId = new Map(keys.map(({ id, key }) => [id, { version: 'v1', id, key }]));
  const [{ id: firstId, key: first }] = keys;
  const keyArn = dataKeys?.encryptsWith;
  return {
    currentKeyId: keyArn ?? firstId,
    keyIds: [...byId.keys(), ...(dataKeys?.keyArns ?? [])],
    async encrypt(plaintext, place) {
      if (dataKeys === undefined || keyArn === undefined)
        return `v1.${firstId}.${seal(plaintext, place, { version: 'v1', id: firstId, key: first })}`;
      return sealWith(await dataKeys.forOrg(place.orgId), plaintext, place);
    },
    async decrypt(ciphertext, place) {
      const { id, wrapped, sealed } = parseCiphertext(ciphertext, place);
      if (wrapped === undefined) {
        const known = byId.get(id);
        if (!known) throw undecryptable(place, `its encryption key ${id} is not configured`);
        return unseal(sealed, place, known);
      }
      if (dataKeys?.keyArns.includes(id) !== true)
        throw undecryptable(place, `its KMS key ${id} is not in KEYFERRY_KMS_KEY_ARN`);
      const key = await dataKeys.unwrap(place.orgId, { keyArn: id, wrapped });
      if (key === undefined) throw undecryptable(place, `its data key is not one that ${id} made for this org`);
      return unseal(sealed, place, { version: 'v2', id, key });
    },
  };
}

export function sealWith({ keyArn, wrapped, key }: DataKey, plaintext: string, place: CipherBinding): string {
  const by: CipherKey = { version: 'v2', id: keyArn, key };
  return `v2.${keyArn}.${wrapped}.${seal(plaintext, place, by)}`;
}

/** Undefined where a local key encrypted. */
export function wrappedKeyOf(ciphertext: string): WrappedKey | undefined {
  const [version, keyArn, wrapped] = ciphertext.split('.');
  return version === 'v2' && keyArn !== undefined && wrapped !== undefined ? { keyArn, wrapped } : undefined;
}

interface Envelope {
  readonly id: string;
  readonly wrapped: string | undefined;
  readonly sealed: string;
}

/** By its dots: a pattern over a whole value takes longer than to decrypt it. */
function parseCiphertext(ciphertext: string, place: CipherBinding): Envelope {
  const [version, id = '', ...rest] = ciphertext.split('.');
  const [first, second] = rest;
  if (version === 'v1' && rest.length === 1 && first !== undefined && /^[A-Za-z0-9_-]+$/.test(id))
    return { id, wrapped: undefined, sealed: first };
  if (version === 'v2' && rest.length === 2 && first && second !== undefined && id.startsWith('arn:'))
    return { id, wrapped: first, sealed: second };
  throw undecryptable(place, 'it has no known format');
}

// One place per encrypted column, so that writers and readers cannot disagree.

export const credentialPlace = (row: { orgId: string; id: string; credentialsRevision: number }): CipherBinding => ({
  table: 'connections',
  column: 'secret_access_key',
  orgId: row.orgId,
  rowKey: row.id,
  revision: row.credentialsRevision,
});

export const secretPlace = (row: {
  orgId: string;
  folderId: string;
  key: string;
  revision: number;
}): CipherBinding => ({
  table: 'secrets',
  column: 'value',
  orgId: row.orgId,
  rowKey: `${row.folderId}/${row.key}`,
  revision: row.revision,
});

export const rotationKeyPlace = (row: { orgId: string; rotationId: string; accessKeyId: string }): CipherBinding => ({
  table: 'rotation_keys',
  column: 'secret',
  orgId: row.orgId,
  rowKey: `${row.rotationId}/${row.accessKeyId}`,
  revision: 1,
});

export const webhookPlace = (row: { orgId: string; id: string }): CipherBinding => ({
  table: 'webhooks',
  column: 'target',
  orgId: row.orgId,
  rowKey: row.id,
  revision: 1,
});

export const sourcePlace = (row: { orgId: string; folderId: string; targetRevision: number }): CipherBinding => ({
  table: 'sources',
  column: 'target',
  orgId: row.orgId,
  rowKey: row.folderId,
  revision: row.targetRevision,
});

export const fingerprintKeyPlace = (orgId: string): CipherBinding => ({
  table: 'orgs',
  column: 'fingerprint_key',
  orgId,
  rowKey: orgId,
  revision: 1,
});
