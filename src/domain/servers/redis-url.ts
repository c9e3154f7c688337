/**
 * REDIS_URL as one structure: one server, the nodes of a cluster, or the sentinels of a master.
 * What cannot be honoured is refused. Pure.
 */
import { cutText } from '../text.ts';

export interface RedisNode {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface RedisServers {
  readonly kind: 'standalone' | 'cluster' | 'sentinel';
  readonly nodes: readonly [RedisNode, ...RedisNode[]];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly isTls: boolean;
  /** The name under which the sentinels know the master. */
  readonly masterName: string | undefined;
}

export type RedisUrl =
  | { readonly servers: RedisServers; readonly problem?: undefined }
  | { readonly problem: string; readonly servers?: undefined };

const FORM =
  'must be redis://host:6379, rediss://…, several of them separated by commas (cluster), or redis+sentinel://host:26379,host:26379/master-name';
const ENCODE = 'special characters of the password are percent-encoded';

export function parseRedisUrl(text: string): RedisUrl {
  const url = text.trim();
  if (/^rediss?\+sentinel:/.test(url)) return parseSentinels(url);
  if (!/^rediss?:\/\//.test(url)) return { problem: FORM };
  const parts = splitNodes(url).map(parseOne);
  const bad = parts.find((part) => part.problem !== undefined);
  if (bad?.problem !== undefined) return { problem: bad.problem };
  const [first, ...others] = parts.flatMap((part) => (part.server ? [part.server] : []));
  if (!first) return { problem: FORM };
  if (others.length === 0) return { servers: { kind: 'standalone', nodes: [first.node], ...first.rest } };
  return toCluster(first, others);
}

/** At a comma that begins another URL: a password may hold commas, too. */
function splitNodes(url: string): readonly string[] {
  return url.split(/,\s*(?=rediss?:\/\/)/).map((part) => part.trim());
}

interface OneServer {
  readonly node: RedisNode;
  readonly rest: Omit<RedisServers, 'kind' | 'nodes'>;
}

function parseOne(
  text: string,
):
  | { readonly server: OneServer; readonly problem?: undefined }
  | { readonly problem: string; readonly server?: undefined } {
  if (!URL.canParse(text)) return { problem: `${FORM}; ${ENCODE}` };
  const url = new URL(text);
  if (/@/.test(url.pathname + url.search + url.hash)) return { problem: `${FORM}; ${ENCODE}` };
  const [parameter] = url.searchParams.keys();
  if (parameter !== undefined) return { problem: `has the unknown parameter ${cutText(parameter, 40)}; remove it` };
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (url.hostname === '' || url.hash !== '') return { problem: `${FORM}; ${ENCODE}` };
  if (database === undefined) return { problem: `has a path that is no database number; ${ENCODE}` };
  const login = toLogin(url.username, url.password);
  if (!login) return { problem: `${FORM}; ${ENCODE}` };
  const isTls = url.protocol === 'rediss:';
  return {
    server: { node: toNode(url, 6379), rest: { ...login, database: Number(database), isTls, masterName: undefined } },
  };
}

function toNode(url: URL, defaultPort: number): RedisNode {
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || defaultPort) };
}

function toLogin(username: string, password: string): Pick<RedisServers, 'username' | 'password'> | undefined {
  try {
    const decode = (part: string) => (part === '' ? undefined : decodeURIComponent(part));
    return { username: decode(username), password: decode(password) };
  } catch {
    return undefined;
  }
}

function toCluster(first: OneServer, others: readonly OneServer[]): RedisUrl {
  const { rest } = first;
  if (others.some((one) => one.rest.isTls !== rest.isTls)) return { problem: 'mixes redis:// and rediss://' };
  const isOther = ({ rest: own }: OneServer) =>
    (own.password !== undefined || own.username !== undefined) &&
    (own.password !== rest.password || own.username !== rest.username);
  if (others.some(isOther)) return { problem: 'gives the nodes of a cluster different logins' };
  if ([first, ...others].some((one) => one.rest.database !== 0))
    return { problem: 'names a database number; a cluster has none' };
  return { servers: { kind: 'cluster', nodes: [first.node, ...others.map((one) => one.node)], ...rest } };
}

/**
 * `redis+sentinel://[user:password@]host:port,host:port/master-name[/db]`; the login is the
 * master's.
 */
function parseSentinels(text: string): RedisUrl {
  const match = /^(rediss?)\+sentinel:\/\/(?:(.*)@)?([^@/?#]+)\/([^@/?#]+)(?:\/(\d{1,5}))?$/.exec(text);
  if (!match) return { problem: `${FORM}; ${ENCODE}` };
  const [, scheme = '', login = '', hosts = '', masterName = '', database = '0'] = match;
  const nodes = hosts.split(',').map((host) => {
    const url = `redis://${host.trim()}`;
    return URL.canParse(url) ? toNode(new URL(url), 26_379) : undefined;
  });
  const [first, ...others] = nodes.filter((node) => node !== undefined);
  const colon = login.indexOf(':');
  const found = colon < 0 ? toLogin(login, '') : toLogin(login.slice(0, colon), login.slice(colon + 1));
  if (!first || nodes.includes(undefined) || !found) return { problem: `${FORM}; ${ENCODE}` };
  const rest = { database: Number(database), isTls: scheme === 'rediss', masterName };
  return { servers: { kind: 'sentinel', nodes: [first, ...others], ...found, ...rest } };
}
