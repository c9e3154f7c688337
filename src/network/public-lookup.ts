/**
 * Guards requests to hosts that tenants name. The name is resolved once; every address must be
 * public, and the connection goes to one of those that were checked.
 */
import { lookup as resolve } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

import { isListed, refusalOf } from '../domain/webhooks.ts';
import { isPublicAddress } from './public-address.ts';

/** The resolver of this machine; tests pass another. */
export type Resolve = typeof resolve;

const REFUSED = 'its address is not public';
const REFUSED_CODE = 'ADDRESS_REFUSED';

/** Undefined unless the URL names an address that is not public. */
export function literalRefusal({ hostname }: URL): string | undefined {
  const literal = hostname.replace(/^\[|\]$/g, '');
  return isIP(literal) !== 0 && !isPublicAddress(literal) ? REFUSED : undefined;
}

/** Why no request can ever go to this URL: known before its host is resolved. */
export function refusalAtEdge(url: string, hosts: readonly string[]): string | undefined {
  const parsed = new URL(url);
  return isListed(parsed.hostname, hosts) ? undefined : (refusalOf(url, hosts) ?? literalRefusal(parsed));
}

/**
 * The socket connects to what this gives it: no second resolution can differ from the checked one.
 */
export function lookupPublic(ask: Resolve = resolve): LookupFunction {
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

/** Our own wording: what an endpoint or a resolver says is not kept. */
export function reasonOf(error: Error & { readonly code?: string }): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'no answer in time';
  if (error.code === REFUSED_CODE) return `the URL is refused: ${REFUSED}`;
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'its host is not known';
  const isTls = /CERT|TLS|SSL|SELF_SIGNED|ALTNAME|UNABLE_TO/.test(error.code ?? '');
  return isTls ? 'its certificate is not accepted' : 'not reachable';
}
