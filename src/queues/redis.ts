/**
 * Connections to Redis: standalone, TLS, Sentinel or Cluster, from one URL. Producers fail fast instead of hanging; workers wait for Redis
 * for ever, but look every second (BullMQ's own pause of up to 20 s would leave jobs lying after an outage).
 */
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';

export type RedisConnection = Redis | Cluster;

const MAX_RECONNECT_DELAY_MS = 1_000;
const PRODUCER_TIMEOUT_MS = 2_000;
// A connection that is dead and does not know it would time out every command for ever: without an answer for this long it is closed and made anew.
const PRODUCER_SILENCE_MS = 5_000;
/** Longer than a worker's blocking command waits for a job (10 s at most). */
const WORKER_SILENCE_MS = 30_000;

/** 100 ms doubling to 1 s, with a little jitter so that workers do not come back in step. */
const reconnectDelayMs = (times: number): number =>
  Math.min(MAX_RECONNECT_DELAY_MS, 100 * 2 ** Math.min(times, 10)) * (0.8 + 0.2 * Math.random());

const shared: RedisOptions = { retryStrategy: reconnectDelayMs, connectTimeout: 5_000, keepAlive: 10_000 };

type Role = 'worker' | 'producer';

const roleOptions: Readonly<Record<Role, RedisOptions>> = {
  // BullMQ requires null here for its blocking connections.
  worker: { ...shared, maxRetriesPerRequest: null, socketTimeout: WORKER_SILENCE_MS },
  // A command waits for one reconnection at most; what timed out may still have been done, which every caller must bear.
  producer: {
    ...shared,
    maxRetriesPerRequest: 1,
    commandTimeout: PRODUCER_TIMEOUT_MS,
    socketTimeout: PRODUCER_SILENCE_MS,
  },
};

export function connectRedis(url: string, role: Role): RedisConnection {
  const options = roleOptions[role];
  if (/^rediss?\+sentinel:/.test(url)) return new Redis({ ...sentinelOptions(url), ...options });
  const urls = url.split(',').map((one) => one.trim());
  const [first = ''] = urls;
  if (urls.length === 1) return new Redis(first, options);
  return new Cluster(urls.map(nodeOf), clusterOptions(first, options));
}

function nodeOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 6379) };
}

function clusterOptions(url: string, options: RedisOptions): ClusterOptions {
  const { username, password, protocol } = new URL(url);
  return {
    clusterRetryStrategy: reconnectDelayMs,
    redisOptions: {
      ...options,
      ...(username ? { username: decodeURIComponent(username) } : {}),
      ...(password ? { password: decodeURIComponent(password) } : {}),
      ...(protocol === 'rediss:' ? { tls: {} } : {}),
    },
  };
}

/** `redis+sentinel://[user:password@]host:port,host:port/master-name[/db]`; the login is the master's. */
function sentinelOptions(url: string): RedisOptions {
  const match = /^(rediss?)\+sentinel:\/\/(?:([^@/]*)@)?([^/]+)\/([^/]+)(?:\/(\d+))?$/.exec(url);
  const [, scheme = '', login = '', hosts = '', name = '', db = '0'] = match ?? [];
  const [username = '', password = ''] = login.split(':').map(decodeURIComponent);
  return {
    name,
    db: Number(db),
    sentinels: hosts.split(',').map((host) => nodeOf(`redis://${host.includes(':') ? host : `${host}:26379`}`)),
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(scheme === 'rediss' ? { tls: {}, enableTLSForSentinelMode: true } : {}),
  };
}
