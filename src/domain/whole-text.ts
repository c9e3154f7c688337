/** Text that arrives as bytes or as JSON: read whole, or not at all. Pure. */

/**
 * Undefined when the bytes are not UTF-8: a lenient decoder puts U+FFFD in place of what it does
 * not understand. A byte order mark is dropped.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A key with its colon, a string, or a bracket. Unrolled: a value may be megabytes long. */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\]]/g;

/**
 * Names that an object of the JSON text has twice, at any depth: `JSON.parse` keeps only the last
 * of them. Nothing for what is no JSON.
 */
export function repeatedNames(json: string): readonly string[] {
  const twice = new Set<string>();
  const open: Set<string>[] = [];
  try {
    for (const [token, text, colon] of json.matchAll(TOKEN)) {
      if (token === '{' || token === '[') open.push(new Set());
      else if (token === '}' || token === ']') open.pop();
      if (text === undefined || colon === undefined) continue;
      const name = JSON.parse(text) as string;
      const seen = open.at(-1);
      if (seen?.has(name) === true) twice.add(name);
      seen?.add(name);
    }
  } catch {
    return [];
  }
  return [...twice];
}
