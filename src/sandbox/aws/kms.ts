/**
 * KMS keys: found by id, ARN or alias, in a state, owned by an account, with a policy; and how SSM
 * and Secrets Manager use them. The two AWS managed keys exist implicitly in every account and
 * region and need no permission.
 */
import { contextFor } from './authorize.ts';
import type { Call } from './service.ts';
import type { KmsKey } from './kms-key.ts';
import { type Refusal, refusalOf } from './resource-policy.ts';
import type { World } from './state.ts';

const MANAGED_ALIASES = ['alias/aws/ssm', 'alias/aws/secretsmanager'] as const;

export function isManagedAlias(keyId: string): boolean {
  const alias = keyId.startsWith('arn:') ? keyId.slice(keyId.lastIndexOf(':') + 1) : keyId;
  return (MANAGED_ALIASES as readonly string[]).includes(alias);
}

/** One account in one region. */
export interface RegionScope {
  readonly world: World;
  readonly accountId: string;
  readonly region: string;
}

/**
 * Finds by key id, key ARN, alias name or alias ARN. ARNs may point into other accounts, names
 * cannot.
 */
export function findKmsKey(scope: RegionScope, reference: string): KmsKey | undefined {
  const arn = /^arn:[^:]+:kms:([^:]+):(\d{12}):(key|alias)\/(.+)$/.exec(reference);
  if (!arn) return lookup(scope.world.findKmsKeys(scope.accountId, scope.region), reference);
  const [, region = '', accountId = '', kind, id = ''] = arn;
  if (region !== scope.region) return undefined;
  return lookup(scope.world.findKmsKeys(accountId, region), kind === 'alias' ? `alias/${id}` : id);
}

function lookup(keys: ReadonlyMap<string, KmsKey>, name: string): KmsKey | undefined {
  if (!name.startsWith('alias/')) return keys.get(name);
  for (const key of keys.values()) if (key.alias === name) return key;
  return undefined;
}

/**
 * What came of using a key for somebody. 'missing' and 'denied' look alike to callers of another
 * account.
 */
export type KmsUse = 'ok' | 'missing' | 'denied' | 'unusable';

export interface KmsUseRequest {
  /** undefined: the service's own managed key. */
  readonly keyReference: string | undefined;
  /** `kms:Decrypt` and so on; all of them are needed. */
  readonly actions: readonly string[];
  /** `ssm`, for kms:ViaService. */
  readonly viaService: string;
  readonly encryptionContext: Readonly<Record<string, string>>;
}

export function tryKmsKey(call: Call, request: KmsUseRequest): KmsUse {
  const reference = request.keyReference;
  if (reference === undefined) return 'ok';
  // The policy of an AWS managed key lets its own service use it, and no other.
  if (isManagedAlias(reference)) return reference.endsWith(`alias/aws/${request.viaService}`) ? 'ok' : 'denied';
  const scope = { world: call.world, accountId: call.account.accountId, region: call.region };
  const key = findKmsKey(scope, reference);
  if (!key) return 'missing';
  const { encryptionContext, viaService } = request;
  const isDenied = request.actions.some(
    (action) => keyRefusal(call, key, { action, encryptionContext, viaService }) !== undefined,
  );
  if (isDenied) return 'denied';
  return key.state === 'Enabled' ? 'ok' : 'unusable';
}

export interface KeyQuestion {
  /** `kms:Decrypt` and so on. */
  readonly action: string;
  readonly encryptionContext: Readonly<Record<string, string>>;
  /** Undefined: the caller asks KMS itself. */
  readonly viaService?: string;
}

/**
 * Undefined: the key's policy and the caller's own let it. Root of the key's account needs no
 * policy of its own.
 */
export function keyRefusal(call: Call, key: KmsKey, question: KeyQuestion): Refusal | undefined {
  const { action, encryptionContext, viaService } = question;
  const context: Record<string, readonly string[]> = {};
  if (viaService !== undefined) context['kms:viaservice'] = [`${viaService}.${call.region}.amazonaws.com`];
  for (const [name, value] of Object.entries(encryptionContext))
    context[`kms:encryptioncontext:${name.toLowerCase()}`] = [value];
  return refusalOf(call, key, { action, resource: key.arn, context: contextFor(call, { context }) });
}
