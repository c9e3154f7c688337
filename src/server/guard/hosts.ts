/**
 * Which requests may come in at all, judged by their headers alone. A web page that an operator
 * visits can reach a loopback port, and a name that its owner points at 127.0.0.1 makes the browser
 * believe it is the same site: so Host and Origin are checked on every address. Pure.
 */
import { isIP } from 'node:net';

import { isLoopback, withoutBrackets } from '../../domain/servers/loopback.ts';

export interface HostRules {
  /** The address that the server listens on. */
  readonly listenHost: string;
  /** Names under which a proxy or an operator may reach it, lower case, without port. */
  readonly allowedHosts: readonly string[];
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];

/** The name in a Host header, without port and brackets; undefined when it is malformed. */
export function hostName(header: string | undefined): string | undefined {
  if (header === undefined || !/^[A-Za-z0-9.\-_:[\]]+$/.test(header)) return undefined;
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/.exec(header);
  return match?.[1] === undefined ? undefined : withoutBrackets(match[1].toLowerCase());
}

/**
 * Off loopback any bare IP address is accepted too: rebinding needs a name, and probes and load
 * balancers call by address.
 */
export function isAllowedHost(header: string | undefined, rules: HostRules): boolean {
  const name = hostName(header);
  if (name === undefined) return false;
  if (LOOPBACK_NAMES.includes(name) || rules.allowedHosts.includes(name)) return true;
  if (name === withoutBrackets(rules.listenHost.toLowerCase())) return true;
  return !isLoopback(rules.listenHost) && isIP(name) !== 0;
}

export interface RequestHeaders {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly fetchMode: string | undefined;
}

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/**
 * True when a page of another site makes this request. Following a link is not: a safe navigation
 * is allowed. Programs send neither header and carry no ambient login.
 */
export function isCrossSite(request: RequestHeaders): boolean {
  const isSafe = SAFE_METHODS.includes(request.method);
  if (request.origin !== undefined && !isOwnOrigin(request.origin, request.host)) return true;
  if (request.fetchSite === undefined || request.fetchSite === 'same-origin' || request.fetchSite === 'none')
    return false;
  return !(isSafe && request.fetchMode === 'navigate');
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  try {
    const { host: originHost, protocol } = new URL(origin);
    return (protocol === 'http:' || protocol === 'https:') && originHost === host?.toLowerCase();
  } catch {
    // `null`: a sandboxed frame or a data URL.
    return false;
  }
}

const FORWARDED = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
  'x-original-url',
];

/** Set by a proxy: then loopback is no longer the reader's own machine. */
export function isForwarded(header: (name: string) => string | undefined): boolean {
  return FORWARDED.some((name) => header(name) !== undefined);
}
