/**
 * The one door to AWS: opens sessions for connections. Sessions are cached per connection, credentials revision and session policy, never
 * shared across connections; clients per session, region and service. Nothing here knows what the calls are for.
 */
import { createHash } from 'node:crypto';

import type { STSClient } from '@aws-sdk/client-sts';
import { NodeHttpHandler } from '@smithy/node-http-handler';

import { type CallBudget, type QuotaGroup, validationGroup } from '../domain/call-budget.ts';
import type { ConnectionCredentials } from '../domain/connection-credentials.ts';
import { parseRoleArn, partitionOfRegion } from '../domain/partitions.ts';
import type { PolicyDocument } from '../domain/policy-document.ts';
import { JobError } from '../errors.ts';
import { assumeRole, type AssumeRoleRequest, callerIdentity, type Session, toSessionPolicy } from './assume-role.ts';
import { type BaseIdentity, createBaseIdentity, detached, idleScope } from './base-identity.ts';
import { CALL_DEADLINE_MS, type CallContext, type CallSettings } from './call.ts';
import { createClient, type Credentials, guardClient, type RequestHandler } from './clients.ts';
import { checkAccessKeyId, checkNotRoot, checkOwnAccount, checkRegion, checkRoleArn } from './role-rules.ts';
import type { AwsService } from './services.ts';
import { createSessionCache } from './session-cache.ts';
import type { AwsAccess, AwsSession, CallScope, Identity, SessionRequest } from './session.ts';

export interface AwsAccessOptions {
  /** The key pair that assumes roles; undefined: the SDK's default chain. */
  readonly baseCredentials: Credentials | undefined;
  readonly baseRoleArn?: string | undefined;
  readonly ownAccountRoles?: readonly string[];
  /** Where the worker runs: sessions are taken there. Undefined: us-east-1. */
  readonly region?: string | undefined;
  /** From `toServiceEndpoints`, after `checkEndpointOverrides`. */
  readonly endpoints?: Readonly<Partial<Record<AwsService, string>>>;
  readonly requestHandler?: RequestHandler;
  readonly budget?: CallBudget | undefined;
  readonly deadlineMs?: number;
  readonly onCall?: CallSettings['onCall'];
  readonly nowMs?: () => number;
  readonly random?: () => number;
}

const MAX_SESSIONS = 10_000;
/** 30 KB each. */
const MAX_CLIENTS = 512;
const KEY_IDENTITY_MS = 3_000_000;
const CONNECTION_TIMEOUT_MS = 3_000;
const DENY_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}';

interface Door {
  readonly options: AwsAccessOptions;
  readonly settings: CallSettings;
  readonly base: BaseIdentity;
  readonly sessions: ReturnType<typeof createSessionCache<Session>>;
  /** A client for the session of this key, made once. */
  client<S extends AwsService>(key: string, service: S, options: { region: string; credentials: () => Promise<Credentials> }): ReturnType<typeof createClient<S>>;
}

export function createAwsAccess(options: AwsAccessOptions): AwsAccess {
  const door = createDoor(options);
  return {
    session: (request) => openSession(door, request),
    verify: (request) => verify(door, request),
    refusesExternalId: (request, externalId) => refusesExternalId(door, request, externalId),
    keySession: (request) => openKeySession(door, request),
    baseIdentity: (scope) => door.base.identity(scope),
    endpointOverrides: Object.fromEntries(Object.entries(options.endpoints ?? {})),
  };
}

