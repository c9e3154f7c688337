/**
 * Variables that must not be set: misspelt settings, and variables that would defeat the others.
 */
import { nearest } from '../domain/nearest.ts';

/**
 * A setting that nothing reads is misspelt or meant for another version; ignoring it would make it
 * look accepted.
 */
export function strayVariables(
  values: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): readonly string[] {
  const given = Object.keys(values).filter((name) => !known.includes(name));
  const suspects = given.filter((name) => /^(KEYFERRY_(?!TEST_)|INF_APP_CONNECTION_AWS_)/.test(name));
  const unknown = suspects.flatMap((name) => {
    const meant = nearest(name, known);
    // Other programs of the application have settings with this prefix of their own.
    if (name.startsWith('INF_') && meant === undefined) return [];
    return `${name} is not a setting of keyferry${meant === undefined ? '; unset it' : `; did you mean ${meant}?`}`;
  });
  return values.NODE_TLS_REJECT_UNAUTHORIZED === '0' ? [...unknown, uncheckedTls] : unknown;
}

const uncheckedTls =
  'NODE_TLS_REJECT_UNAUTHORIZED=0 trusts any server as AWS: unset it; AWS_CA_BUNDLE and sslrootcert name certificates of your own';
