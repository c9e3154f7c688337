/**
 * The JSON of a many-to-one secret: the sync's keys in it change, other members stay exactly as
 * written (a number that is parsed and printed again may not). Pure.
 */

/** Members of a JSON object, each with the text of its value. */
export type Document = ReadonlyMap<string, string>;

export const emptyDocument: Document = new Map();

/** Undefined when the text is not a JSON object; the text is never part of a message. */
export function parseDocument(text: string): Document | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    return isObject ? scanMembers(text) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The text is known to be a valid JSON object, so that finding the ends of its members is enough.
 */
function scanMembers(text: string): Document {
  const members = new Map<string, string>();
  let at = text.indexOf('{') + 1;
  for (;;) {
    at = skip(text, at, /[\s,]/);
    if (text[at] === '}') return members;
    const keyEnd = endOfString(text, at);
    const valueStart = skip(text, keyEnd, /[\s:]/);
    const valueEnd = endOfValue(text, valueStart);
    members.set(JSON.parse(text.slice(at, keyEnd)) as string, text.slice(valueStart, valueEnd).trimEnd());
    at = valueEnd;
  }
}

function skip(text: string, from: number, what: RegExp): number {
  let at = from;
  while (what.test(text[at] ?? '')) at += 1;
  return at;
}

function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; ;) {
    const character = text[at] ?? '}';
    if (depth === 0 && (character === ',' || character === '}')) return at;
    if ('{['.includes(character)) depth += 1;
    if ('}]'.includes(character)) depth -= 1;
    at = character === '"' ? endOfString(text, at) : at + 1;
  }
}

export interface DocumentChange {
  /** Values of the sync's keys. */
  readonly set: ReadonlyMap<string, string>;
  readonly remove: ReadonlySet<string>;
}

/** What was there stays in its order; new keys follow. */
export function changeDocument(document: Document, change: DocumentChange): Document {
  const kept = [...document].filter(([key]) => !change.remove.has(key));
  return new Map([...kept, ...[...change.set].map(([key, value]) => [key, JSON.stringify(value)] as const)]);
}

export function printDocument(document: Document): string {
  return `{${[...document].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}

/**
 * A member's value as the source would write it: strings as they are, anything else as its JSON.
 */
export function memberValue(document: Document, key: string): string | undefined {
  const text = document.get(key);
  return text?.startsWith('"') === true ? (JSON.parse(text) as string) : text;
}
