/**
 * What a fingerprint is taken of. The HMAC itself is made with the org's key
 * (`db/fingerprint-key.ts`), so that equal values of two secrets, syncs or orgs never look equal.
 * Pure.
 */
import { type EntrySettings, settingsText } from './sync/ledger.ts';

/** An HMAC under the org's key, as text. */
export type Fingerprinter = (input: Uint8Array) => string;

export interface FingerprintSubject {
  readonly syncId: string;
  readonly remoteName: string;
  readonly key: string;
  readonly value: string;
  readonly settings: EntrySettings;
}

/** Every part carries its length, so that no two subjects give the same bytes. */
export function fingerprintInput(subject: FingerprintSubject): Uint8Array {
  const parts = ['v1', subject.syncId, subject.remoteName, subject.key, subject.value, settingsText(subject.settings)];
  const lengths = parts.map((part) => Buffer.byteLength(part));
  const bytes = Buffer.alloc(lengths.reduce((sum, length) => sum + 4 + length, 0));
  let offset = 0;
  parts.forEach((part, index) => {
    offset = bytes.writeUInt32BE(lengths[index] ?? 0, offset);
    offset += bytes.write(part, offset);
  });
  return bytes;
}
