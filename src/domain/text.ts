/** Which text PostgreSQL can hold: all but U+0000 and half of a surrogate pair. Pure. */
const unstorable = /\u0000|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

export function isStorable(text: string): boolean {
  return text.search(unstorable) < 0;
}

/** For text of others that is only shown: what cannot be stored becomes U+FFFD. */
export function toStorable(text: string): string {
  return text.replace(unstorable, '\uFFFD');
}
