/**
 * AWS's rules for tags, and what a violation of any rule is. Rules for names and values are in
 * `domain/destinations/`. All are checked before the first call, so that all violations are
 * reported at once. Figures as the service models and the documentation give them. Pure; no message
 * ever holds a value.
 */
import { cutText } from '../text.ts';

/** What is wrong with an entry and what to do about it. */
export interface EntryProblem {
  readonly code: 'SYNC_ENTRY_INVALID' | 'SECRET_UNDECRYPTABLE';
  readonly message: string;
}

/** One of AWS's 50 is the ownership tag. */
const MAX_TAGS = 49;

export const invalid = (message: string): EntryProblem => ({ code: 'SYNC_ENTRY_INVALID', message });

export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

export function findTagsProblem(tags: Readonly<Record<string, string>>): EntryProblem | undefined {
  const entries = Object.entries(tags);
  if (entries.length > MAX_TAGS) {
    return invalid(`${entries.length} tags; AWS allows 50, one of which marks the owner. Remove metadata or tags.`);
  }
  const bad = entries.find(([key, value]) => !isTagKey(key) || value.length > 256 || !tagText.test(value));
  if (!bad) return undefined;
  return invalid(
    `AWS does not allow the tag ${cutText(bad[0], 40)}: key up to 128, value up to 256 letters, digits, spaces and _.:/=+-@, not aws:.`,
  );
}

const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

function isTagKey(key: string): boolean {
  return key.length > 0 && key.length <= 128 && tagText.test(key) && !/^(aws|keyferry):/i.test(key);
}
