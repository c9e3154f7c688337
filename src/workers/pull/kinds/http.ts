/**
 * Kind `http`: a URL that answers with one JSON object or with dotenv lines, as the content type
 * says.
 */
import { defined } from '../../../domain/defined.ts';
import { clientCertificateOf, type HttpSettings } from '../../../domain/sources.ts';
import { decodeSecretText, parseDotenv, parseJson } from '../../../domain/secret-text.ts';
import { JobError } from '../../../errors.ts';
import { type Answer, answerRefused } from '../ask.ts';
import type { ReadSource } from '../source.ts';

export const readHttp: ReadSource<HttpSettings> = async (settings, { ask, etag }) => {
  const { url, token } = settings;
  const client = clientCertificateOf(settings);
  const answer = await ask({
    url: new URL(url),
    ...defined({ client }),
    headers: {
      accept: 'application/json, text/plain;q=0.9',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(etag === null ? {} : { 'if-none-match': etag }),
    },
  });
  if (answer.status === 304) return { status: 'unchanged' };
  return { status: 'read', values: parse(answer), etag: answer.headers.etag ?? null };
};

const JSON_TYPE = /^application\/([\w.-]+\+)?json$/;
const TEXT_TYPES: readonly string[] = ['text/plain', 'application/octet-stream'];

function parse({ headers, bytes }: Answer): Readonly<Record<string, string>> {
  const [type = ''] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const isJson = JSON_TYPE.test(type.trim());
  if (!isJson && !TEXT_TYPES.includes(type.trim()))
    throw answerRefused('its content type is neither JSON nor plain text');
  try {
    const text = decodeSecretText(bytes);
    return Object.fromEntries(isJson ? parseJson(text) : parseDotenv(text));
  } catch (error) {
    // Names keys and lines, never a value.
    if (error instanceof JobError) throw answerRefused(error.publicMessage.replace(/\.$/, ''));
    throw error;
  }
}
