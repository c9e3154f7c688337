/**
 * Text that PostgreSQL can hold (all but U+0000 and half of a surrogate pair), and how text is cut.
 * Pure.
 */
const unstorable = /\u0000|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

export function isStorable(text: string): boolean {
  return text.search(unstorable) < 0;
}

/** For text of others that is only shown: what cannot be stored becomes U+FFFD. */
export function toStorable(text: string): string {
  return text.replace(unstorable, '\uFFFD');
}

/**
 * At most `maxLength` UTF-16 units, cut between code points. Every cut of text goes through here.
 */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const isPairCut = /[\uD800-\uDBFF]/.test(text.charAt(maxLength - 1));
  return text.slice(0, isPairCut ? maxLength - 1 : maxLength);
}

/**
 * A name that somebody sent, for a message: enough to find it. What no name looks like may be a
 * value in the wrong place, and is cut to its beginning.
 */
export function shownName(name: string): string {
  if (/^[\w./-]{1,64}$/.test(name)) return name;
  return `${/^[\w.-]{0,12}/.exec(name)?.[0] ?? ''}…`;
}
