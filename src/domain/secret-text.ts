/**
 * Secrets as text: dotenv lines or one JSON object. Every byte of a value is kept, or the input is
 * refused with the line and the reason. Libraries that read dotenv keep quotes of lines they do not
 * understand, or silently let the last of two equal keys win. An error names keys and lines, never
 * what a value holds.
 *
 *   KEY=value            to the end of the line; ` #` begins a comment; blanks at both ends go
 *   KEY="a\nb"           \n \r \t \" \\ \$ are replaced, other backslashes stay; may span lines
 *   KEY='…'  KEY=`…`     as it is; may span lines
 *   export KEY=…         like KEY=…
 */
import { JobError } from '../errors.ts';
import { decodeUtf8, repeatedNames } from './whole-text.ts';

/** UTF-8, with or without a byte order mark. */
export function decodeSecretText(bytes: Uint8Array): string {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw refused('The secrets are UTF-16. Save them as UTF-8.');
  }
  const source = decodeUtf8(bytes);
  if (source === undefined)
    throw refused(`Line ${String(firstBadLine(bytes))} of the secrets is not valid UTF-8. Save them as UTF-8.`);
  const nul = source.indexOf('\0');
  if (nul >= 0) throw refusedLine(source, nul, 'holds a NUL character, which cannot be stored');
  return source;
}

export function parseSecrets(source: string): Record<string, string> {
  const entries = /^\s*[{[]/.test(source) ? parseJson(source) : parseDotenv(source);
  return Object.fromEntries(entries);
}

type Entries = Map<string, string>;

export function parseJson(source: string): Entries {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch {
    // The parser's message quotes the text, which holds values.
    throw refused('The secrets are not valid JSON.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw refused('The secrets must be one JSON object: { "KEY": "value" }.');
  const twice = repeatedNames(source);
  if (twice.length > 0) throw refused(`The JSON names ${twice.join(', ')} more than once. Keep one of them.`);
  const entries = Object.entries(parsed as Record<string, unknown>);
  const bad = entries.filter(([, value]) => typeof value !== 'string').map(([key]) => key);
  if (bad.length > 0) throw refused(`The value of ${bad.join(', ')} must be a JSON string.`);
  return new Map(entries as [string, string][]);
}

const KEY = /[ \t]*(?:export[ \t]+)?([\w./-]+)[ \t]*=[ \t]*/y;
const NOTHING = /[ \t]*(?:#[^\n]*)?\r?(?:\n|$)/y;
const QUOTED: Readonly<Record<string, RegExp>> = {
  '"': /"((?:[^"\\]|\\[\s\S])*)"/y,
  "'": /'([^']*)'/y,
  '`': /`([^`]*)`/y,
};

export function parseDotenv(source: string): Entries {
  const entries: Entries = new Map();
  const firstLines = new Map<string, number>();
  let at = 0;
  while (at < source.length) {
    const nothing = match(NOTHING, source, at);
    if (nothing) {
      at += nothing[0].length;
      continue;
    }
    const start = match(KEY, source, at);
    if (!start) throw refusedLine(source, at, 'is not KEY=value');
    const key = start[1] ?? '';
    const earlier = firstLines.get(key);
    if (earlier !== undefined)
      throw refusedLine(source, at, `sets ${key} again, which line ${String(earlier)} set. Keep one of them`);
    firstLines.set(key, lineOf(source, at));
    const { value, end } = valueAt(source, at + start[0].length);
    entries.set(key, value);
    at = end;
  }
  return entries;
}

function valueAt(source: string, at: number): { readonly value: string; readonly end: number } {
  const quote = source[at] ?? '';
  const pattern = QUOTED[quote];
  if (!pattern) return bareValueAt(source, at);
  const quoted = match(pattern, source, at);
  if (!quoted) throw refusedLine(source, at, 'opens a quote that is never closed');
  const after = at + quoted[0].length;
  const rest = match(NOTHING, source, after);
  if (!rest)
    throw refusedLine(
      source,
      after,
      'has text after the closing quote. Quote the whole value, or begin a comment with #',
    );
  const inner = quoted[1] ?? '';
  return { value: quote === '"' ? unescape(inner) : inner, end: after + rest[0].length };
}

function bareValueAt(source: string, at: number): { readonly value: string; readonly end: number } {
  const newline = source.indexOf('\n', at);
  const end = newline < 0 ? source.length : newline;
  const line = source.slice(at, end).replace(/\r$/, '');
  if (line.includes('\r'))
    throw refusedLine(source, at, 'holds a carriage return. Put the value in double quotes and write \\r');
  return { value: line.replace(/(^|[ \t])#.*$/, '').trim(), end: Math.min(end + 1, source.length) };
}

function unescape(quoted: string): string {
  return quoted.replace(/\\([nrt"\\$])/g, (_, letter: string) => ({ n: '\n', r: '\r', t: '\t' })[letter] ?? letter);
}

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source) ?? undefined;
}

const lineOf = (source: string, offset: number): number => source.slice(0, offset).split('\n').length;

function firstBadLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    if (decodeUtf8(bytes.subarray(start, end)) === undefined) return line;
    start = end;
  }
  return line;
}

function refusedLine(source: string, offset: number, reason: string): JobError {
  return refused(`Line ${String(lineOf(source, offset))} of the secrets ${reason}.`);
}

function refused(message: string): JobError {
  return new JobError('PAYLOAD_INVALID', { message });
}
