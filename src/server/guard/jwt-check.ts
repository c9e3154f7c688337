/**
 * Identifies the holder of a JWT. Keys come from the issuer that the setting names, never from the
 * token: over https, within bounds of time and size, kept for ten minutes, and fetched again for an
 * unknown key at most once in thirty seconds. Never accepts a token without signature or one signed
 * with a shared secret.
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  jwtVerify,
  type JWTVerifyGetKey,
  type RemoteJWKSet,
} from 'jose';
import { createHash } from 'node:crypto';

import type { Caller } from '../../domain/caller.ts';
import {
  callerPrefix,
  findRefusedClaim,
  isIssuerUrl,
  JWT_CALLER,
  toCaller,
  type JwtLogin,
} from '../../domain/jwt-logins.ts';
import { JobError } from '../../errors.ts';
import type { AccessTokenCheck } from './access-tokens.ts';

const jwtAlgorithms: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

const FETCH_LIMIT_MS = 5_000;
const MAX_DOCUMENT_BYTES = 256 * 1024;
const KEYS_KEPT_MS = 10 * 60_000;
const COOLDOWN_MS = 30_000;
/** An issuer that does not answer is asked again after this time. */
const FAILURE_KEPT_MS = 5_000;
const CLOCK_TOLERANCE_SECONDS = 60;
/** A token that was issued earlier is refused, whatever its own expiry. */
const MAX_TOKEN_AGE = '24h';

export type JwtVerdict =
  { readonly is: 'ok'; readonly caller: Caller } | { readonly is: 'refused'; readonly reason: string };

export interface JwtCheck {
  /** Throws IDENTITY_ISSUER_UNAVAILABLE when the issuer's keys cannot be read. */
  verify(name: string, jwt: string): Promise<JwtVerdict>;
  /**
   * False for the caller of a JWT login whose entry was changed or removed since; true for
   * everybody else.
   */
  isCurrent(caller: Pick<Caller, 'id'>): boolean;
}

/** The claims that identify the holder of a token. */
export interface LoginChecks {
  readonly accessTokens: AccessTokenCheck;
  readonly jwts: JwtCheck;
}

interface Times {
  now(): number;
  readonly cooldownMs?: number;
}

export function createJwtCheck(logins: readonly JwtLogin[], times: Times): JwtCheck {
  const known = new Map(
    logins.map((login) => [login.name, { login, version: versionOf(login), keys: createKeys(login, times) }]),
  );
  const prefixes = [...known.values()].map(({ login, version }) => callerPrefix(login.name, version));
  return {
    async verify(name, jwt) {
      const entry = known.get(name);
      if (entry === undefined) return { is: 'refused', reason: 'no entry of KEYFERRY_JWT_ISSUERS has this name' };
      const { login, version, keys } = entry;
      const claims = await readClaims(jwt, { login, keys, now: times.now() });
      if (typeof claims === 'string') return { is: 'refused', reason: claims };
      const refused = findRefusedClaim(login, claims);
      if (refused !== undefined) return { is: 'refused', reason: `claim ${refused} is not the entry’s` };
      return { is: 'ok', caller: toCaller(login, version, String(claims.sub)) };
    },
    isCurrent: ({ id }) => !id.startsWith(JWT_CALLER) || prefixes.some((prefix) => id.startsWith(prefix)),
  };
}

function versionOf(login: JwtLogin): string {
  return createHash('sha256').update(JSON.stringify(login)).digest('hex').slice(0, 12);
}

interface Verification {
  readonly login: JwtLogin;
  readonly keys: JWTVerifyGetKey;
  readonly now: number;
}

/** The claims, or why the token is refused. */
async function readClaims(jwt: string, { login, keys, now }: Verification) {
  try {
    const { payload } = await jwtVerify(jwt, keys, {
      algorithms: [...jwtAlgorithms],
      issuer: login.issuer,
      audience: login.audience,
      requiredClaims: ['exp', 'iat', 'sub'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      maxTokenAge: MAX_TOKEN_AGE,
      currentDate: new Date(now),
    });
    return payload;
  } catch (error) {
    if (error instanceof JobError) throw error;
    return reasonOf(error);
  }
}

/** In jose's codes and the names of claims; never what the token holds. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired)
    return `claim ${error.claim}: ${error.reason}`;
  return error instanceof errors.JOSEError ? error.code : 'the token is malformed';
}

/**
 * Looks up a key as jose does; whatever concerns the issuer and not the token becomes
 * IDENTITY_ISSUER_UNAVAILABLE.
 */
function createKeys(login: JwtLogin, { now, cooldownMs = COOLDOWN_MS }: Times): JWTVerifyGetKey {
  let failure: { readonly error: JobError; readonly until: number } | undefined;
  let set: RemoteJWKSet | undefined;
  return async (header, token) => {
    if (failure !== undefined && failure.until > now()) {
      // Keys that were read before still serve the tokens that they have signed.
      const kept = set?.fresh === true ? set.jwks() : undefined;
      if (kept !== undefined) return createLocalJWKSet(kept)(header, token);
      throw failure.error;
    }
    try {
      set ??= await openSet(login, cooldownMs);
      return await set(header, token);
    } catch (error) {
      if (isOfToken(error)) throw error;
      const refusal = error instanceof JobError ? error : unavailable(login, causeOf(error), error);
      failure = { error: refusal, until: now() + FAILURE_KEPT_MS };
      throw refusal;
    }
  };
}

function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

function unavailable({ issuer }: JwtLogin, reason: string, cause?: unknown): JobError {
  return new JobError('IDENTITY_ISSUER_UNAVAILABLE', {
    message: `The keys of ${issuer} cannot be read: ${reason}. Check that this server reaches the issuer, then log in again. Access tokens that it has given out remain valid.`,
    cause,
  });
}

function causeOf(error: unknown): string {
  if (error instanceof errors.JWKSTimeout || (error instanceof Error && error.name === 'TimeoutError'))
    return 'no answer in time';
  return error instanceof errors.JOSEError ? 'its answer is no key set' : 'it is not reachable';
}

async function openSet(login: JwtLogin, cooldownDuration: number): Promise<RemoteJWKSet> {
  return createRemoteJWKSet(new URL(login.jwksUrl ?? (await discover(login))), {
    [customFetch]: (url, { headers }) => fetchBounded(login, url, headers),
    timeoutDuration: FETCH_LIMIT_MS,
    cacheMaxAge: KEYS_KEPT_MS,
    cooldownDuration,
  });
}

async function discover(login: JwtLogin): Promise<string> {
  const { issuer } = login;
  const answer = await fetchBounded(login, `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const document = (await answer.json().catch(() => undefined)) as Readonly<Record<string, unknown>> | null | undefined;
  if (document?.['issuer'] !== issuer) throw unavailable(login, 'its discovery document is not that of this issuer');
  const { jwks_uri: url } = document;
  if (typeof url === 'string' && isIssuerUrl(url)) return url;
  throw unavailable(login, 'its discovery document names no https address of a key set');
}

async function fetchBounded(login: JwtLogin, url: string, headers = new Headers()): Promise<Response> {
  const answer = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
  if (answer.status !== 200) {
    await answer.body?.cancel();
    throw unavailable(login, `HTTP ${String(answer.status)}`);
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.byteLength;
    if (size > MAX_DOCUMENT_BYTES)
      throw unavailable(login, `its answer is larger than ${String(MAX_DOCUMENT_BYTES / 1024)} KiB`);
    parts.push(part);
  }
  return new Response(Buffer.concat(parts), { status: 200 });
}
