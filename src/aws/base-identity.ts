/**
 * Who the worker itself is: the configured key pair or the SDK's default chain, optionally behind
 * one base role. All connections with a role are assumed by it, near the worker and not in the
 * region that a sync writes to, so that one session serves every region.
 */
import { type IAMClient, ListAccessKeysCommand } from '@aws-sdk/client-iam';
import type { STSClient } from '@aws-sdk/client-sts';

import { defined } from '../domain/defined.ts';
import type { BaseReport } from '../domain/connection/base-identity.ts';
import { defaultRegionOf, iamRegionOf, partitionOfRegion } from '../domain/partitions.ts';
import type { QuotaGroup } from '../domain/quota-group.ts';
import { JobError } from '../errors.ts';
import { assumeRole, callerIdentity, type Session } from './assume-role.ts';
import { createBaseCredentials, type BaseCredentials, type BaseCredentialsInUse } from './base-credentials.ts';
import { toBaseFault } from './base-fault.ts';
import type { CallContext, CallSettings } from './call.ts';
import { type ClientMaker, createClient, type Credentials, type CredentialsProvider, guardClient } from './clients.ts';
import type { EndpointEnvironment } from './endpoints.ts';
import { createSessionCache } from './session-cache.ts';
import type { CallScope, Identity } from './session.ts';

export interface BaseIdentityOptions {
  /** A pair, or a function that reads it again; undefined: the SDK's default chain. */
  readonly credentials: Credentials | CredentialsProvider | undefined;
  readonly roleArn: string | undefined;
  readonly region: string | undefined;
  readonly environment: EndpointEnvironment;
}

export interface BaseIdentity {
  readonly region: string;
  readonly partition: string;
  /**
   * STS as the base identity (behind the base role, if there is one), for one run's calls, out of
   * this budget.
   */
  sts(scope: CallScope, quotaGroup?: QuotaGroup): STSClient;
  identity(scope: CallScope): Promise<Identity>;
  /** For other services than STS: what their requests are signed with. */
  readonly signing: BaseSigning;
  /**
   * What is known of the credentials in use, without a call; undefined while no work has needed
   * them.
   */
  inUse(): BaseCredentialsInUse | undefined;
  /**
   * Its kind, owner and key, for operators. Resolves the credentials, so it throws what `identity`
   * throws.
   */
  report(): Promise<BaseReport>;
}

export interface BaseSigning {
  readonly credentials: CredentialsProvider;
  contextFor(scope: CallScope): Pick<CallContext, 'scope' | 'prepare' | 'forgetCredentials'>;
}

/**
 * The budget that all AssumeRole calls share: they are charged to the base account, whatever its
 * number.
 */
const BASE_ACCOUNT = 'base';

export function createBaseIdentity(
  options: BaseIdentityOptions,
  maker: ClientMaker,
  settings: CallSettings,
): BaseIdentity {
  const region = options.region ?? defaultRegionOf('aws');
  const { credentials: given, environment } = options;
  const credentials = createBaseCredentials({ credentials: given, region, environment }, maker, settings);
  const own = createClient(maker, 'sts', { region, credentials: () => credentials.get() });
  const context = { service: 'sts', isBase: true, charged: () => ({ accountId: BASE_ACCOUNT, region }) } as const;
  const ownSigning: BaseSigning = {
    credentials: () => credentials.get(),
    contextFor: (scope) => ({ scope, prepare: () => credentials.get(), forgetCredentials: credentials.refused }),
  };
  const ownSts: BaseIdentity['sts'] = (scope, quotaGroup) =>
    guardClient(own, settings, { ...context, ...ownSigning.contextFor(scope), ...defined({ quotaGroup }) });
  const role = options.roleArn === undefined ? undefined : createBaseRole(options.roleArn, { settings, ownSts });
  const roleClient = role && createClient(maker, 'sts', { region, credentials: () => role.credentials() });
  const sts: BaseIdentity['sts'] = (scope, quotaGroup) =>
    role && roleClient
      ? guardClient(roleClient, settings, {
          ...context,
          ...role.contextFor(scope),
          ...defined({ quotaGroup }),
        })
      : ownSts(scope, quotaGroup);
  const identity = role
    ? role.identity
    : oncePerKey(credentials, (scope) => callerIdentity(ownSts(detached(scope))).catch(raiseBaseFault));
  const iam = createClient(maker, 'iam', { region: iamRegionOf(region), credentials: () => credentials.get() });
  const ownIam = (scope: CallScope) =>
    guardClient(iam, settings, { service: 'iam', scope, charged: () => undefined, prepare: () => credentials.get() });
  const createdAt = oncePerKey(credentials, (scope) => keyCreatedAt(ownIam(detached(scope)), credentials));
  return {
    region,
    partition: partitionOfRegion(region) ?? 'aws',
    sts,
    signing: role ?? ownSigning,
    identity,
    inUse: credentials.inUse,
    async report() {
      const { accountId, arn } = await identity(idleScope);
      await credentials.get();
      return toReport({ accountId, arn }, credentials.inUse(), await createdAt(idleScope));
    },
  };
}