function createDoor(options: AwsAccessOptions): Door {
  const settings: CallSettings = {
    budget: options.budget,
    deadlineMs: options.deadlineMs ?? CALL_DEADLINE_MS,
    onCall: options.onCall ?? (() => undefined),
    nowMs: options.nowMs ?? (() => Date.now()),
    random: options.random ?? (() => Math.random()),
  };
  const requestHandler: RequestHandler = options.requestHandler ?? (new NodeHttpHandler({ connectionTimeout: CONNECTION_TIMEOUT_MS }) as never);
  const maker = { requestHandler, endpoints: options.endpoints ?? {} };
  const clients = new Map<string, object>();
  return {
    options,
    settings,
    base: createBaseIdentity({ credentials: options.baseCredentials, roleArn: options.baseRoleArn, region: options.region }, maker, settings),
    sessions: createSessionCache<Session>({ maxEntries: MAX_SESSIONS, nowMs: settings.nowMs, random: settings.random }),
    client(key, service, clientOptions) {
      const name = `${key}|${service}|${clientOptions.region}`;
      const client = (clients.get(name) as ReturnType<typeof createClient<typeof service>> | undefined) ?? createClient(maker, service, clientOptions);
      clients.delete(name);
      clients.set(name, client);
      if (clients.size > MAX_CLIENTS) clients.delete(clients.keys().next().value ?? '');
      return client;
    },
  };
}

/** Everything a session depends on besides the run: where its credentials come from and what they are cached under. */
interface Source {
  readonly key: string;
  readonly stsRegion: string;
  /** The account that AWS charges, as far as it is known without a call. */
  accountId(): string;
  load(scope: CallScope, quotaGroup?: QuotaGroup): Promise<Session>;
}

