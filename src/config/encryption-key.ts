/**
 * Makes encryption keys. Apart from the settings that read them, so that the library's types need
 * nothing else.
 */
import { randomBytes } from 'node:crypto';

/**
 * A new key in the form that KEYFERRY_ENCRYPTION_KEYS takes: `id:base64(32 bytes)`; `id` is 1 to 32
 * letters, digits or `_ -`, random by default.
 */
export function generateEncryptionKey(id = `k${randomBytes(4).toString('hex')}`): string {
  return `${id}:${randomBytes(32).toString('base64')}`;
}
