/**
 * Logins of machine identities: Infisical’s Universal Auth, and JWTs of the platforms that
 * workloads run on. The only operations that need no token, because they hand one out or take one
 * in the body. Repeated wrong secrets are throttled; a right one never is, so that nobody can lock
 * out an identity or others behind the same address.
 */
import type { Context } from 'hono';

import type { AccessToken } from '../../db/identities.ts';
import type { AccessTokenCheck } from '../guard/access-tokens.ts';
import type { JwtCheck, LoginChecks } from '../guard/jwt-check.ts';
import { addressOf } from '../guard/guard.ts';
import { isStorable } from '../../domain/text.ts';
import { createWindowCounter, type WindowCounter } from '../guard/login.ts';
import { problem } from '../problem.ts';
import type { Api, ApiOptions } from './env.ts';
import { boundedBody, onlyJson, traced } from './gate.ts';
import { answers, compatibilityTag as tag, createRoute, jsonBody, z } from './operation.ts';

const BASE = '/api/v1/auth';

/** PostgreSQL can search for nothing else. */
const storable = (limit: number) => z.string().max(limit).refine(isStorable, 'holds a character that cannot be stored');

const loginBody = z
  .strictObject({
    clientId: storable(128).min(1),
    clientSecret: storable(512).min(1),
    organizationSlug: storable(128).optional().describe('Must be the identity’s org'),
  })
  .openapi('Login');

const jwtBody = z
  .strictObject({
    identityId: storable(128).min(1).describe('The name of an entry of KEYFERRY_JWT_ISSUERS'),
    jwt: storable(16_384).min(1),
    organizationSlug: storable(128).optional().describe('Must be the entry’s org'),
  })
  .openapi('JwtLogin');

/** Infisical has one for each kind of platform; here they are the same. */
const JWT_LOGINS = ['jwt', 'oidc', 'kubernetes'] as const;

const tokenBody = z.strictObject({ accessToken: storable(512).min(1) });

const tokenShape = z
  .object({
    accessToken: z.string(),
    expiresIn: z.number().int().describe('Seconds'),
    accessTokenMaxTTL: z.number().int().describe('Seconds until which it can be renewed'),
    tokenType: z.literal('Bearer'),
  })
  .openapi('AccessToken');

function toAnswer({ accessToken, expiresInSeconds, maxTtlSeconds }: AccessToken): z.infer<typeof tokenShape> {
  return { accessToken, expiresIn: expiresInSeconds, accessTokenMaxTTL: maxTtlSeconds, tokenType: 'Bearer' };
}

export function addLogin(api: Api, options: ApiOptions, { accessTokens, jwts }: LoginChecks): void {
  const failures = createWindowCounter(options.now);
  addUniversalLogin(api, options, { failures });
  for (const kind of JWT_LOGINS) addJwtLogin(api, options, { failures, jwts, kind });
  addRenew(api, options, { failures, accessTokens });
  addRevoke(api, options, { failures, accessTokens });
}

function declared(id: string, summary: string) {
  const gates = [traced(id), onlyJson, boundedBody];
  return { operationId: id, summary, tags: [tag], security: [], middleware: gates };
}

interface LoginParts {
  readonly failures: WindowCounter;
}

function addUniversalLogin(api: Api, { identities, log }: ApiOptions, { failures }: LoginParts): void {
  api.openapi(
    createRoute({
      ...declared('auth.login', 'Log in with client id and client secret'),
      method: 'post',
      path: `${BASE}/universal-auth/login`,
      request: { body: jsonBody(loginBody) },
      responses: answers(tokenShape),
    }),
    async (c) => {
      const { clientId, clientSecret, organizationSlug: orgId } = c.req.valid('json');
      const token = await identities.login({ clientId, clientSecret, orgId });
      if (token !== undefined) return c.json(toAnswer(token), 200);
      log.warn({ address: addressOf(c), clientId }, 'login refused');
      return refuse(c, failures, {
        subject: `identity ${clientId}`,
        message:
          'Client id and client secret do not belong together, or the identity was revoked or has expired. A new secret: keyferry identity rotate-secret NAME',
      });
    },
  );
}

