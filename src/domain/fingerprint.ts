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

const encoder = new TextEncoder();

/** Every part carries its length, so that no two subjects give the same bytes. */
export function fingerprintInput(subject: FingerprintSubject): Uint8Array {
  const parts = ['v1', subject.syncId, subject.remoteName, subject.key, subject.value, settingsText(subject.settings)];
  const encoded = parts.map((part) => encoder.encode(part));
  const total = encoded.reduce((sum, part) => sum + 4 + part.length, 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const part of encoded) {
    view.setUint32(offset, part.length);
    bytes.set(part, offset + 4);
    offset += 4 + part.length;
  }
  return bytes;
}
