/**
 * The checks in front of every route, in this order: Host, Origin, forwarded headers, login.
 * Loopback needs no login unless one is configured; any other address does. `/healthz` and
 * `/readyz` answer any permitted host; the API has its own tokens.
 */
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, MiddlewareHandler } from 'hono';
import { createHash, timingSafeEqual } from 'node:crypto';

import { isLoopback } from '../../domain/servers/loopback.ts';
import { problem } from '../problem.ts';
import { bearerOf } from './api-tokens.ts';
import { isAllowedHost, isCrossSite, isForwarded, type HostRules } from './hosts.ts';
import { createLoginCheck, isLoginNeeded, type Logins } from './login.ts';

export interface GuardOptions extends HostRules, Logins {
  readonly now: () => number;
}

/** Who acts where no login is configured. */
const LOCAL_OPERATOR = 'local operator';

/** For every route. */
export function createRequestGuard(rules: HostRules): MiddlewareHandler {
  return async (c, next) => {
    const host = c.req.header('host');
    if (!isAllowedHost(host, rules)) {
      return problem(
        c,
        421,
        'This server does not answer to that Host. If the name is intended, add it to KEYFERRY_HTTP_ALLOWED_HOSTS.',
      );
    }
    const isForeign = isCrossSite({
      method: c.req.method,
      host,
      origin: c.req.header('origin'),
      fetchSite: c.req.header('sec-fetch-site'),
      fetchMode: c.req.header('sec-fetch-mode'),
    });
    if (isForeign)
      return problem(c, 403, 'A page of another site made this request. Open the server’s own pages instead.');
    return next();
  };
}

/** For what operators see: board and status page. */
export function createOperatorGuard(options: GuardOptions): MiddlewareHandler {
  if (!isLoginNeeded(options)) return withoutLogin(options.listenHost);
  const check = createLoginCheck(options, options.now);
  return async (c, next) => {
    const verdict = await check.verify(c.req.header('authorization'), addressOf(c));
    switch (verdict.is) {
      case 'ok':
        c.set('operator', verdict.name);
        return next();
      case 'limited':
        c.header('Retry-After', String(verdict.retryAfterSeconds));
        return problem(c, 429, `Too many failed logins. Try again in ${String(verdict.retryAfterSeconds)} s.`);
      case 'refused':
        c.header('WWW-Authenticate', 'Basic realm="keyferry", charset="UTF-8"');
        return problem(
          c,
          401,
          `${c.req.header('authorization') === undefined ? 'User and password are needed' : 'User or password is wrong'}: use KEYFERRY_BOARD_USER and KEYFERRY_BOARD_PASSWORD of the server, or your own of KEYFERRY_BOARD_PASSWORD_FILE. Reload the page to enter them again.`,
        );
    }
  };
}

function withoutLogin(listenHost: string): MiddlewareHandler {
  const isLocal = isLoopback(listenHost);
  return async (c, next) => {
    if (!isLocal) {
      return problem(
        c,
        403,
        'Off loopback this page needs a login: set KEYFERRY_BOARD_USER and KEYFERRY_BOARD_PASSWORD and restart the server.',
      );
    }
    if (isForwarded((name) => c.req.header(name))) {
      return problem(
        c,
        403,
        'A proxy forwarded this request, but no login is configured: set KEYFERRY_BOARD_USER and KEYFERRY_BOARD_PASSWORD.',
      );
    }
    c.set('operator', LOCAL_OPERATOR);
    return next();
  };
}

export interface MetricsGuardOptions {
  readonly listenHost: string;
  /** The scraper's token; without one, off loopback nobody reads the metrics. */
  readonly token: string | undefined;
}

/** Off loopback, or behind a proxy, metrics need the bearer. */
export function createMetricsGuard({ listenHost, token }: MetricsGuardOptions): MiddlewareHandler {
  const expected = token === undefined ? undefined : digest(token);
  return async (c, next) => {
    const isOpen = expected === undefined && isLoopback(listenHost) && !isForwarded((name) => c.req.header(name));
    const presented = bearerOf(c.req.header('authorization'));
    const fits = expected !== undefined && presented !== undefined && timingSafeEqual(digest(presented), expected);
    if (isOpen || fits) return next();
    if (expected === undefined)
      return problem(c, 403, 'Off loopback the metrics need a bearer token: set KEYFERRY_METRICS_TOKEN.');
    c.header('WWW-Authenticate', 'Bearer realm="keyferry metrics"');
    return problem(c, 401, 'Send the token of KEYFERRY_METRICS_TOKEN as `Authorization: Bearer …`.');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

/**
 * The peer's address; behind a proxy that is the proxy's, on purpose: the header could be anything.
 */
export function addressOf(c: Context): string {
  try {
    return getConnInfo(c).remote.address ?? 'unknown';
  } catch {
    // No socket: a request made in process.
    return 'in-process';
  }
}
