/**
 * Where the credentials of a session come from, what they are cached under, and how they are
 * loaded.
 */
import { createHash } from 'node:crypto';

import type { STSClient } from '@aws-sdk/client-sts';

import type { QuotaGroup } from '../domain/quota-group.ts';
import type { ConnectionCredentials } from '../domain/connection/credentials.ts';
import { parseRoleArn, partitionOfRegion } from '../domain/partitions.ts';
import { assumeRole, type AssumeRoleRequest, callerIdentity, type Session, toSessionPolicy } from './assume-role.ts';
import { detached } from './base-identity.ts';
import { type Credentials, guardClient } from './clients.ts';
import type { AwsContext } from './context.ts';
import { checkAccessKeyId, checkNotRoot, checkOwnAccount, checkRegion, checkRoleArn } from './role-rules.ts';
import type { CallScope, SessionRequest } from './session.ts';

/** How long the answer of GetCallerIdentity is cached. */
const KEY_IDENTITY_MS = 3_000_000;

/**
 * Everything a session depends on besides the run: where its credentials come from and what they
 * are cached under.
 */
export interface Source {
  readonly key: string;
  readonly stsRegion: string;
  /** The account that AWS charges, as far as it is known without a call. */
  accountId(): string;
  load(scope: CallScope, quotaGroup?: QuotaGroup): Promise<Session>;
}

export function sourceOf(context: AwsContext, request: SessionRequest): Source {
  const { credentials } = request;
  const { connectionId, credentialsRevision } = credentials;
  const policy = credentials.method === 'assume-role' && request.policy ? toSessionPolicy(request.policy) : undefined;
  const key = [
    connectionId,
    String(credentialsRevision),
    credentials.method,
    policy === undefined ? '' : digest(policy),
  ].join('|');
  if (credentials.method === 'assume-role') {
    return {
      key,
      stsRegion: context.base.region,
      accountId: () => parseRoleArn(credentials.roleArn)?.accountId ?? connectionId,
      load: (scope, quotaGroup) =>
        loadRoleSession(context, { ...credentials, policy }, { scope, region: request.region, quotaGroup }),
    };
  }
  const stsRegion = stsRegionFor(context, request.region);
  return {
    key,
    stsRegion,
    accountId: () => context.sessions.peek(key)?.identity.accountId ?? credentials.accessKeyId,
    load: (scope) => loadKeySession(context, credentials, { scope, region: stsRegion }),
  };
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** STS near the worker, unless the key belongs to another partition. */
export function stsRegionFor(context: AwsContext, region: string): string {
  return partitionOfRegion(region) === context.base.partition ? context.base.region : region;
}

export type RoleCredentials = Extract<ConnectionCredentials, { method: 'assume-role' }>;
export type KeyCredentials = Pick<
  Extract<ConnectionCredentials, { method: 'access-key' }>,
  'accessKeyId' | 'secretAccessKey'
>;

export interface CallTarget {
  readonly scope: CallScope;
  readonly region: string;
  readonly quotaGroup?: QuotaGroup | undefined;
}

async function loadRoleSession(
  context: AwsContext,
  wanted: RoleCredentials & { readonly policy: string | undefined },
  place: CallTarget,
): Promise<Session> {
  const request = toAssumeRoleRequest(wanted, wanted.externalId, wanted.policy);
  await checkRole(context, wanted.roleArn, place);
  return assumeRole(context.base.sts(detached(place.scope), place.quotaGroup), request, context.settings.nowMs);
}

export async function checkRole(context: AwsContext, roleArn: string, place: CallTarget): Promise<void> {
  const role = checkRoleArn(roleArn, context.base.partition);
  checkRegion(place.region, role.partition);
  checkOwnAccount(roleArn, await context.base.identity(place.scope), context.options.ownAccountRoles ?? []);
}

export function toAssumeRoleRequest(
  wanted: RoleCredentials,
  externalId: string | undefined,
  policy: string | undefined,
): AssumeRoleRequest {
  // Stable, so that CloudTrail and policies can name it.
  return { roleArn: wanted.roleArn, sessionName: `keyferry-${wanted.connectionId}`.slice(0, 64), externalId, policy };
}

async function loadKeySession(context: AwsContext, pair: KeyCredentials, place: CallTarget): Promise<Session> {
  const credentials = toPair(pair);
  const obtainedAtMs = context.settings.nowMs();
  const identity = await callerIdentity(keySts(context, credentials, { ...place, scope: detached(place.scope) }));
  checkNotRoot(identity);
  return { credentials, identity, obtainedAtMs, expiresAtMs: obtainedAtMs + KEY_IDENTITY_MS };
}

export function keySts(context: AwsContext, credentials: Credentials, place: CallTarget): STSClient {
  const client = context.client(`key|${credentials.accessKeyId}|${digest(credentials.secretAccessKey)}`, 'sts', {
    region: place.region,
    credentials: () => Promise.resolve(credentials),
  });
  return guardClient(client, context.settings, {
    service: 'sts',
    scope: place.scope,
    // Charged to the key's own account, where one call an hour does not matter.
    charged: () => undefined,
  });
}

export function toPair(pair: KeyCredentials): Credentials {
  checkAccessKeyId(pair.accessKeyId);
  return { accessKeyId: pair.accessKeyId, secretAccessKey: pair.secretAccessKey };
}
