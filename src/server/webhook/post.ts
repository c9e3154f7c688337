/**
 * One POST to an endpoint of an org. The name is resolved once; every address must be public, and the connection goes to one of those that were checked.
 * Redirects are not followed, and nothing of the answer but its status is kept.
 */
import { lookup as resolve } from 'node:dns';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

import { isListed, refusalOf } from '../../domain/webhooks.ts';
import type { Message } from './message.ts';
import { isPublicAddress } from './address.ts';

export interface PostOptions {
  /** Hosts that the operator lists. Undefined: the URL is the operator's own. */
  readonly hosts: readonly string[] | undefined;
  readonly limitMs: number;
  /** For tests: instead of the resolver of this machine. */
  readonly resolve?: typeof resolve;
}

/** `error`: the endpoint is down, or must not be reached. */
export type PostResult = { readonly status: number } | { readonly error: string };

const REFUSED = 'its address is not public';

export async function post(url: URL, { body, headers }: Message, options: PostOptions): Promise<PostResult> {
  const { hosts, limitMs } = options;
  const refusal = hosts === undefined ? undefined : refusalOf(url.href, hosts);
  if (refusal !== undefined) return { error: `the URL is refused: ${refusal}` };
  const isFree = hosts === undefined || isListed(url.hostname, hosts);
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (!isFree && isIP(literal) !== 0 && !isPublicAddress(literal)) return { error: `the URL is refused: ${REFUSED}` };
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((done) => {
    const request = send(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      // No connection is kept: it would outlive the check of its address.
      agent: false,
      signal: AbortSignal.timeout(limitMs),
      ...(isFree ? {} : { lookup: lookupPublic(options.resolve ?? resolve) }),
    });
    request.on('response', (response) => {
      done({ status: response.statusCode ?? 0 });
      response.destroy();
    });
    request.on('error', (error) => {
      done({ error: reasonOf(error) });
    });
    request.end(body);
  });
}

/** The socket connects to what this gives it: no second resolution can differ from the checked one. */
function lookupPublic(ask: typeof resolve): LookupFunction {
  return (hostname, { family, hints, all }, callback) => {
    ask(hostname, { family, hints, all: true } as { all: true }, (error, addresses) => {
      const [first] = addresses;
      if (error) callback(error, []);
      else if (!first || !addresses.every(({ address }) => isPublicAddress(address)))
        callback(Object.assign(new Error(REFUSED), { code: REFUSED_CODE }), []);
      else if (all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

const REFUSED_CODE = 'ADDRESS_REFUSED';

/** Words of ours: what an endpoint or a resolver says is not kept. */
function reasonOf(error: Error & { readonly code?: string }): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'no answer in time';
  if (error.code === REFUSED_CODE) return `the URL is refused: ${REFUSED}`;
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'its host is not known';
  const isTls = /CERT|TLS|SSL|SELF_SIGNED|ALTNAME|UNABLE_TO/.test(error.code ?? '');
  return isTls ? 'its certificate is not accepted' : 'not reachable';
}
