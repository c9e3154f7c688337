/** Access keys: making, switching, deleting them, with the delays that AWS has. */
import { AwsError } from '../aws-error.ts';
import { Lagged } from '../lagged.ts';
import { ALPHANUMERIC, BASE32, type SandboxRandom } from '../random.ts';
import type { AccessKey, AccessKeyStatus, User, World } from '../state.ts';
import { drawDelayMs, type SandboxTiming } from '../timing.ts';

export const KEYS_PER_USER = 2;

export interface KeyChange {
  readonly world: World;
  readonly timing: SandboxTiming;
  readonly random: SandboxRandom;
  readonly now: number;
}

export interface NewKey {
  readonly accountId: string;
  readonly user: User | undefined;
  /** false: works and is listed at once. */
  readonly propagates: boolean;
}

export function addAccessKey(change: KeyChange, wanted: NewKey): AccessKey {
  const { random, now } = change;
  const key: AccessKey = {
    accessKeyId: `AKIASANDBOX${random.text(9, BASE32)}`,
    secretAccessKey: `sandbox/${random.text(32, ALPHANUMERIC)}`,
    accountId: wanted.accountId,
    userName: wanted.user?.userName,
    createdAt: now,
    propagates: wanted.propagates,
    status: 'Active',
    refusedFrom: undefined,
    listed: new Lagged(),
    lastUsed: new Lagged(),
    lastUseRecordedAt: Number.NEGATIVE_INFINITY,
  };
  key.listed.set('Active', wanted.propagates ? now + drawDelayMs(change.timing.listAccessKeysMs, random) : now);
  wanted.user?.accessKeys.set(key.accessKeyId, key);
  change.world.accessKeys.set(key.accessKeyId, key);
  return key;
}

/** Inactive keys count. With `racyKeyQuota`, AWS counts what its replicas have heard of. */
export function requireFreeKeySlot(change: KeyChange, user: User): void {
  const keys = [...user.accessKeys.values()];
  const count = change.timing.racyKeyQuota
    ? keys.filter((key) => key.listed.at(change.now) !== undefined).length
    : keys.filter((key) => key.status !== 'Deleted').length;
  if (count >= KEYS_PER_USER) {
    throw new AwsError('LimitExceeded', `Cannot exceed quota for AccessKeysPerUser: ${String(KEYS_PER_USER)}`);
  }
}

export function setKeyStatus(change: KeyChange, key: AccessKey, status: AccessKeyStatus): void {
  if (status === key.status) return;
  key.status = status;
  key.refusedFrom = status === 'Active' ? undefined : refusedFrom(change);
  key.listed.set(status, change.now + drawDelayMs(change.timing.listAccessKeysMs, change.random));
}

export function deleteKey(change: KeyChange, key: AccessKey): void {
  // A key that is inactive already stays refused; deleting it does not bring it back for seconds.
  if (key.status === 'Active') key.refusedFrom = refusedFrom(change);
  key.status = 'Deleted';
  key.listed.set(undefined, change.now + drawDelayMs(change.timing.listAccessKeysMs, change.random));
}

function refusedFrom(change: KeyChange): number {
  return change.now + drawDelayMs(change.timing.keyRevokedMs, change.random);
}

/**
 * The user's key as changes see it: deleted keys are gone for them at once, whatever lists still
 * show.
 */
export function getUserKey(user: User, accessKeyId: string): AccessKey {
  const key = user.accessKeys.get(accessKeyId);
  if (!key || key.status === 'Deleted') {
    throw new AwsError('NoSuchEntity', `The Access Key with id ${accessKeyId} cannot be found.`);
  }
  return key;
}
