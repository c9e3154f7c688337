/**
 * The only way to AWS: opens sessions for connections. Sessions are cached per connection,
 * credentials revision and session policy, never shared across connections; clients per session,
 * region and service. Nothing here knows what the calls are for.
 */
import { defined } from '../domain/defined.ts';
import { validationGroup } from '../domain/call-budget.ts';
import { iamRegionOf } from '../domain/partitions.ts';
import { JobError } from '../errors.ts';
import { assumeRole, callerIdentity } from './assume-role.ts';
import { idleScope } from './base-identity.ts';
import type { CallContext } from './call.ts';
import { type Credentials, guardClient } from './clients.ts';
import { type AwsAccessOptions, createAwsContext, type AwsContext } from './context.ts';
import { createDataKeyService } from './data-keys.ts';
import type { SessionService } from './services.ts';
import type { AwsAccess, AwsSession, CallScope, Identity, SessionRequest } from './session.ts';
import { narrowedSourceOf, type NarrowedSource } from './narrowed-keys.ts';
import {
  checkRole,
  digest,
  keySts,
  type Source,
  sourceOf,
  stsRegionFor,
  toAssumeRoleRequest,
  toPair,
} from './sources.ts';

export type { AwsAccessOptions } from './context.ts';

const DENY_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}';

export function createAwsAccess(options: AwsAccessOptions): AwsAccess {
  const context = createAwsContext(options);
  return {
    session: (request) => openSession(context, request),
    verify: (request) => verify(context, request),
    refusesExternalId: (request, externalId) => refusesExternalId(context, request, externalId),
    keySession: (request) => openKeySession(context, request),
    baseIdentity: (scope) => context.base.identity(scope),
    baseKeyInUse: () => context.base.inUse()?.accessKeyId,
    baseReport: () => context.base.report(),
    dataKeys: createDataKeyService(context),
    endpointOverrides: Object.fromEntries(Object.entries(options.endpoints ?? {})),
  };
}

function openSession(context: AwsContext, request: SessionRequest): AwsSession {
  const source = sourceOf(context, request);
  const { credentials, scope, region } = request;
  const sessionFor = (caller: CallScope) => context.sessions.get(source.key, () => source.load(caller));
  const identity = async () => (await sessionFor(scope)).identity;
  if (credentials.method === 'access-key') {
    // A static pair needs no identity to sign with.
    const own = { source, scope, region, identity, credentials: () => Promise.resolve(toPair(credentials)) };
    const session = toSession(context, own);
    const narrowed = narrowedSourceOf(context, request, source);
    return narrowed === undefined ? session : openNarrowed(context, { ...own, source: narrowed }, session);
  }
  return toSession(context, {
    source,
    scope,
    region,
    identity,
    prepare: () => sessionFor(scope),
    // The client outlives this run; it finds what `prepare` left in the cache.
    credentials: async () => (await sessionFor(idleScope)).credentials,
    forgetCredentials: (sinceMs) => {
      context.sessions.forget(source.key, sinceMs);
    },
  });
}

/** STS and IAM stay with the key itself: AWS lets such a session call nothing of IAM. */
function openNarrowed(
  context: AwsContext,
  opened: OpenedSession & { readonly source: NarrowedSource },
  own: AwsSession,
): AwsSession {
  const { source, scope } = opened;
  const sessionFor = (caller: CallScope) => context.sessions.get(source.key, () => source.load(caller));
  const narrowed = toSession(context, {
    ...opened,
    prepare: () => sessionFor(scope),
    credentials: async () => (await sessionFor(idleScope)).credentials,
    forgetCredentials: (sinceMs) => {
      context.sessions.forget(source.key, sinceMs);
    },
  });
  return {
    region: own.region,
    scope,
    identity: () => own.identity(),
    get sts() {
      return own.sts;
    },
    get iam() {
      return own.iam;
    },
    get ssm() {
      return narrowed.ssm;
    },
    get secretsManager() {
      return narrowed.secretsManager;
    },
  };
}

interface OpenedSession extends Pick<CallContext, 'prepare' | 'forgetCredentials'> {
  readonly source: Pick<Source, 'key' | 'accountId' | 'stsRegion'>;
  readonly scope: CallScope;
  readonly region: string;
  identity(): Promise<Identity>;
  credentials(): Promise<Credentials>;
}

function toSession(context: AwsContext, opened: OpenedSession): AwsSession {
  const { source, scope, region, prepare, forgetCredentials } = opened;
  // With an endpoint set, the SDK signs for the client's region, so IAM's client needs IAM's
  // region.
  const regionOf = { sts: source.stsRegion, iam: iamRegionOf(region), ssm: region, secretsmanager: region } as const;
  const client = <S extends SessionService>(service: S) =>
    guardClient(
      context.client(source.key, service, { region: regionOf[service], credentials: () => opened.credentials() }),
      context.settings,
      {
        service,
        scope,
        // IAM is one control plane per partition.
        charged: () => ({ accountId: source.accountId(), region: service === 'iam' ? 'global' : regionOf[service] }),
        isSession: prepare !== undefined && service !== 'sts' && service !== 'iam',
        ...defined({ prepare, forgetCredentials }),
      },
    );
  return {
    region,
    scope,
    identity: () => opened.identity(),
    get sts() {
      return client('sts');
    },
    get iam() {
      return client('iam');
    },
    get ssm() {
      return client('ssm');
    },
    get secretsManager() {
      return client('secretsmanager');
    },
  };
}

async function verify(context: AwsContext, request: SessionRequest): Promise<Identity> {
  const own = sourceOf(context, request);
  const source = narrowedSourceOf(context, request, own) ?? own;
  return (await context.sessions.refresh(source.key, () => source.load(request.scope, validationGroup))).identity;
}

async function refusesExternalId(
  context: AwsContext,
  request: SessionRequest,
  externalId: string | undefined,
): Promise<boolean> {
  const { credentials, scope, region } = request;
  if (credentials.method !== 'assume-role') return true;
  await checkRole(context, credentials.roleArn, { scope, region });
  try {
    await assumeRole(
      context.base.sts(scope, validationGroup),
      toAssumeRoleRequest(credentials, externalId, DENY_ALL),
      context.settings.nowMs,
    );
    return false;
  } catch (error) {
    if (error instanceof JobError && error.code === 'CONNECTION_ACCESS_DENIED') return true;
    throw error;
  }
}

function openKeySession(context: AwsContext, request: Parameters<AwsAccess['keySession']>[0]): AwsSession {
  const { scope, region } = request;
  const credentials = { accessKeyId: request.accessKeyId, secretAccessKey: request.secretAccessKey };
  const stsRegion = stsRegionFor(context, region);
  const key = `key|${credentials.accessKeyId}|${digest(credentials.secretAccessKey)}`;
  return toSession(context, {
    source: { key, stsRegion, accountId: () => credentials.accessKeyId },
    scope,
    region,
    identity: () => callerIdentity(keySts(context, credentials, { scope, region: stsRegion })),
    credentials: () => Promise.resolve(credentials),
  });
}
