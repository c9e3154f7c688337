/**
 * One request to a source, to a public address that was checked or a host that the operator lists.
 * Bounded in size and time; redirects are refused. An error contains nothing of an answer but its
 * status.
 */
import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';

import { defined } from '../../domain/defined.ts';
import type { CertificatePair } from '../../domain/sources.ts';
import { isListed, refusalOf } from '../../domain/webhooks.ts';
import { JobError } from '../../errors.ts';
import { literalRefusal, lookupPublic, reasonOf, type Resolve } from '../../network/public-lookup.ts';

export interface AskOptions {
  /** Hosts that the operator lists. */
  readonly hosts: readonly string[];
  readonly limitMs?: number;
  /** For tests: instead of the resolver of this machine. */
  readonly resolve?: Resolve;
  /** For tests: instead of the authorities that Node trusts. */
  readonly ca?: string;
}

export interface Question {
  readonly url: URL;
  readonly headers?: OutgoingHttpHeaders;
  /** A body makes it a POST of JSON. */
  readonly body?: string;
  /** For mutual TLS. */
  readonly client?: CertificatePair;
}

/** 200 or 304. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

export type Ask = (question: Question) => Promise<Answer>;

const MAX_ANSWER_BYTES = 1_048_576;
const LIMIT_MS = 10_000;

/** Throws SOURCE_UNAVAILABLE, SOURCE_DENIED, SOURCE_ANSWER_REFUSED, SOURCE_URL_REFUSED. */
export function createAsk(options: AskOptions): Ask {
  return async ({ url, headers = {}, body, client }) => {
    const isFree = isListed(url.hostname, options.hosts);
    const refusal = refusalOf(url.href, options.hosts) ?? (isFree ? undefined : literalRefusal(url));
    if (refusal !== undefined)
      throw new JobError('SOURCE_URL_REFUSED', { message: `The URL of the source is refused: ${refusal}.` });
    const signal = AbortSignal.timeout(options.limitMs ?? LIMIT_MS);
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        reject(error instanceof JobError ? error : toRefusal(error));
      };
      const request = send(url, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'user-agent': 'keyferry', ...headers, ...bodyHeaders(body) },
        // No connection is kept: it would outlive the check of its address.
        agent: false,
        signal,
        ...defined({ ca: options.ca }),
        ...(client && { cert: client.certificate, key: client.key }),
        ...(isFree ? {} : { lookup: lookupPublic(options.resolve) }),
      });
      request.on('response', (response) => {
        readAnswer(response).then(resolve, fail);
      });
      request.on('error', fail);
      request.end(body);
    });
  };
}

function bodyHeaders(body: string | undefined): OutgoingHttpHeaders {
  if (body === undefined) return {};
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  try {
    const status = response.statusCode ?? 0;
    requireAnswer(status);
    return { status, headers: response.headers, bytes: await readBody(response) };
  } finally {
    response.destroy();
  }
}

function requireAnswer(status: number): void {
  if (status === 200 || status === 304) return;
  const what = `the source answered with HTTP ${String(status)}`;
  if (status === 429 || status >= 500 || status === 0) throw unavailable(what);
  const redirect = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  throw new JobError('SOURCE_DENIED', {
    message: `The secrets cannot be read: ${what}${redirect}.`,
    context: { status },
  });
}

/**
 * Counts what it reads: a header may lie, or be missing. Throws where the connection ends early: a
 * part would delete the rest.
 */
async function readBody(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) throw answerRefused('it is larger than 1 MiB');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * The alert of a source that asks for a client certificate and got none, or one that it does not
 * accept.
 */
const CERTIFICATE_ALERT =
  /^ERR_SSL_.*ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERT|HANDSHAKE_FAILURE)/;

function toRefusal(error: Error & { readonly code?: string }): JobError {
  if (!CERTIFICATE_ALERT.test(error.code ?? '')) return unavailable(reasonOf(error), error);
  const message = 'The secrets cannot be read: the source does not accept the client certificate, or misses one.';
  return new JobError('SOURCE_DENIED', { message, cause: error });
}

function unavailable(reason: string, cause?: Error): JobError {
  return new JobError('SOURCE_UNAVAILABLE', { message: `The source cannot be read: ${reason}.`, cause });
}

/** `reason` names keys and lines, never a value. */
export function answerRefused(reason: string): JobError {
  return new JobError('SOURCE_ANSWER_REFUSED', { message: `The answer of the source is refused: ${reason}.` });
}
