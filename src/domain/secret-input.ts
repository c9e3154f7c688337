/**
 * What a folder takes as a secret, whoever brings it: a person, an application or an import. Pure.
 */
export const SECRET_KEY_PATTERN = /^[\w./-]{1,256}$/;

/**
 * Longest value that any destination takes is 64 KiB; a little more is kept so that the sync can
 * say so.
 */
export const MAX_VALUE_LENGTH = 262_144;

export function isSecretKey(key: string): boolean {
  return SECRET_KEY_PATTERN.test(key);
}
