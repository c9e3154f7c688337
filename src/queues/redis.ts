/**
 * Connections to Redis: standalone, TLS, Sentinel or Cluster, from one URL. Producers fail fast
 * instead of hanging; workers wait for Redis for ever, but retry every second (BullMQ's own pause
 * of up to 20 s would delay jobs after an outage).
 */
import { once } from 'node:events';

import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';

import { defined } from '../domain/defined.ts';
import type { RedisServers } from '../domain/servers/redis-url.ts';

export type RedisConnection = Redis | Cluster;

const MAX_RECONNECT_DELAY_MS = 1_000;
const PRODUCER_TIMEOUT_MS = 2_000;
/** For the first answer of one node of a cluster. */
const NODE_LIMIT_MS = 2_000;
// A half-open connection would time out every command for ever: without an answer for this long it
// is closed and replaced.
const PRODUCER_SILENCE_MS = 5_000;
/** Longer than a worker's blocking command waits for a job (10 s at most). */
const WORKER_SILENCE_MS = 30_000;

/** 100 ms doubling to 1 s, with a little jitter so that workers do not come back in step. */
const reconnectDelayMs = (times: number): number =>
  Math.min(MAX_RECONNECT_DELAY_MS, 100 * 2 ** Math.min(times, 10)) * (0.8 + 0.2 * Math.random());

const shared: RedisOptions = {
  retryStrategy: reconnectDelayMs,
  connectTimeout: 5_000,
  // How often a server that loads its data is asked whether it has done so.
  maxLoadingRetryTime: 1_000,
  keepAlive: 10_000,
};

/** A failover made this server a replica: the address may lead to another by now. */
const isReplica = (error: Error): boolean => error.message.includes('READONLY');

type Role = 'worker' | 'producer';

const roleOptions: Readonly<Record<Role, RedisOptions>> = {
  // BullMQ requires null here for its blocking connections.
  worker: {
    ...shared,
    maxRetriesPerRequest: null,
    socketTimeout: WORKER_SILENCE_MS,
    // Sent once more over the new connection.
    reconnectOnError: (error) => (isReplica(error) ? 2 : false),
  },
  // A command waits for one reconnection at most; what timed out may still have been done, which
  // every caller must bear.
  producer: {
    ...shared,
    maxRetriesPerRequest: 1,
    commandTimeout: PRODUCER_TIMEOUT_MS,
    socketTimeout: PRODUCER_SILENCE_MS,
    // The command fails, so that whoever gave it learns why.
    reconnectOnError: isReplica,
  },
};

/**
 * Errors are kept to explain why the connection is not ready; without a listener they would end the
 * process.
 */
const lastErrors = new WeakMap<RedisConnection, unknown>();

export function connectRedis(servers: RedisServers, role: Role): RedisConnection {
  const connection = create(servers, { ...roleOptions[role], ...loginOf(servers) });
  connection.on('error', (error) => {
    lastErrors.set(connection, error);
  });
  // Of a node whose name a cluster announced; the cluster's own error has no reason then.
  connection.on('node error', (error: unknown) => {
    if (connection.status !== 'ready' && hasCode(error)) lastErrors.set(connection, error);
  });
  connection.on('ready', () => {
    lastErrors.delete(connection);
  });
  return connection;
}

/** Why the connection is not ready; undefined when it is. */
function lastErrorOf(connection: RedisConnection): unknown {
  return lastErrors.get(connection);
}

/**
 * Why the connection is not ready, if known. The client of a cluster does not report why it cannot
 * reach its nodes: a client of a single node does.
 */
export async function findReason(connection: RedisConnection, servers: RedisServers): Promise<unknown> {
  const known = lastErrorOf(connection);
  if (servers.kind !== 'cluster' || connection.status === 'ready' || hasCode(known)) return known;
  for (const node of servers.nodes) {
    const error = await findNodeError({ ...servers, kind: 'standalone', nodes: [node] });
    if (error !== undefined) return error;
  }
  return known;
}

async function findNodeError(server: RedisServers): Promise<unknown> {
  const connection = connectRedis(server, 'producer');
  try {
    await once(connection, 'ready', { signal: AbortSignal.timeout(NODE_LIMIT_MS) });
    return undefined;
  } catch (error) {
    return hasCode(error) && error.name !== 'AbortError' ? error : undefined;
  } finally {
    connection.disconnect();
  }
}

function hasCode(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

function create(servers: RedisServers, options: RedisOptions): RedisConnection {
  const { kind, nodes, database: db, isTls, masterName } = servers;
  switch (kind) {
    case 'standalone':
      return new Redis({ ...nodes[0], db, ...options });
    case 'cluster':
      return new Cluster([...nodes], clusterOptions(servers, options));
    case 'sentinel':
      return new Redis({
        sentinels: [...nodes],
        name: masterName ?? '',
        db,
        ...options,
        ...(isTls && { enableTLSForSentinelMode: true }),
      });
  }
}

function loginOf({ username, password, isTls }: RedisServers): RedisOptions {
  return {
    ...defined({ username, password }),
    ...(isTls && { tls: {} }),
  };
}

function clusterOptions({ isTls }: RedisServers, options: RedisOptions): ClusterOptions {
  return {
    clusterRetryStrategy: reconnectDelayMs,
    redisOptions: options,
    // Certificates are made for names, which a lookup beforehand would replace by addresses.
    ...(isTls && {
      dnsLookup: (address: string, done: (error: null, address: string) => void) => {
        done(null, address);
      },
    }),
  };
}
