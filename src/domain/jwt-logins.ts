/**
 * Workloads that log in with a JWT of their platform: whose tokens are accepted, and what their
 * holders may do. Checked here is the setting; signatures, times, issuer and audience are checked
 * by the server. Pure.
 */
import { z } from 'zod';

import { scopes, type Caller, type Scope } from './caller.ts';
import { isLoopback } from './servers/loopback.ts';
import { problemsOf } from './problem-words.ts';
import { cutText } from './text.ts';

export interface JwtLogin {
  /** What clients send as `identityId`. */
  readonly name: string;
  readonly issuer: string;
  /** Undefined: the issuer's discovery document names it. */
  readonly jwksUrl: string | undefined;
  readonly audience: string;
  /** Exact, or up to a final `*`. */
  readonly subject: string;
  /** Further claims of the token, each equal. */
  readonly claims: Readonly<Record<string, string | number | boolean>>;
  readonly orgId: string;
  readonly scope: Scope;
  readonly projects: readonly string[] | null;
  readonly onExisting: 'fail' | 'adopt';
}

/** Plain http only to this machine. */
export function isIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/**
 * `repo:acme*` would let in acme-evil, and `repo:*` all the world: a `*` follows two whole parts.
 */
const SUBJECT = /^(?:[^*\s]|(?<=\S) (?=\S)){1,512}$|^(?:[^*:/\s]+[:/]){2}(?:[^*\s]*[:/])?\*$/;

const issuerUrl = z.string().refine(isIssuerUrl, 'must be an https URL (plain http only to this machine)');

const loginShape = z
  .strictObject({
    name: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits or . _ -'),
    issuer: issuerUrl,
    jwksUrl: issuerUrl.optional(),
    audience: z.string().min(1).max(512),
    subject: z
      .string()
      .regex(SUBJECT, 'must be a whole subject, or end in * after two whole parts, such as repo:acme/shop:*'),
    claims: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
    org: z.string().regex(/^[\w+=,.@:/-]{2,128}$/, 'must be the id of an org'),
    scope: z.enum(scopes).default('write'),
    projects: z.array(z.string().min(1).max(256)).min(1).optional(),
    onExisting: z.enum(['fail', 'adopt']).default('fail'),
  })
  .transform(({ org, projects, jwksUrl, ...rest }): JwtLogin => {
    return { ...rest, jwksUrl, orgId: org, projects: projects ?? null };
  });

const MAX_LOGINS = 100;

/** Either the logins, or what is wrong with the first bad entry. */
export type ParsedJwtLogins = { readonly logins: readonly JwtLogin[] } | { readonly problem: string };

/** The setting's text: a JSON list. */
export function parseJwtLogins(text: string): ParsedJwtLogins {
  const list = parseList(text);
  if (list === undefined || list.length > MAX_LOGINS)
    return { problem: `must be a JSON list of at most ${String(MAX_LOGINS)} objects` };
  const logins: JwtLogin[] = [];
  for (const [index, given] of list.entries()) {
    if (hasDroppedClaim(given)) return { problem: `entry ${String(index + 1)}: claims must not name __proto__` };
    const { success, data, error } = loginShape.safeParse(given);
    if (!success) return { problem: `entry ${String(index + 1)}: ${problemsOf(error, { whole: 'it' }).join('; ')}` };
    if (logins.some(({ name }) => name === data.name))
      return { problem: `entry ${String(index + 1)}: name ${data.name} is the name of another entry` };
    logins.push(data);
  }
  return { logins };
}

/** The shape would drop it, and the entry would accept tokens without it. */
function hasDroppedClaim(given: unknown): boolean {
  const { claims } = Object(given) as { readonly claims?: unknown };
  return typeof claims === 'object' && claims !== null && Object.hasOwn(claims, '__proto__');
}

function parseList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Claims of a token whose signature, times, issuer and audience are right. */
export type Claims = Readonly<Record<string, unknown>>;

/** The name of the claim that the login does not accept; undefined when it accepts the token. */
export function findRefusedClaim({ subject, claims }: JwtLogin, token: Claims): string | undefined {
  const given = token['sub'];
  if (typeof given !== 'string' || !PRINTABLE.test(given) || !isSubject(subject, given)) return 'sub';
  return Object.keys(claims).find((name) => !Object.hasOwn(token, name) || token[name] !== claims[name]);
}

/** It goes into the audit log and onto pages. */
const PRINTABLE = /^[\x20-\x7e]{1,512}$/;

function isSubject(pattern: string, subject: string): boolean {
  if (!pattern.endsWith('*')) return subject === pattern;
  return subject.startsWith(pattern.slice(0, -1)) && subject.length >= pattern.length;
}

/**
 * `version` changes with the entry, so that its access tokens end when it is changed or removed.
 */
export function toCaller(login: JwtLogin, version: string, subject: string): Caller {
  const { name, orgId, scope, projects, onExisting } = login;
  const id = `${callerPrefix(name, version)}${subject}`;
  return { id, orgId, name: cutText(`${name}/${subject}`, 256), scope, projects, onExisting };
}

export const JWT_CALLER = 'jwt:';

export function callerPrefix(name: string, version: string): string {
  return `${JWT_CALLER}${name}:${version}:`;
}