interface JwtParts extends LoginParts {
  readonly jwts: JwtCheck;
  readonly kind: (typeof JWT_LOGINS)[number];
}

function addJwtLogin(api: Api, { identities, log }: ApiOptions, { failures, jwts, kind }: JwtParts): void {
  api.openapi(
    createRoute({
      ...declared(`auth.${kind}Login`, `Log in with a JWT (${kind}-auth)`),
      method: 'post',
      path: `${BASE}/${kind}-auth/login`,
      request: { body: jsonBody(jwtBody) },
      responses: answers(tokenShape),
    }),
    async (c) => {
      const { identityId, jwt, organizationSlug: orgId } = c.req.valid('json');
      const verdict = await jwts.verify(identityId, jwt);
      if (verdict.is === 'ok' && (orgId ?? verdict.caller.orgId) === verdict.caller.orgId) {
        log.info({ identityId, name: verdict.caller.name }, 'login by JWT');
        return c.json(toAnswer(await identities.issue(verdict.caller)), 200);
      }
      const reason = verdict.is === 'ok' ? 'another org' : verdict.reason;
      log.warn({ address: addressOf(c), identityId, reason }, 'login refused');
      return refuse(c, failures, {
        subject: `identity ${identityId}`,
        message:
          'No entry of KEYFERRY_JWT_ISSUERS accepts this JWT under this identityId. The log of the server names the reason.',
      });
    },
  );
}

interface TokenParts extends LoginParts {
  readonly accessTokens: AccessTokenCheck;
}

const UNKNOWN = 'The access token is unknown, revoked or expired. Log in again.';

function addRenew(api: Api, { identities }: ApiOptions, { failures, accessTokens }: TokenParts): void {
  api.openapi(
    createRoute({
      ...declared('auth.renew', 'Renew an access token'),
      method: 'post',
      path: `${BASE}/token/renew`,
      request: { body: jsonBody(tokenBody) },
      responses: answers(tokenShape),
    }),
    async (c) => {
      const { accessToken } = c.req.valid('json');
      const token = await identities.renew(accessToken);
      accessTokens.forget(accessToken);
      if (token !== undefined) return c.json(toAnswer(token), 200);
      return refuse(c, failures, { message: UNKNOWN });
    },
  );
}

function addRevoke(api: Api, { identities }: ApiOptions, { failures, accessTokens }: TokenParts): void {
  api.openapi(
    createRoute({
      ...declared('auth.revoke', 'Revoke an access token'),
      method: 'post',
      path: `${BASE}/token/revoke`,
      request: { body: jsonBody(tokenBody) },
      responses: answers(z.object({ message: z.string() })),
    }),
    async (c) => {
      const { accessToken } = c.req.valid('json');
      const isRevoked = await identities.revokeToken(accessToken);
      accessTokens.forget(accessToken);
      if (isRevoked) return c.json({ message: 'The access token is revoked.' }, 200);
      return refuse(c, failures, { message: UNKNOWN });
    },
  );
}

interface Refusal {
  /** Other keys that the failure is counted under, besides the address. */
  readonly subject?: string;
  readonly message: string;
}

function refuse(c: Context, failures: WindowCounter, { subject, message }: Refusal): never {
  const counted = [addressOf(c), ...(subject === undefined ? [] : [subject])];
  const waitSeconds = Math.max(...counted.map((one) => failures.blockedSeconds(one)));
  for (const one of counted) failures.add(one);
  if (waitSeconds === 0) return problem(c, 401, message) as never;
  c.header('Retry-After', String(waitSeconds));
  return problem(c, 429, `Too many failed logins. Try again in ${String(waitSeconds)} s.`) as never;
}
