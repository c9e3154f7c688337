/**
 * Who the worker itself is: the configured key pair or the SDK's default chain, optionally behind one base role. All connections
 * with a role are assumed by it, near the worker and not in the region that a sync writes to, so that one session serves every region.
 */
import type { STSClient } from '@aws-sdk/client-sts';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';

import type { QuotaGroup } from '../domain/call-budget.ts';
import { defaultRegionOf, partitionOfRegion } from '../domain/partitions.ts';
import { assumeRole, callerIdentity, type Session } from './assume-role.ts';
import type { CallContext, CallSettings } from './call.ts';
import { type ClientMaker, createClient, type Credentials, guardClient } from './clients.ts';
import { createSessionCache } from './session-cache.ts';
import type { CallScope, Identity } from './session.ts';

export interface BaseIdentityOptions {
  /** Undefined: the SDK's default chain. */
  readonly credentials: Credentials | undefined;
  readonly roleArn: string | undefined;
  readonly region: string | undefined;
}

export interface BaseIdentity {
  readonly region: string;
  readonly partition: string;
  /** STS as the base identity (behind the base role, if there is one), for one run's calls, out of this budget. */
  sts(scope: CallScope, quotaGroup?: QuotaGroup): STSClient;
  identity(scope: CallScope): Promise<Identity>;
}

/** The budget that all AssumeRole calls share: they are charged to the base account, whatever its number. */
const BASE_ACCOUNT = 'base';

export function createBaseIdentity(options: BaseIdentityOptions, maker: ClientMaker, settings: CallSettings): BaseIdentity {
  const region = options.region ?? defaultRegionOf('aws');
  const { roleArn } = options;
  const sessions = createSessionCache<Session>({ maxEntries: 1, nowMs: settings.nowMs, random: settings.random });
  const own = createClient(maker, 'sts', { region, credentials: ownCredentials(options, maker, region) });
  const charged = () => ({ accountId: BASE_ACCOUNT, region });
  const ownFor = (scope: CallScope, budget: Pick<CallContext, 'quotaGroup'> = {}) => guardClient(own, settings, { service: 'sts', isBase: true, scope, charged, ...budget });

  const assumeBaseRole = (scope: CallScope, arn: string) =>
    sessions.get('base', () => assumeRole(ownFor(detached(scope)), { roleArn: arn, sessionName: 'keyferry-base', externalId: undefined, policy: undefined }, settings.nowMs));
  const behindRole =
    roleArn === undefined
      ? undefined
      : createClient(maker, 'sts', { region, credentials: async () => (await assumeBaseRole(idleScope, roleArn)).credentials });

  const sts = (scope: CallScope, quotaGroup?: QuotaGroup) => {
    const budget = quotaGroup ? { quotaGroup } : {};
    return behindRole === undefined
      ? ownFor(scope, budget)
      : guardClient(behindRole, settings, {
          ...budget,
          service: 'sts',
          isBase: true,
          scope,
          charged,
          prepare: () => assumeBaseRole(scope, roleArn ?? ''),
          forgetCredentials: (sinceMs) => {
            sessions.forget('base', sinceMs);
          },
        });
  };
  let known: Promise<Identity> | undefined;
  return {
    region,
    partition: partitionOfRegion(region) ?? 'aws',
    sts,
    identity(scope) {
      known ??= (roleArn === undefined ? callerIdentity(ownFor(detached(scope))) : assumeBaseRole(scope, roleArn).then((session) => session.identity)).catch(
        (error: unknown) => {
          known = undefined;
          throw error;
        },
      );
      return known;
    },
  };
}

function ownCredentials(options: BaseIdentityOptions, maker: ClientMaker, region: string): () => Promise<Credentials> {
  const given = options.credentials;
  if (given) return () => Promise.resolve(given);
  return fromNodeProviderChain({ clientConfig: { region, requestHandler: maker.requestHandler as never } });
}

/** Several runs may wait for the same session: the end of the one that asked first must not stop it. Its calls are still counted there. */
export function detached(scope: CallScope): CallScope {
  return { ...idleScope, calls: scope.calls, subjectId: scope.subjectId };
}

/** For what no run asked for. */
export const idleScope: CallScope = {
  signal: new AbortController().signal,
  calls: { record: () => undefined, counts: {} },
  beforeMutation: () => undefined,
  subjectId: 'base',
};
