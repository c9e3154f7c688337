/**
 * One POST to an endpoint of an org, to a public address that was checked. Redirects are not
 * followed, and nothing of the answer but its status is kept.
 */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

import { isListed, refusalOf } from '../../domain/webhooks.ts';
import { literalRefusal, lookupPublic, reasonOf, type Resolve } from '../../network/public-lookup.ts';
import type { Message } from './message.ts';

export interface PostOptions {
  /** Hosts that the operator lists. Undefined: the URL is the operator's own. */
  readonly hosts: readonly string[] | undefined;
  readonly limitMs: number;
  /** For tests: instead of the resolver of this machine. */
  readonly resolve?: Resolve;
}

/** `error`: the endpoint is down, or must not be reached. */
export type PostResult = { readonly status: number } | { readonly error: string };

export async function post(url: URL, { body, headers }: Message, options: PostOptions): Promise<PostResult> {
  const { hosts, limitMs } = options;
  const isFree = hosts === undefined || isListed(url.hostname, hosts);
  const refusal = isFree ? undefined : (refusalOf(url.href, hosts) ?? literalRefusal(url));
  if (refusal !== undefined) return { error: `the URL is refused: ${refusal}` };
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((done) => {
    const request = send(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      // No connection is kept: it would outlive the check of its address.
      agent: false,
      signal: AbortSignal.timeout(limitMs),
      ...(isFree ? {} : { lookup: lookupPublic(options.resolve) }),
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
