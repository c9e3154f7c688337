/** Where the credentials of a session come from, what they are cached under, and how they are loaded. */
import { createHash } from 'node:crypto';

import type { STSClient } from '@aws-sdk/client-sts';

import type { QuotaGroup } from '../domain/quota-group.ts';
import type { ConnectionCredentials } from '../domain/connection/credentials.ts';
import { parseRoleArn, partitionOfRegion } from '../domain/partitions.ts';
import { assumeRole, type AssumeRoleRequest, callerIdentity, type Session, toSessionPolicy } from './assume-role.ts';
import { detached } from './base-identity.ts';
import { type Credentials, guardClient } from './clients.ts';
import type { Door } from './door.ts';
import { checkAccessKeyId, checkNotRoot, checkOwnAccount, checkRegion, checkRoleArn } from './role-rules.ts';
import type { CallScope, SessionRequest } from './session.ts';

/** How long the answer of GetCallerIdentity is believed. */
const KEY_IDENTITY_MS = 3_000_000;

/** Everything a session depends on besides the run: where its credentials come from and what they are cached under. */
export interface Source {
  readonly key: string;
  readonly stsRegion: string;
  /** The account that AWS charges, as far as it is known without a call. */
  accountId(): string;
  load(scope: CallScope, quotaGroup?: QuotaGroup): Promise<Session>;
}

export function sourceOf(door: Door, request: SessionRequest): Source {
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
      stsRegion: door.base.region,
      accountId: () => parseRoleArn(credentials.roleArn)?.accountId ?? connectionId,
      load: (scope, quotaGroup) =>
        loadRoleSession(door, { ...credentials, policy }, { scope, region: request.region, quotaGroup }),
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

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** STS near the worker, unless the key belongs to another partition. */
export function stsRegionFor(door: Door, region: string): string {
  return partitionOfRegion(region) === door.base.partition ? door.base.region : region;
}

export type RoleCredentials = Extract<ConnectionCredentials, { method: 'assume-role' }>;
export type KeyCredentials = Pick<
  Extract<ConnectionCredentials, { method: 'access-key' }>,
  'accessKeyId' | 'secretAccessKey'
>;

export interface Place {
  readonly scope: CallScope;
  readonly region: string;
  readonly quotaGroup?: QuotaGroup | undefined;
}

async function loadRoleSession(
  door: Door,
  wanted: RoleCredentials & { readonly policy: string | undefined },
  place: Place,
): Promise<Session> {
  const request = toAssumeRoleRequest(wanted, wanted.externalId, wanted.policy);
  await checkRole(door, wanted.roleArn, place);
  return assumeRole(door.base.sts(detached(place.scope), place.quotaGroup), request, door.settings.nowMs);
}

export async function checkRole(door: Door, roleArn: string, place: Place): Promise<void> {
  const role = checkRoleArn(roleArn, door.base.partition);
  checkRegion(place.region, role.partition);
  checkOwnAccount(roleArn, await door.base.identity(place.scope), door.options.ownAccountRoles ?? []);
}

export function toAssumeRoleRequest(
  wanted: RoleCredentials,
  externalId: string | undefined,
  policy: string | undefined,
): AssumeRoleRequest {
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

export function keySts(door: Door, credentials: Credentials, place: Place): STSClient {
  const client = door.client(`key|${credentials.accessKeyId}|${digest(credentials.secretAccessKey)}`, 'sts', {
    region: place.region,
    credentials: () => Promise.resolve(credentials),
  });
  return guardClient(client, door.settings, {
    service: 'sts',
    scope: place.scope,
    // Charged to the key's own account, where a call an hour is nothing.
    charged: () => undefined,
  });
}

export function toPair(pair: KeyCredentials): Credentials {
  checkAccessKeyId(pair.accessKeyId);
  return { accessKeyId: pair.accessKeyId, secretAccessKey: pair.secretAccessKey };
}
