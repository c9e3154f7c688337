/**
 * What a command reads besides its arguments: secrets from stdin, a file or a hidden prompt, never
 * from an argument.
 */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

import { decodeUtf8 } from '../domain/whole-text.ts';
import { JobError } from '../errors.ts';

/** One line of secret text: from a pipe, or asked for without echo on a terminal. */
export async function readSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) return toSecret(await buffer(process.stdin), 'The input');
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

/** One line of secret text from a file; `-` is stdin. */
export async function readSecretFile(file: string): Promise<string> {
  return toSecret(await readBytes(file), file === '-' ? 'The input' : file);
}

function toSecret(bytes: Uint8Array, source: string): string {
  const secret = decodeUtf8(bytes);
  if (secret === undefined)
    throw new JobError('PAYLOAD_INVALID', { message: `${source} is not valid UTF-8: encode it as UTF-8.` });
  return secret.trim();
}

export async function readBytes(file: string | undefined): Promise<Uint8Array> {
  if (file === undefined || file === '-') {
    if (process.stdin.isTTY) process.stderr.write('Type KEY=value lines, then Ctrl-D.\n');
    return buffer(process.stdin);
  }
  try {
    return await readFile(file);
  } catch (cause) {
    throw new JobError('PAYLOAD_INVALID', {
      message: `The file ${file} cannot be read: ${whyUnreadable(cause)}.`,
      cause,
    });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
};

function whyUnreadable(cause: unknown): string {
  const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
  return reasons[code] ?? code;
}
