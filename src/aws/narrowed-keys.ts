/**
 * Sessions of GetFederationToken: what an access key may do, narrowed to one use. Bound to the
 * revision of the credentials, at most an hour long, and dropped when AWS refuses them. A key that
 * AWS refuses to narrow is used as it is and the reason reported, unless the narrowing itself is
 * being tested.
 */
import { isNarrowingRefusal } from '../domain/connection/verdict.ts';
import type { QuotaGroup } from '../domain/quota-group.ts';
import { federate, type Session, toSessionPolicy } from './assume-role.ts';
import { detached } from './base-identity.ts';
import type { AwsContext } from './context.ts';
import type { CallScope, SessionRequest } from './session.ts';
import { digest, type KeyCredentials, keySts, type Source, stsRegionFor, toPair } from './sources.ts';

export interface NarrowedSource extends Pick<Source, 'key' | 'stsRegion' | 'accountId'> {
  load(scope: CallScope, quotaGroup?: QuotaGroup): Promise<Session>;
}

/** How long a refusal is cached before AWS is asked again. */
const REFUSED_MS = 10 * 60_000;
const NAME_LENGTH = 32;

/** Undefined for a request that does not ask for it. */
export function narrowedSourceOf(
  context: AwsContext,
  request: SessionRequest,
  own: Source,
): NarrowedSource | undefined {
  const { credentials, narrowing, policy } = request;
  if (credentials.method !== 'access-key' || narrowing === undefined || policy === undefined) return undefined;
  const text = toSessionPolicy(policy);
  const wanted = { pair: credentials, connectionId: credentials.connectionId, policy: text };
  return {
    ...own,
    key: [own.key, narrowing, digest(text)].join('|'),
    load: async (scope) => {
      const place = { scope, region: stsRegionFor(context, request.region) };
      try {
        return await load(context, wanted, place);
      } catch (error) {
        if (narrowing === 'required' || !isNarrowingRefusal(error)) throw error;
        context.options.onNarrowingRefused?.(credentials.connectionId, error);
        return asItIs(context, credentials, await own.load(scope));
      }
    },
  };
}

interface Wanted {
  readonly pair: KeyCredentials;
  readonly connectionId: string;
  readonly policy: string;
}

function load(
  context: AwsContext,
  { pair, connectionId, policy }: Wanted,
  { scope, region }: { readonly scope: CallScope; readonly region: string },
): Promise<Session> {
  const sts = keySts(context, toPair(pair), { scope: detached(scope), region });
  // Stable, so that CloudTrail and policies can name it.
  const name = `keyferry-${connectionId.replaceAll('-', '')}`.slice(0, NAME_LENGTH);
  return federate(sts, { name, policy }, context.settings.nowMs);
}

function asItIs(context: AwsContext, pair: KeyCredentials, { identity }: Session): Session {
  const obtainedAtMs = context.settings.nowMs();
  return { credentials: toPair(pair), identity, obtainedAtMs, expiresAtMs: obtainedAtMs + REFUSED_MS };
}