/** Asked once per key, for all callers; a failure is not cached. */
function oncePerKey<T>(credentials: BaseCredentials, load: (scope: CallScope) => Promise<T>) {
  let known: { readonly accessKeyId: string; readonly answer: Promise<T> } | undefined;
  return async (scope: CallScope): Promise<T> => {
    const { accessKeyId } = await credentials.get();
    if (known?.accessKeyId === accessKeyId) return known.answer;
    const answer = load(scope);
    known = { accessKeyId, answer };
    answer.catch(() => {
      known = undefined;
    });
    return answer;
  };
}

/**
 * The user may list its own keys only where its policy allows it; otherwise other signs of age must
 * do.
 */
async function keyCreatedAt(iam: IAMClient, credentials: BaseCredentials): Promise<Date | undefined> {
  const key = credentials.inUse();
  if (!key || key.isTemporary) return undefined;
  try {
    const { AccessKeyMetadata: keys = [] } = await iam.send(new ListAccessKeysCommand({}));
    return keys.find((one) => one.AccessKeyId === key.accessKeyId)?.CreateDate;
  } catch {
    return undefined;
  }
}

function toReport(
  owner: Pick<BaseReport, 'accountId' | 'arn'>,
  key: BaseCredentialsInUse | undefined,
  createdAt: Date | undefined,
): BaseReport {
  const isLasting = key?.isTemporary === false;
  return {
    ...owner,
    kind: key?.kind ?? 'unknown',
    accessKeyId: isLasting ? key.accessKeyId : null,
    keyCreatedAt: createdAt ?? null,
    fileChangedAt: (isLasting && key.fileChangedAt) || null,
    expiresAt: key?.expiresAt ?? null,
  };
}

/** A network failure on the way to AWS says nothing about the identity. */
const transient = /^AWS_(UNREACHABLE|UNAVAILABLE|THROTTLED|CLOCK_SKEW)$/;

function raiseBaseFault(error: unknown): never {
  throw error instanceof JobError && transient.test(error.code) ? error : toBaseFault(error);
}

interface BaseRoleTools {
  readonly settings: CallSettings;
  readonly ownSts: BaseIdentity['sts'];
}

/** The one role between the base identity and the customers' roles. */
function createBaseRole(roleArn: string, { settings, ownSts }: BaseRoleTools) {
  const sessions = createSessionCache<Session>({ maxEntries: 1, nowMs: settings.nowMs, random: settings.random });
  const request = { roleArn, sessionName: 'keyferry-base', externalId: undefined, policy: undefined };
  const load = (scope: CallScope) => assumeRole(ownSts(detached(scope)), request, settings.nowMs).catch(raiseBaseFault);
  const session = (scope: CallScope) => sessions.get('base', () => load(scope));
  return {
    credentials: async () => (await session(idleScope)).credentials,
    identity: async (scope: CallScope) => (await session(scope)).identity,
    contextFor: (scope: CallScope): ReturnType<BaseSigning['contextFor']> => ({
      scope,
      prepare: () => session(scope),
      forgetCredentials: (sinceMs) => {
        sessions.forget('base', sinceMs);
      },
    }),
  };
}

/**
 * Several runs may wait for the same session: the end of the one that asked first must not stop it.
 * Its calls are still counted there.
 */
export function detached(scope: CallScope): CallScope {
  return { ...idleScope, calls: scope.calls, subjectId: scope.subjectId };
}

/** For calls outside any run. */
export const idleScope: CallScope = {
  signal: new AbortController().signal,
  calls: { record: () => undefined, recordRewrite: () => undefined, counts: {}, rewrites: 0 },
  beforeMutation: () => Promise.resolve(),
  subjectId: 'base',
};
