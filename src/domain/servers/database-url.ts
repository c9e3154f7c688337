/**
 * DATABASE_URL as one structure that both PostgreSQL drivers are given, so that neither reads it in
 * its own way. The parameters are libpq's; what cannot be honoured is refused by name. Pure: files
 * of certificates are named here and read elsewhere.
 */
import { parse } from 'pg-connection-string';

import { nearest } from '../nearest.ts';
import { cutText } from '../text.ts';

export interface DatabaseServer {
  /** A name, an address without brackets, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly tls: DatabaseTls;
  readonly connectSeconds: number;
  /** Command-line options of the server's session, as `-c search_path=app`. */
  readonly options: string | undefined;
  /**
   * A pooler gives out a connection per transaction: no prepared statements, no parameters that it
   * does not know.
   */
  readonly isPooled: boolean;
}

export interface DatabaseTls {
  readonly mode: 'disable' | 'prefer' | 'require';
  /** Of the server's certificate: its authority, and whether it is for this host. */
  readonly verifies: 'nothing' | 'authority' | 'authority-and-host';
  /** The handshake begins at once, without asking for it first. */
  readonly isDirect: boolean;
  readonly files: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export type DatabaseUrl =
  | { readonly server: DatabaseServer; readonly problem?: undefined }
  | { readonly problem: string; readonly server?: undefined };

const FORM = 'must be a URL such as postgres://user@host:5432/name';
const ENCODE = 'special characters of the password are percent-encoded';
const CONNECT_SECONDS = 5;

/** What each parameter may be; undefined: anything. */
const parameters: Readonly<Record<string, RegExp | undefined>> = {
  host: undefined,
  port: /^\d{1,5}$/,
  user: undefined,
  password: undefined,
  dbname: undefined,
  sslmode: /^(disable|prefer|require|verify-ca|verify-full|no-verify)$/,
  ssl: /^(true|false|1|0|disable|prefer|require|verify-ca|verify-full|no-verify)$/,
  sslrootcert: undefined,
  sslcert: undefined,
  sslkey: undefined,
  sslnegotiation: /^(postgres|direct)$/,
  channel_binding: /^(disable|prefer|require)$/,
  uselibpqcompat: /^(true|false)$/,
  connect_timeout: /^[1-9]\d{0,2}$/,
  options: undefined,
  target_session_attrs: /^(any|read-write|primary)$/,
  gssencmode: /^(disable|prefer)$/,
  client_encoding: /^utf-?8$/i,
  pgbouncer: /^(true|false)$/,
};

const remedies: Readonly<Record<string, string>> = {
  schema: 'keyferry’s tables are always in the schemas keyferry and bullmq; remove it',
  application_name: 'keyferry recognizes its sessions by names of its own; remove it',
  connection_limit: 'each keyferry process needs up to 10 connections, and 4 more per queue in PostgreSQL; remove it',
};

export function parseDatabaseUrl(text: string): DatabaseUrl {
  const parts = /^postgres(?:ql)?:\/\/([^?#]*)(?:\?([^#]*))?$/.exec(text.trim());
  // An @ behind the login means that a password with a ? or # was cut in two: no part of it may be
  // shown.
  if (!parts || parts[2]?.includes('@') === true) return { problem: `${FORM}; ${ENCODE}` };
  const given = new Map(new URLSearchParams(parts[2] ?? ''));
  const problem = findProblem(given);
  if (problem !== undefined) return { problem };
  const address = parseAddress(`postgres://${parts[1] ?? ''}`, given);
  if (!address) return { problem: `${FORM}; ${ENCODE}` };
  if (address.host.includes(',')) return { problem: 'names several hosts; name one that always leads to the primary' };
  return { server: { ...address, ...toSession(given), tls: toTls(given, address.host) } };
}

function findProblem(given: ReadonlyMap<string, string>): string | undefined {
  for (const [name, value] of given) {
    if (!(name in parameters)) return unknownParameter(name);
    if (parameters[name]?.test(value) === false)
      return name === 'password' ? FORM : `has the parameter ${name} with a value that is not supported`;
  }
  const mode = given.get('sslmode') ?? given.get('ssl');
  if (mode === 'verify-ca' && !given.has('sslrootcert'))
    return 'has sslmode=verify-ca without sslrootcert; name the file of the authority, or use verify-full';
  if (given.has('sslcert') !== given.has('sslkey')) return 'must have both sslcert and sslkey, or neither';
  return undefined;
}

function unknownParameter(name: string): string {
  const shown = cutText(name, 40);
  const remedy = remedies[name];
  if (remedy !== undefined) return `has the parameter ${shown}, which is not supported: ${remedy}`;
  const meant = nearest(name, Object.keys(parameters));
  return `has the unknown parameter ${shown}${meant === undefined ? '; remove it' : `; did you mean ${meant}?`}`;
}

type Address = Pick<DatabaseServer, 'host' | 'port' | 'user' | 'password' | 'database'>;

function parseAddress(url: string, given: ReadonlyMap<string, string>): Address | undefined {
  try {
    // An empty host before the path is how a socket is written, which no URL parser takes after a
    // login.
    const found = parse(url.replace(/@\//, '@socket-in-parameters/'));
    const host = given.get('host') ?? (found.host === 'socket-in-parameters' ? '' : (found.host ?? ''));
    const port = Number(given.get('port') ?? (found.port ? found.port : 5432));
    // A password with a slash was taken for host and path.
    if (found.database?.includes('@') === true) return undefined;
    if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
    return {
      host: host === '' ? 'localhost' : host,
      port,
      user: given.get('user') ?? emptyToUndefined(found.user),
      password: given.get('password') ?? emptyToUndefined(found.password),
      database: given.get('dbname') ?? emptyToUndefined(found.database),
    };
  } catch {
    return undefined;
  }
}

function emptyToUndefined(text: string | null | undefined): string | undefined {
  return text === null || text === undefined || text === '' ? undefined : text;
}

function toSession(given: ReadonlyMap<string, string>) {
  return {
    connectSeconds: Number(given.get('connect_timeout') ?? CONNECT_SECONDS),
    options: given.get('options'),
    isPooled: given.get('pgbouncer') === 'true',
  };
}

const aliases: Readonly<Record<string, string>> = {
  true: 'verify-full',
  '1': 'verify-full',
  false: 'disable',
  '0': 'disable',
  'no-verify': 'require',
};

/**
 * As libpq: `require` encrypts, and checks the authority where one is named. Neither driver can
 * bind the login to the channel, so who requires that gets the check of the certificate instead,
 * which gives the same protection.
 */
function toTls(given: ReadonlyMap<string, string>, host: string): DatabaseTls {
  const stated = given.get('sslmode') ?? given.get('ssl');
  const ca = given.get('sslrootcert');
  const isDirect = given.get('sslnegotiation') === 'direct';
  const cert = given.get('sslcert');
  const key = given.get('sslkey');
  const files = { ...(ca && ca !== 'system' && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const isRequired = given.get('channel_binding') === 'require' || ca === 'system';
  const fallback = isRequired || ca !== undefined ? 'verify-full' : isDirect || cert ? 'require' : 'disable';
  const mode = stated === undefined ? fallback : (aliases[stated] ?? stated);
  // There is nothing to encrypt within one machine, and the server would not.
  if (mode === 'disable' || host.startsWith('/'))
    return { mode: 'disable', verifies: 'nothing', isDirect: false, files: {} };
  const verifies = verification(stated === 'no-verify' ? 'no-verify' : mode, { hasCa: ca !== undefined, isRequired });
  return { mode: mode === 'prefer' && !isRequired ? 'prefer' : 'require', verifies, isDirect, files };
}

function verification(
  mode: string,
  { hasCa, isRequired }: { readonly hasCa: boolean; readonly isRequired: boolean },
): DatabaseTls['verifies'] {
  if (isRequired || mode === 'verify-full') return 'authority-and-host';
  if (mode === 'verify-ca' || (mode === 'require' && hasCa)) return 'authority';
  return 'nothing';
}
