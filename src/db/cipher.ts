/**
 * AES-256-GCM, bound by associated data to a row, so that a ciphertext copied to another row, org
 * or revision does not decrypt. AES-GCM does not commit to its key: ciphertexts can be made that
 * open under two keys. A keyed hash of the key follows the ciphertext and is compared first.
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

export interface CipherKey {
  /** Of the format. */
  readonly version: string;
  /** Of a local key, or the ARN of the KMS key that wraps this one. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Ends the base64 before it. */
export const COMMITTED = '=';

/** `<base64url of nonce, tag, ciphertext>=<base64url of the key's commitment>`. */
export function seal(plaintext: string, place: CipherBinding, by: CipherKey): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', by.key, nonce).setAAD(associatedData(by, place));
  const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  const sealed = Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
  return `${sealed}${COMMITTED}${commitmentOf(by.key).toString('base64url')}`;
}

/**
 * Throws SECRET_UNDECRYPTABLE when the key is another, or the row is not the one it was encrypted
 * for.
 */
export function unseal(text: string, place: CipherBinding, by: CipherKey): string {
  const [sealed = '', commitment] = text.split(COMMITTED);
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw undecryptable(place, 'it is cut off');
  // Rows of earlier versions have none.
  if (commitment !== undefined && !isSame(Buffer.from(commitment, 'base64url'), commitmentOf(by.key)))
    throw undecryptable(place, `it was encrypted with another key named ${by.id} than the configured one`);
  try {
    const decipher = createDecipheriv('aes-256-gcm', by.key, bytes.subarray(0, NONCE_BYTES))
      .setAAD(associatedData(by, place))
      .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw undecryptable(place, `key ${by.id} does not fit, or the row was changed outside keyferry`, cause);
  }
}

const commitments = new WeakMap<Buffer, Buffer>();

/** Says nothing of a random key, and no two keys have the same. */
function commitmentOf(key: Buffer): Buffer {
  const known = commitments.get(key) ?? createHmac('sha256', key).update('keyferry key commitment').digest();
  commitments.set(key, known);
  return known;
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Length-prefixed, so that no two places give the same bytes. */
function associatedData({ version, id }: CipherKey, place: CipherBinding): Buffer {
  const parts = [version, id, place.table, place.column, place.orgId, place.rowKey, String(place.revision)];
  return Buffer.from(parts.map((part) => `${String(Buffer.byteLength(part))}:${part}`).join(','), 'utf8');
}

export function undecryptable(place: CipherBinding, why: string, cause?: unknown): JobError {
  return new JobError('SECRET_UNDECRYPTABLE', {
    message: `${place.table}.${place.column} of ${place.rowKey} cannot be decrypted: ${why}.`,
    context: { table: place.table, column: place.column, rowKey: place.rowKey },
    cause,
  });
}

/**
 * What concerns this ciphertext alone: anything else would have failed with every other one, too.
 */
export function isUndecryptable(error: unknown): error is JobError {
  return error instanceof JobError && error.code === 'SECRET_UNDECRYPTABLE';
}
