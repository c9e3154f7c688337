/**
 * Encryption at the column: AES-256-GCM, the key's id in front, bound by associated data to its row, so that a ciphertext
 * copied to another row, org or revision does not decrypt. AES-GCM does not commit to its key: ciphertexts can be made that
 * open under two keys. A keyed hash of the key follows the ciphertext and is compared first.
 *
 * Format: `v1.<key id>.<base64url of nonce, tag, ciphertext>=<base64url of the key's commitment>`. Rows of earlier versions
 * end before the `=`; those versions read a longer row up to there, so that both work during an upgrade.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import { JobError } from '../errors.ts';

/** Where a ciphertext lives; every part is authenticated. */
export interface CipherBinding {
  readonly table: string;
  readonly column: string;
  readonly orgId: string;
  readonly rowKey: string;
  readonly revision: number;
}

export interface EncryptionKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

export interface Encryption {
  readonly currentKeyId: string;
  readonly keyIds: readonly string[];
  encrypt(plaintext: string, place: CipherBinding): string;
  /** Throws SECRET_UNDECRYPTABLE when the key is unknown or another, or the row is not the one it was encrypted for. */
  decrypt(ciphertext: string, place: CipherBinding): string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Ends the base64 before it. */
export const COMMITTED = '=';

/** Says nothing of a random key, and no two keys have the same. */
function commitmentOf(key: Buffer): Buffer {
  return createHmac('sha256', key).update('keyferry key commitment').digest();
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** `keys[0]` encrypts, all decrypt. */
export function createEncryption(keys: readonly [EncryptionKey, ...EncryptionKey[]]): Encryption {
  const byId = new Map(keys.map(({ id, key }) => [id, { key, commitment: commitmentOf(key) }]));
  const [current] = keys;
  const commitment = commitmentOf(current.key).toString('base64url');
  return {
    currentKeyId: current.id,
    keyIds: [...byId.keys()],
    encrypt(plaintext, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(associatedData(current.id, place));
      const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
      const sealed = Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
      return `v1.${current.id}.${sealed}${COMMITTED}${commitment}`;
    },
    decrypt(ciphertext, place) {
      const { keyId, bytes, committed } = parseCiphertext(ciphertext, place);
      const known = byId.get(keyId);
      if (!known) throw undecryptable(place, `its encryption key ${keyId} is not configured`);
      if (committed !== undefined && !isSame(committed, known.commitment))
        throw undecryptable(place, `it was encrypted with another key named ${keyId} than the configured one`);
      return open(bytes, { key: known.key, keyId, place });
    },
  };
}

function open(bytes: Buffer, with_: { key: Buffer; keyId: string; place: CipherBinding }): string {
  try {
    const decipher = createDecipheriv('aes-256-gcm', with_.key, bytes.subarray(0, NONCE_BYTES))
      .setAAD(associatedData(with_.keyId, with_.place))
      .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw undecryptable(with_.place, `key ${with_.keyId} does not fit, or the row was changed outside keyferry`, cause);
  }
}

/** Length-prefixed, so that no two places give the same bytes. */
function associatedData(keyId: string, place: CipherBinding): Buffer {
  const parts = ['v1', keyId, place.table, place.column, place.orgId, place.rowKey, String(place.revision)];
  return Buffer.from(parts.map((part) => `${String(Buffer.byteLength(part))}:${part}`).join(','), 'utf8');
}

export function keyIdOf(ciphertext: string): string | undefined {
  return /^v1\.([A-Za-z0-9_-]+)\./.exec(ciphertext)?.[1];
}

interface Envelope {
  readonly keyId: string;
  readonly bytes: Buffer;
  /** Undefined in rows of earlier versions. */
  readonly committed: Buffer | undefined;
}

function parseCiphertext(ciphertext: string, place: CipherBinding): Envelope {
  const keyId = keyIdOf(ciphertext);
  if (keyId === undefined) throw undecryptable(place, 'it has no known format');
  const [sealed = '', commitment] = ciphertext.slice(`v1.${keyId}.`.length).split(COMMITTED);
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw undecryptable(place, 'it is cut off');
  return { keyId, bytes, committed: commitment === undefined ? undefined : Buffer.from(commitment, 'base64url') };
}

function undecryptable(place: CipherBinding, why: string, cause?: unknown): JobError {
  return new JobError('SECRET_UNDECRYPTABLE', {
    message: `${place.table}.${place.column} of ${place.rowKey} cannot be decrypted: ${why}.`,
    context: { table: place.table, column: place.column, rowKey: place.rowKey },
    cause,
  });
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
