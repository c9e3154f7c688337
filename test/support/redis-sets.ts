/**
 * Several Redis servers that belong together: a cluster of three masters, or a master with a
 * replica and the sentinel that watches them.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Redis } from 'ioredis';

import type { Certificate } from './certificates.ts';
import { startRedis, type RedisOptions, type TestRedis } from './redis.ts';
import { createTemporaryDirectory } from './temporary-directory.ts';

export interface RedisSet {
  /** As REDIS_URL takes it. */
  readonly url: string;
  readonly servers: readonly TestRedis[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const READY_LIMIT_MS = 20_000;
const MASTER_NAME = 'keyferry';

export interface ClusterTls extends Certificate {
  readonly authority: string;
  /** The name that the nodes announce. */
  readonly host: string;
}

/** With TLS the nodes speak it to clients and to each other. */
export async function startRedisCluster(tls?: ClusterTls): Promise<RedisSet> {
  const servers = await Promise.all([0, 1, 2].map(() => startRedis(nodeOptions(tls))));
  // Only for the making: who they are, the program under test must find out.
  const clients = servers.map((server) => new Redis(server.url, tls ? { tls: { rejectUnauthorized: false } } : {}));
  for (const [index, client] of clients.entries()) {
    await client.cluster('SET-CONFIG-EPOCH', index + 1);
    const from = Math.floor((SLOTS * index) / clients.length);
    const to = Math.floor((SLOTS * (index + 1)) / clients.length) - 1;
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    if (index > 0) await client.cluster('MEET', '127.0.0.1', servers[0]?.port ?? 0);
  }
  await until(async () => {
    const states = await Promise.all(clients.map((client) => client.cluster('INFO')));
    return states.every((state) => state.includes('cluster_state:ok') && state.includes('cluster_known_nodes:3'));
  }, 'The cluster did not come up.');
  clients.forEach((client) => {
    client.disconnect();
  });
  const urls = servers.map(({ url, port }) => (tls ? `rediss://${tls.host}:${String(port)}` : url));
  return { url: urls.join(','), servers, stop: () => stopAll(servers) };
}

function nodeOptions(tls: ClusterTls | undefined): RedisOptions {
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  if (!tls) return { appendOnly: false, arguments: cluster };
  const named = ['--cluster-announce-hostname', tls.host, '--cluster-preferred-endpoint-type', 'hostname'];
  return {
    appendOnly: false,
    tls: { certificate: tls.certificateFile, key: tls.keyFile, authority: tls.authority },
    arguments: [...cluster, '--tls-cluster', 'yes', ...named],
  };
}

/**
 * The first server is the master, the second its replica; what the sentinel promotes takes over
 * within about two seconds.
 */
export async function startRedisSentinel(): Promise<RedisSet> {
  const master = await startRedis({ appendOnly: false });
  const replica = await startRedis({ appendOnly: false, arguments: ['--replicaof', '127.0.0.1', String(master.port)] });
  const folder = await createTemporaryDirectory('sentinel');
  const settings = [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${String(master.port)} 1`,
    `sentinel down-after-milliseconds ${MASTER_NAME} 1000`,
    `sentinel failover-timeout ${MASTER_NAME} 5000`,
    '',
  ];
  const configFile = join(folder, 'sentinel.conf');
  await writeFile(configFile, settings.join('\n'));
  const sentinel = await startRedis({ sentinelConfigFile: configFile });
  const client = new Redis(sentinel.url);
  await until(async () => {
    const replicas = (await client.call('SENTINEL', 'replicas', MASTER_NAME)) as unknown[];
    return replicas.length === 1;
  }, 'The sentinel did not find the replica.');
  client.disconnect();
  const servers = [master, replica, sentinel];
  return {
    url: `redis+sentinel://127.0.0.1:${String(sentinel.port)}/${MASTER_NAME}`,
    servers,
    stop: () => stopAll(servers),
  };
}

async function stopAll(servers: readonly TestRedis[]): Promise<void> {
  for (const server of [...servers].reverse()) await server.stop();
}

async function until(isSo: () => Promise<boolean>, failure: string): Promise<void> {
  const deadline = Date.now() + READY_LIMIT_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(failure);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
