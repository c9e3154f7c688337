/**
 * What the Redis client is given: the pauses between its tries, and all that a cluster over TLS
 * needs.
 */
import { Cluster, Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';

import { parseRedisUrl } from '../../../src/domain/servers/redis-url.ts';
import { connectRedis, type RedisConnection } from '../../../src/queues/redis.ts';

const opened: RedisConnection[] = [];
afterEach(() => {
  opened.splice(0).forEach((connection) => {
    connection.disconnect();
  });
});

/** Nothing listens on these ports. */
function open(url: string, role: 'worker' | 'producer' = 'worker'): RedisConnection {
  const { servers, problem } = parseRedisUrl(url);
  if (!servers) throw new Error(problem);
  const connection = connectRedis(servers, role);
  opened.push(connection);
  return connection;
}

function standalone(url: string, role: 'worker' | 'producer' = 'worker'): Redis {
  const connection = open(url, role);
  if (!(connection instanceof Redis)) throw new Error('It is a cluster.');
  return connection;
}

function cluster(url: string): Cluster {
  const connection = open(url);
  if (!(connection instanceof Cluster)) throw new Error('It is no cluster.');
  return connection;
}

const TRIES = Array.from({ length: 200 }, (_, index) => index + 1);

describe('a lost connection', () => {
  it.each(['worker', 'producer'] as const)('is tried again within a second for ever, by a %s', (role) => {
    const { retryStrategy } = standalone('redis://127.0.0.1:1', role).options;
    const delays = TRIES.map((times) => retryStrategy?.(times) ?? Infinity).map(Number);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_000);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(80);
  });

  it('of a whole cluster is, too', () => {
    const { clusterRetryStrategy } = cluster('redis://127.0.0.1:1,redis://127.0.0.1:2').options;
    const delays = TRIES.map((times) => clusterRetryStrategy?.(times) ?? Infinity).map(Number);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_000);
  });
});

describe('a cluster over TLS', () => {
  it('is asked by name, with login and TLS for every node', () => {
    const { options } = cluster('rediss://u:p%40ss@one.test:7001,rediss://two.test:7002');
    expect(options.redisOptions).toMatchObject({ tls: {}, username: 'u', password: 'p@ss' });
    const found: unknown[] = [];
    options.dnsLookup?.('one.test', (error, address) => found.push(error, address));
    // A certificate is made for the name.
    expect(found).toEqual([null, 'one.test']);
  });

  it('is asked with IPv6 addresses, which the URL has in brackets', () => {
    const { servers } = parseRedisUrl('rediss://[::1]:7001,rediss://[fd00::2]:7002');
    expect(servers).toMatchObject({
      kind: 'cluster',
      isTls: true,
      nodes: [
        { host: '::1', port: 7001 },
        { host: 'fd00::2', port: 7002 },
      ],
    });
  });

  it('differs from one without TLS in nothing else', () => {
    const { options } = cluster('redis://127.0.0.1:1,redis://127.0.0.1:2');
    expect([options.dnsLookup, options.redisOptions?.tls]).toEqual([expect.any(Function), undefined]);
  });
});
