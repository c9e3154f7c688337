/** What a command reads besides its arguments: secrets from stdin, a file or a hidden prompt, never from an argument. */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { JobError } from '../errors.ts';

/** One line of secret text: from a pipe, or asked for without echo on a terminal. */
export async function readSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).trim();
  process.stderr.write(`${question}: `);
  const silent = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return (await prompt.question('')).trim();
  } finally {
    prompt.close();
    process.stderr.write('\n');
  }
}

export async function readText(file: string | undefined): Promise<string> {
  if (file === undefined || file === '-') return text(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new JobError('PAYLOAD_INVALID', { message: `The file ${file} cannot be read.`, cause });
  }
}

/** Secrets as JSON (`{ "KEY": "value" }`) or dotenv lines. An error names the line, never what stands in it. */
export function parseSecrets(source: string): Record<string, string> {
  return source.trimStart().startsWith('{') ? parseJson(source) : parseDotenv(source);
}

function parseJson(source: string): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch {
    // The parser's message quotes the text, which holds values.
    throw new JobError('PAYLOAD_INVALID', { message: 'The secrets are not valid JSON.' });
  }
  const entries = Object.entries(parsed as Record<string, unknown>);
  const bad = entries.filter(([, value]) => typeof value !== 'string').map(([key]) => key);
  if (bad.length > 0)
    throw new JobError('PAYLOAD_INVALID', { message: `The value of ${bad.join(', ')} must be a JSON string.` });
  return Object.fromEntries(entries) as Record<string, string>;
}

function parseDotenv(source: string): Record<string, string> {
  const values: Record<string, string> = {};
  // A quoted value may go over several lines.
  const pattern =
    /^[ \t]*(?:export[ \t]+)?([\w./-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'|([^\n]*?))[ \t]*$|^[ \t]*(#.*)?$/gm;
  let end = 0;
  for (const match of source.matchAll(pattern)) {
    if (source.slice(end, match.index).trim() !== '') throw badLine(source, end);
    end = match.index + match[0].length;
    const [, key, double, single, bare] = match;
    if (key !== undefined) values[key] = double === undefined ? (single ?? stripComment(bare ?? '')) : unescape(double);
  }
  if (source.slice(end).trim() !== '') throw badLine(source, end);
  return values;
}

function stripComment(bare: string): string {
  return bare.replace(/(^|\s)#.*$/, '').trim();
}

function unescape(quoted: string): string {
  return quoted.replace(/\\([nrt"\\$])/g, (_, letter: string) => ({ n: '\n', r: '\r', t: '\t' })[letter] ?? letter);
}

function badLine(source: string, offset: number): JobError {
  const rest = source.slice(offset);
  const line = source.slice(0, offset + (rest.length - rest.trimStart().length)).split('\n').length;
  return new JobError('PAYLOAD_INVALID', { message: `Line ${String(line)} of the secrets is not KEY=value.` });
}
