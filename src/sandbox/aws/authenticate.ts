/**
 * From a signed request to the principal behind it. Refuses unknown, inactive and deleted keys,
 * wrong secrets, foreign or expired session tokens, skewed clocks, and regions that the account has
 * not switched on, each with its service's code.
 */
import { AwsError } from './aws-error.ts';
import {
  toFederatedPrincipal,
  toRootPrincipal,
  toSessionPrincipal,
  toUserPrincipal,
  type Principal,
} from './principal.ts';
import type { SandboxRandom } from './random.ts';
import { isOptInRegion, type Partition } from './regions.ts';
import { getAccount, type AccessKey, type Account, type World } from './state.ts';
import type { SandboxTiming } from './timing.ts';
import { checkSignature, checkSignatureTime, type Protocol, type SignatureClaim } from './wire/signature.ts';
import type { SandboxRequest } from './wire/request.ts';

export interface Authentication {
  readonly world: World;
  readonly timing: SandboxTiming;
  readonly random: SandboxRandom;
  readonly request: SandboxRequest;
  readonly claim: SignatureClaim;
  readonly protocol: Protocol;
  readonly partition: Partition;
  readonly operation: string;
  /** The sandbox's clock, and the clock that signatures are judged by. */
  readonly now: number;
  readonly wallNow: number;
}

export function authenticate(given: Authentication): Principal {
  checkSignatureTime(given.claim, given.wallNow, given.protocol);
  const principal = given.claim.accessKeyId.startsWith('ASIA') ? authenticateSession(given) : authenticateKey(given);
  checkRegion(given, principal.account);
  return principal;
}

function authenticateSession(given: Authentication): Principal {
  const federated = given.world.federatedSessions.get(given.claim.accessKeyId);
  const session = federated ?? given.world.sessions.get(given.claim.accessKeyId);
  if (!session || session.sessionToken !== given.claim.sessionToken) throw invalidToken(given);
  checkSignature(given.request, { ...given, secretAccessKey: session.secretAccessKey });
  if (session.expiresAt <= given.now) {
    const code = given.protocol === 'json' ? 'ExpiredTokenException' : 'ExpiredToken';
    throw new AwsError(code, 'The security token included in the request is expired');
  }
  if ('role' in session) return toSessionPrincipal(getAccount(given.world, session.role.accountId), session);
  requireOpenToFederation(given);
  return toFederatedPrincipal(getAccount(given.world, session.accountId), session);
}

/** Such a session may call nothing of IAM, and of STS only GetCallerIdentity. */
function requireOpenToFederation(given: Authentication): void {
  if (given.claim.service === 'iam') throw invalidToken(given);
  if (given.claim.service === 'sts' && given.operation !== 'GetCallerIdentity')
    throw new AwsError('AccessDenied', `Cannot call ${given.operation} with session credentials`);
}

function authenticateKey(given: Authentication): Principal {
  const key = given.world.accessKeys.get(given.claim.accessKeyId);
  if (!key || given.claim.sessionToken !== undefined || !isKeyAccepted(key, given)) throw invalidToken(given);
  checkSignature(given.request, { ...given, secretAccessKey: key.secretAccessKey });
  const account = getAccount(given.world, key.accountId);
  const user = key.userName === undefined ? undefined : account.users.get(key.userName);
  recordUse(key, given);
  return user ? toUserPrincipal(account, user) : toRootPrincipal(account);
}

/**
 * A new key starts working at its own time in each service and region, and inside that window it
 * may work for one call and fail for the next; a key that was switched off keeps working for
 * seconds, except that it can no longer make keys.
 */
function isKeyAccepted(key: AccessKey, given: Authentication): boolean {
  if (key.status !== 'Active') {
    return key.refusedFrom !== undefined && given.now < key.refusedFrom && given.operation !== 'CreateAccessKey';
  }
  if (!key.propagates) return true;
  const [min, max] = given.timing.keyVisibleMs;
  const draw = given.random.drawFor(key.accessKeyId, given.claim.service, given.claim.region);
  if (given.now >= key.createdAt + min + draw * (max - min)) return true;
  return given.now >= key.createdAt + min && given.random.next() < given.timing.keyFlapProbability;
}

/** AWS keeps the first use in any 15 minutes, and reports it late. */
const USE_INTERVAL_MS = 15 * 60 * 1000;

function recordUse(key: AccessKey, given: Authentication): void {
  if (given.now - key.lastUseRecordedAt < USE_INTERVAL_MS) return;
  key.lastUseRecordedAt = given.now;
  const [min, max] = given.timing.lastUsedMs;
  const delayMs = max === 0 ? 0 : min + given.random.next() * (max - min);
  const use = { at: given.now, service: given.claim.service, region: given.claim.region };
  key.lastUsed.set(use, given.now + delayMs);
}

function checkRegion(given: Authentication, account: Account): void {
  if (account.partition !== given.partition.name) throw invalidToken(given);
  const { region } = given.claim;
  if (!isOptInRegion(region) || account.enabledOptInRegions.has(region)) return;
  if (given.claim.service !== 'sts') throw invalidToken(given);
  throw new AwsError(
    'RegionDisabledException',
    `STS is not activated in this region for account:${account.accountId}. Your account administrator can activate STS in this region using the IAM Console.`,
  );
}

function invalidToken(given: Authentication): AwsError {
  const code = given.protocol === 'json' ? 'UnrecognizedClientException' : 'InvalidClientTokenId';
  return new AwsError(code, 'The security token included in the request is invalid.');
}
