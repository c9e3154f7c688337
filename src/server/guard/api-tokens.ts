/**
 * API tokens: the configuration holds their SHA-256 only. The org always comes from the token,
 * never from a request.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

import type { ApiToken, Caller } from '../../domain/caller.ts';

export interface TokenCheck {
  /** Undefined for a missing, malformed or unknown token. */
  find(authorization: string | undefined): Caller | undefined;
}

export function createTokenCheck(tokens: readonly ApiToken[]): TokenCheck {
  const known = tokens.map((token) => ({ token, hash: Buffer.from(token.sha256, 'hex') }));
  return {
    find(authorization) {
      const presented = bearerOf(authorization);
      if (presented === undefined) return undefined;
      const hash = createHash('sha256').update(presented, 'utf8').digest();
      // Every token is compared, so that the time says nothing about which one came close.
      const matches = known.filter((entry) => entry.hash.length === hash.length && timingSafeEqual(entry.hash, hash));
      return matches[0] && toCaller(matches[0].token);
    },
  };
}

function toCaller({ orgId, name, scope }: ApiToken): Caller {
  return { id: `token:${name}`, orgId, name, scope, projects: null, onExisting: 'fail' };
}

export function bearerOf(authorization: string | undefined): string | undefined {
  return /^bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
}
