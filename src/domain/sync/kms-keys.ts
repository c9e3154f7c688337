/** Names of KMS keys: a key's id, its ARN, an alias, an alias's ARN. Pure. */

/** Null: the service's own key. Unknown: an alias on one side only, which only KMS can resolve. */
export function compareKeys(wanted: string | null, found: string | null): 'same' | 'different' | 'unknown' {
  if (wanted === null) return found === null || found.startsWith('alias/aws/') ? 'same' : 'different';
  if (found === null) return wanted.startsWith('alias/aws/') ? 'same' : 'different';
  if (found === wanted || isEndOf(wanted, found) || isEndOf(found, wanted)) return 'same';
  return wanted.includes('alias/') === found.includes('alias/') ? 'different' : 'unknown';
}

/**
 * Whether two names of KMS keys may mean one key. AWS answers with a key's ARN or alias where an id
 * was given: only a plain mismatch of like with like counts.
 */
export function isSameKey(wanted: string | null, found: string | null): boolean {
  return compareKeys(wanted, found) !== 'different';
}

/** `key-1` and `alias/x` are the ends of their ARNs. */
const isEndOf = (end: string, name: string): boolean => name.endsWith(`/${end}`) || name.endsWith(`:${end}`);

/** The region in a key's or an alias's ARN; undefined for names without one. */
export function regionOfKey(key: string): string | undefined {
  return /^arn:[^:]*:kms:([^:]*):/.exec(key)?.[1];
}
