/**
 * Reads what a form of the status page sent, after the nets of `forms.ts`. No value is logged or
 * kept.
 */
import type { Context } from 'hono';

import { FORM_MAX_AGE_MS, formPurpose, type Signatures } from './forms.ts';

export type Fields = Readonly<Record<string, string>>;

export interface FormRefusal {
  readonly status: 403 | 413 | 415;
  readonly message: string;
  readonly fix: string;
}

const MAX_FORM_BYTES = 16 * 1024;

const notOurs: FormRefusal = {
  status: 403,
  message: 'This form is too old, or this page did not make it. Nothing was changed.',
  fix: 'Open the page again and repeat the action there.',
};
const notAForm: FormRefusal = {
  status: 415,
  message: 'Only the forms of this page can be sent here. Nothing was changed.',
  fix: 'Programs use the API: see `/api/openapi.json`.',
};
const tooLong: FormRefusal = {
  status: 413,
  message: 'The form is longer than anything that its fields take. Nothing was changed.',
  fix: 'Check what was pasted.',
};

/**
 * Each field once; of a repeated one the last. Text around a value, as pasting brings it, is cut
 * off.
 */
export async function readForm(
  c: Context,
  signatures: Signatures,
): Promise<{ readonly fields: Fields } | { readonly refusal: FormRefusal }> {
  const type = c.req.header('content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return { refusal: notAForm };
  const text = await readBounded(c.req.raw.body);
  if (text === undefined) return { refusal: tooLong };
  const { token, ...fields } = Object.fromEntries(
    [...new URLSearchParams(text)].map(([name, value]) => [name, value.trim()]),
  );
  if (!signatures.verify(formPurpose(c.get('operator')), token, FORM_MAX_AGE_MS)) return { refusal: notOurs };
  return { fields };
}

/** Undefined when it is too long; what comes after that is not read. */
async function readBounded(body: ReadableStream<Uint8Array> | null): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body ?? []) {
    length += part.byteLength;
    if (length > MAX_FORM_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
