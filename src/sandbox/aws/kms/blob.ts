/**
 * The model's ciphertexts: the key's ARN in front, then AES-256-GCM under a key that follows from
 * the ARN, with the encryption context as associated data. It behaves as AWS's does and protects
 * nothing.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

type EncryptionContext = Readonly<Record<string, string>>;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const materialOf = (arn: string): Buffer => createHash('sha256').update(`sandbox key ${arn}`).digest();

/** In any order of its names. */
function associatedData(context: EncryptionContext = {}): Buffer {
  const entries = Object.entries(context).sort(([one], [other]) => (one < other ? -1 : 1));
  return Buffer.from(JSON.stringify(entries));
}

export function sealBlob(arn: string, plaintext: Buffer, context: EncryptionContext | undefined): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', materialOf(arn), nonce).setAAD(associatedData(context));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.of(arn.length), Buffer.from(arn, 'latin1'), nonce, cipher.getAuthTag(), body]);
}

/** Undefined: no ciphertext of the model. */
export function keyArnOf(blob: Buffer): string | undefined {
  const arn = blob.subarray(1, 1 + (blob[0] ?? 0)).toString('latin1');
  return /^arn:aws[a-z-]*:kms:/.test(arn) ? arn : undefined;
}

/** Undefined: changed, or sealed with another context. */
export function openBlob(blob: Buffer, context: EncryptionContext | undefined): Buffer | undefined {
  const start = 1 + (blob[0] ?? 0);
  const sealed = blob.subarray(start);
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  try {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      materialOf(blob.subarray(1, start).toString('latin1')),
      sealed.subarray(0, NONCE_BYTES),
    )
      .setAAD(associatedData(context))
      .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}
