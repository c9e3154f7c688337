/**
 * Proves that Redis can hold the queues: a write by a script under their prefix, as BullMQ makes
 * them.
 */
import { redisProblem } from '../domain/servers/redis-problems.ts';
import type { RedisServers } from '../domain/servers/redis-url.ts';
import { hostsOf } from '../domain/servers/url-hosts.ts';
import { JobError } from '../errors.ts';
import { findReason, type RedisConnection } from './redis.ts';
import { QUEUE_PREFIX } from './settings.ts';

const KEY = `${QUEUE_PREFIX}:readiness`;
const SCRIPT = `redis.call('set', KEYS[1], ARGV[1], 'PX', 60000) return redis.call('get', KEYS[1])`;
/** Of one command: a producer's connection refuses commands until it is connected. */
const CONNECT_LIMIT_MS = 2_000;

/** Throws QUEUE_UNAVAILABLE with the reason. Returns warnings about settings. */
export async function checkRedis(
  connection: RedisConnection,
  { url, servers }: { readonly url: string; readonly servers: RedisServers },
): Promise<readonly string[]> {
  try {
    await ready(connection, servers);
    // The client falls back to database 0 where there is no such number.
    if (servers.database > 0) await connection.select(servers.database);
    await connection.eval(SCRIPT, 1, KEY, 'ok');
  } catch (cause) {
    throw unavailable((await findReason(connection, servers)) ?? cause, url);
  }
  const policy = await evictionPolicy(connection);
  if (policy === undefined || policy === 'noeviction') return [];
  return [`Redis has maxmemory-policy ${policy}: it may drop jobs when full. Set it to noeviction.`];
}

function unavailable(cause: unknown, url: string): JobError {
  const sentence = redisProblem(cause);
  const hosts = hostsOf(url);
  return new JobError('QUEUE_UNAVAILABLE', {
    message: `Redis ${sentence}`,
    operatorMessage: hosts === undefined ? undefined : `Redis at ${hosts} ${sentence}`,
    cause,
  });
}

async function ready(connection: RedisConnection, { isTls }: RedisServers): Promise<void> {
  if (connection.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      connection.off('ready', done);
      void whyNotReady(connection, { isTls }).then(reject);
    }, CONNECT_LIMIT_MS);
    connection.once('ready', done);
  });
}

/** The client waits, without an error, while a server that it reached loads its data. */
async function whyNotReady(connection: RedisConnection, { isTls }: Pick<RedisServers, 'isTls'>): Promise<Error> {
  const silent = Object.assign(new Error('timeout'), { code: isTls ? 'ETIMEDOUT_TLS' : 'ETIMEDOUT' });
  if (connection.status !== 'connect') return silent;
  try {
    const info = await connection.info('persistence');
    return /^loading:1/m.test(info) ? new Error('LOADING') : silent;
  } catch (error) {
    return error instanceof Error ? error : silent;
  }
}

async function evictionPolicy(connection: RedisConnection): Promise<string | undefined> {
  try {
    const answer = await connection.call('CONFIG', 'GET', 'maxmemory-policy');
    return Array.isArray(answer) ? String(answer[1]) : undefined;
  } catch {
    // Managed services often forbid CONFIG.
    return undefined;
  }
}
