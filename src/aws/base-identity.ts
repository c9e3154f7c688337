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

export function createBaseIdentity(
  options: BaseIdentityOptions,
  maker: ClientMaker,
  settings: CallSettings,
): BaseIdentity {
  const region = options.region ?? defaultRegionOf('aws');
  const own = createClient(maker, 'sts', { region, credentials: ownCredentials(options, maker, region) });
  const context = { service: 'sts', isBase: true, charged: () => ({ accountId: BASE_ACCOUNT, region }) } as const;
  const ownSts: BaseIdentity['sts'] = (scope, quotaGroup) =>
    guardClient(own, settings, { ...context, scope, ...(quotaGroup ? { quotaGroup } : {}) });
  const role = options.roleArn === undefined ? undefined : createBaseRole(options.roleArn, { settings, ownSts });
  const roleClient = role && createClient(maker, 'sts', { region, credentials: () => role.credentials() });
  const sts: BaseIdentity['sts'] = (scope, quotaGroup) =>
    role && roleClient
      ? guardClient(roleClient, settings, {
          ...context,
          ...role.contextFor(scope),
          ...(quotaGroup ? { quotaGroup } : {}),
        })
      : ownSts(scope, quotaGroup);
  return {
    region,
    partition: partitionOfRegion(region) ?? 'aws',
    sts,
    identity: once((scope) => (role ? role.identity(scope) : callerIdentity(ownSts(detached(scope))))),
  };
}

/** Asked once for all; a failure is forgotten. */
function once(load: (scope: CallScope) => Promise<Identity>): (scope: CallScope) => Promise<Identity> {
  let known: Promise<Identity> | undefined;
  return (scope) => {
    known ??= load(scope).catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}

interface BaseRoleTools {
  readonly settings: CallSettings;
  readonly ownSts: BaseIdentity['sts'];
}

/** The one role between the base identity and the customers' roles. */
function createBaseRole(roleArn: string, { settings, ownSts }: BaseRoleTools) {
  const sessions = createSessionCache<Session>({ maxEntries: 1, nowMs: settings.nowMs, random: settings.random });
  const request = { roleArn, sessionName: 'keyferry-base', externalId: undefined, policy: undefined };
  const session = (scope: CallScope) =>
    sessions.get('base', () => assumeRole(ownSts(detached(scope)), request, settings.nowMs));
  return {
    credentials: async () => (await session(idleScope)).credentials,
    identity: async (scope: CallScope) => (await session(scope)).identity,
    contextFor: (scope: CallScope): Pick<CallContext, 'scope' | 'prepare' | 'forgetCredentials'> => ({
      scope,
      prepare: () => session(scope),
      forgetCredentials: (sinceMs) => {
        sessions.forget('base', sinceMs);
      },
    }),
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
