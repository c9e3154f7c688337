/**
 * Whose an access token is. PostgreSQL is asked once in a few seconds for each token, so that a
 * revocation holds on every server within 5 s and reads do not wait for it.
 */
import { createHash } from 'node:crypto';

import type { Identities } from '../../db/identities.ts';
import type { Caller } from '../../domain/caller.ts';

const FRESH_MS = 3_000;
/** Tokens remembered at once; the oldest are forgotten. */
const TOKENS_KEPT = 10_000;

export type AccessTokenCheck = ReturnType<typeof createAccessTokenCheck>;

export function createAccessTokenCheck(identities: Pick<Identities, 'callerOf'>, now: () => number) {
  const known = new Map<string, { readonly caller: Promise<Caller | undefined>; readonly freshUntil: number }>();
  return {
    find(accessToken: string): Promise<Caller | undefined> {
      const key = keyOf(accessToken);
      const remembered = known.get(key);
      if (remembered !== undefined && remembered.freshUntil > now()) return remembered.caller;
      const caller = identities.callerOf(accessToken);
      known.delete(key);
      known.set(key, { caller, freshUntil: now() + FRESH_MS });
      const oldest = known.keys().next();
      if (known.size > TOKENS_KEPT && oldest.done !== true) known.delete(oldest.value);
      // A failure is no answer: the next request asks again.
      caller.catch(() => known.delete(key));
      return caller;
    },
    /** For a token that was just revoked or renewed here. */
    forget(accessToken: string): void {
      known.delete(keyOf(accessToken));
    },
  };
}

function keyOf(accessToken: string): string {
  return createHash('sha256').update(accessToken, 'utf8').digest('base64');
}
