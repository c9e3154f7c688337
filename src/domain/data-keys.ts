/**
 * The port between what encrypts and AWS KMS. KMS keys never leave KMS: it makes a data key for
 * each org and wraps it, and only wrapped ones are stored. Its faults concern the installation: no
 * connection, sync or rotation is to blame, and none changes.
 */
import type { JobError } from '../errors.ts';

/**
 * KMS opens a data key only with the context that it was made with; CloudTrail and key policies see
 * it.
 */
export type EncryptionContext = Readonly<Record<'keyferry' | 'org', string>>;

/** Not the installation's name: a copy that is restored under another name must read its rows. */
export const contextOf = (orgId: string): EncryptionContext => ({ keyferry: 'data key', org: orgId });

export interface NewDataKey {
  /** 32 bytes. */
  readonly key: Buffer;
  readonly wrapped: Buffer;
}

/** All throw KMS_UNAVAILABLE, KMS_DENIED, KMS_KEY_UNUSABLE. */
export interface DataKeyService {
  generate(keyArn: string, context: EncryptionContext): Promise<NewDataKey>;
  /** Undefined: this key did not wrap it, not with this context, or it was changed. */
  unwrap(keyArn: string, wrapped: Buffer, context: EncryptionContext): Promise<Buffer | undefined>;
  /** What is known of the key, for operators. */
  describe(keyArn: string): Promise<string>;
}

const faults: ReadonlySet<string> = new Set(['KMS_UNAVAILABLE', 'KMS_DENIED', 'KMS_KEY_UNUSABLE']);

export function isKmsFault(error: unknown): error is JobError {
  return error instanceof Error && 'code' in error && faults.has(String(error.code));
}