function sourceOf(door: Door, request: SessionRequest): Source {
  const { credentials } = request;
  const { connectionId, credentialsRevision } = credentials;
  const policy = credentials.method === 'assume-role' && request.policy ? toSessionPolicy(request.policy) : undefined;
  const key = [connectionId, String(credentialsRevision), credentials.method, policy === undefined ? '' : digest(policy)].join('|');
  if (credentials.method === 'assume-role') {
    return {
      key,
      stsRegion: door.base.region,
      accountId: () => parseRoleArn(credentials.roleArn)?.accountId ?? connectionId,
      load: (scope, quotaGroup) => loadRoleSession(door, { ...credentials, policy }, { scope, region: request.region, quotaGroup }),
    };
  }
  const stsRegion = stsRegionFor(door, request.region);
  return {
    key,
    stsRegion,
    accountId: () => door.sessions.peek(key)?.identity.accountId ?? credentials.accessKeyId,
    load: (scope) => loadKeySession(door, credentials, { scope, region: stsRegion }),
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** STS near the worker, unless the key belongs to another partition. */
function stsRegionFor(door: Door, region: string): string {
  return partitionOfRegion(region) === door.base.partition ? door.base.region : region;
}

type RoleCredentials = Extract<ConnectionCredentials, { method: 'assume-role' }>;
type KeyCredentials = Pick<Extract<ConnectionCredentials, { method: 'access-key' }>, 'accessKeyId' | 'secretAccessKey'>;

interface Place {
  readonly scope: CallScope;
  readonly region: string;
  readonly quotaGroup?: QuotaGroup | undefined;
}

async function loadRoleSession(door: Door, wanted: RoleCredentials & { readonly policy: string | undefined }, place: Place): Promise<Session> {
  const request = toAssumeRoleRequest(wanted, wanted.externalId, wanted.policy);
  await checkRole(door, wanted.roleArn, place);
  return assumeRole(door.base.sts(detached(place.scope), place.quotaGroup), request, door.settings.nowMs);
}

async function checkRole(door: Door, roleArn: string, place: Place): Promise<void> {
  const role = checkRoleArn(roleArn, door.base.partition);
  checkRegion(place.region, role.partition);
  checkOwnAccount(roleArn, await door.base.identity(place.scope), door.options.ownAccountRoles ?? []);
}

function toAssumeRoleRequest(wanted: RoleCredentials, externalId: string | undefined, policy: string | undefined): AssumeRoleRequest {
  // Stable, so that CloudTrail and policies can name it.
  return { roleArn: wanted.roleArn, sessionName: `keyferry-${wanted.connectionId}`.slice(0, 64), externalId, policy };
}

async function loadKeySession(door: Door, pair: KeyCredentials, place: Place): Promise<Session> {
  const credentials = toPair(pair);
  const obtainedAtMs = door.settings.nowMs();
  const identity = await callerIdentity(keySts(door, credentials, { ...place, scope: detached(place.scope) }));
  checkNotRoot(identity);
  return { credentials, identity, obtainedAtMs, expiresAtMs: obtainedAtMs + KEY_IDENTITY_MS };
}

function keySts(door: Door, credentials: Credentials, place: Place): STSClient {
  const client = door.client(`key|${credentials.accessKeyId}|${digest(credentials.secretAccessKey)}`, 'sts', {
    region: place.region,
    credentials: () => Promise.resolve(credentials),
  });
  return guardClient(client, door.settings, {
    service: 'sts',
    scope: place.scope,
    charged: () => ({ accountId: credentials.accessKeyId, region: place.region }),
  });
}

function openSession(door: Door, request: SessionRequest): AwsSession {
  const source = sourceOf(door, request);
  const { credentials, scope, region } = request;
  const sessionFor = (caller: CallScope) => door.sessions.get(source.key, () => source.load(caller));
  const identity = async () => (await sessionFor(scope)).identity;
  if (credentials.method === 'access-key') {
    // A static pair needs no identity to sign with.
    return toSession(door, { source, scope, region, identity, credentials: () => Promise.resolve(toPair(credentials)) });
  }
  return toSession(door, {
    source,
    scope,
    region,
    identity,
    prepare: () => sessionFor(scope),
    // The client outlives this run; it finds what `prepare` left in the cache.
    credentials: async () => (await sessionFor(idleScope)).credentials,
    forgetCredentials: (sinceMs) => {
      door.sessions.forget(source.key, sinceMs);
    },
  });
}

function toPair(pair: KeyCredentials): Credentials {
  checkAccessKeyId(pair.accessKeyId);
  return { accessKeyId: pair.accessKeyId, secretAccessKey: pair.secretAccessKey };
}

interface OpenedSession extends Pick<CallContext, 'prepare' | 'forgetCredentials'> {
  readonly source: Pick<Source, 'key' | 'accountId' | 'stsRegion'>;
  readonly scope: CallScope;
  readonly region: string;
  identity(): Promise<Identity>;
  credentials(): Promise<Credentials>;
}

function toSession(door: Door, opened: OpenedSession): AwsSession {
  const { source, scope, region, prepare, forgetCredentials } = opened;
  const regionOf = { sts: source.stsRegion, iam: region, ssm: region, secretsmanager: region } as const;
  const client = <S extends AwsService>(service: S) =>
    guardClient(door.client(source.key, service, { region: regionOf[service], credentials: () => opened.credentials() }), door.settings, {
      service,
      scope,
      // IAM is one control plane per partition.
      charged: () => ({ accountId: source.accountId(), region: service === 'iam' ? 'global' : regionOf[service] }),
      ...(prepare ? { prepare } : {}),
      ...(forgetCredentials ? { forgetCredentials } : {}),
    });
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

async function verify(door: Door, request: SessionRequest): Promise<Identity> {
  const source = sourceOf(door, request);
  return (await door.sessions.refresh(source.key, () => source.load(request.scope, validationGroup))).identity;
}

async function refusesExternalId(door: Door, request: SessionRequest, externalId: string | undefined): Promise<boolean> {
  const { credentials, scope, region } = request;
  if (credentials.method !== 'assume-role') return true;
  await checkRole(door, credentials.roleArn, { scope, region });
  try {
    await assumeRole(door.base.sts(scope, validationGroup), toAssumeRoleRequest(credentials, externalId, DENY_ALL), door.settings.nowMs);
    return false;
  } catch (error) {
    if (error instanceof JobError && error.code === 'CONNECTION_ACCESS_DENIED') return true;
    throw error;
  }
}

function openKeySession(door: Door, request: Parameters<AwsAccess['keySession']>[0]): AwsSession {
  const { scope, region } = request;
  const credentials = { accessKeyId: request.accessKeyId, secretAccessKey: request.secretAccessKey };
  const stsRegion = stsRegionFor(door, region);
  const key = `key|${credentials.accessKeyId}|${digest(credentials.secretAccessKey)}`;
  return toSession(door, {
    source: { key, stsRegion, accountId: () => credentials.accessKeyId },
    scope,
    region,
    identity: () => callerIdentity(keySts(door, credentials, { scope, region: stsRegion })),
    credentials: () => Promise.resolve(credentials),
  });
}
