/**
 * States of PostgreSQL and Redis, as `keyferry doctor` reports them: what works, and what is wrong
 * with its reason and the exit code.
 */
import { join } from 'node:path';

import { Redis } from 'ioredis';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { type AwsSandboxServer, startAwsSandboxServer } from '../../../src/sandbox/aws/index.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/sandbox/postgres.ts';
import { hasRedis } from '../../support/backends.ts';
import { type Authority, createAuthority } from '../../support/certificates.ts';
import { type CommandHost, startCommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { type Forwarder, startForwarder } from '../../support/forwarder.ts';
import { type RedisOptions, startRedis } from '../../support/redis.ts';
import { BASE, createWorld } from '../../integration/connection/world.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

interface Finding {
  readonly part: string;
  readonly isFine: boolean;
  readonly detail: string;
}

let server: EmbeddedPostgres;
let aws: AwsSandboxServer;
let host: CommandHost;
let authority: Authority;
let base: Record<string, string>;
let socketFolder: string;
const forwarders: Forwarder[] = [];
const CANARY = 'canary-of-the-password';

beforeAll(async () => {
  server = await startEmbeddedPostgres({
    directory: await createTemporaryDirectory('states'),
    persistent: false,
  });
  authority = await createAuthority();
  const world = createWorld();
  aws = await startAwsSandboxServer(world.sandbox);
  // An authority of one's own counts for Redis only when the process starts with it.
  host = startCommandHost(cleanEnvironment({ NODE_EXTRA_CA_CERTS: authority.file }));
  base = {
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: world.baseKey.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: world.baseKey.secretAccessKey,
    AWS_ENDPOINT_URL: aws.url,
  };
  socketFolder = await createTemporaryDirectory('socket');
  forwarders.push(await startForwarder(server.port, { path: join(socketFolder, '.s.PGSQL.5432') }));
  forwarders.push(await startForwarder(server.port, { host: '::1', port: 0 }));
  await administer(
    `create role app login password '${CANARY}'`,
    `create role stranger login password '${CANARY}'`,
    'create database app owner app',
    'create database empty owner app',
    'create database standby owner app',
  );
  for (const name of ['app', 'standby']) expect((await keyferry('migrate', { DATABASE_URL: at(name) })).code).toBe(0);
  await administer('alter database standby set default_transaction_read_only = on');
}, 120_000);
afterAll(async () => {
  for (const forwarder of forwarders) await forwarder.close();
  await Promise.all([host.stop(), aws.close()]);
  await server.stop();
});

async function administer(...statements: readonly string[]): Promise<void> {
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  for (const statement of statements) await sql.unsafe(statement);
  await sql.end();
}

const at = (database: string, query = '', user = 'app') =>
  `postgres://${user}:${CANARY}@localhost:${String(server.port)}/${database}${query}`;

const keyferry = (line: string, settings: Readonly<Record<string, string>>) =>
  host.run({ args: line.split(' '), environment: cleanEnvironment({ ...base, ...settings }) });

async function doctor(settings: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await keyferry('doctor --json', settings);
  expect(stdout + stderr).not.toContain('canary');
  const found = (stdout === '' ? [] : JSON.parse(stdout)) as readonly Finding[];
  return {
    code,
    stderr,
    bad: Array.isArray(found)
      ? found.filter((one) => !one.isFine).map((one) => `${one.part}: ${one.detail}`)
      : [stdout],
  };
}

describe('PostgreSQL', () => {
  it.each<readonly [string, () => string]>([
    ['as it is', () => at('app')],
    ['over a Unix socket', () => `postgres://app:${CANARY}@/app?host=${socketFolder}`],
    ['over IPv6', () => `postgres://app:${CANARY}@[::1]:${String(forwarders[1]?.port)}/app`],
    ['with TLS where it has it', () => at('app', '?sslmode=prefer')],
    ['with options and a time limit', () => at('app', '?options=-c%20work_mem%3D8MB&connect_timeout=9')],
  ])('%s: all is well', async (_name, url) => {
    expect(await doctor({ DATABASE_URL: url() })).toMatchObject({ code: 0, bad: [] });
  });

  it.each<readonly [string, () => string, RegExp]>([
    [
      'a wrong password',
      () => `postgres://app:wrong@localhost:${String(server.port)}/app`,
      /^database: PostgreSQL at localhost:\d+ refused the password \(28P01\)/,
    ],
    [
      'a user that is not there',
      () => `postgres://nobody:x@localhost:${String(server.port)}/app`,
      /^database: .* refused the (password|login) \(28/,
    ],
    ['a database that is not there', () => at('nowhere'), /^database: .*has no such database \(3D000\)\. Create it/],
    ['a database without our tables', () => at('empty'), /^database: .*`keyferry migrate`/],
    [
      'the tables of another owner',
      () => at('app', '', 'stranger'),
      /^database: .*denies a right to the role of DATABASE_URL \(42501\)/,
    ],
    [
      'a standby',
      () => at('standby'),
      /^database: .*is read-only: a standby, or set to read-only \(25006\)\. DATABASE_URL must lead to the primary/,
    ],
    ['TLS that the server does not speak', () => at('app', '?sslmode=require'), /^database: .*TLS/],
    [
      'a host without address',
      () => `postgres://app:${CANARY}@nowhere.invalid/app`,
      /^database: PostgreSQL at nowhere\.invalid has no address \((ENOTFOUND|EAI_AGAIN)\)/,
    ],
    [
      'nobody at the port',
      () => `postgres://app:${CANARY}@127.0.0.1:1/app`,
      /^database: PostgreSQL at 127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/,
    ],
    [
      'nobody at an IPv6 address',
      () => `postgres://app:${CANARY}@[::1]:1/app`,
      /^database: .*cannot be reached \((ECONNREFUSED|EADDRNOTAVAIL)\)/,
    ],
    [
      'no socket',
      () => `postgres://app:${CANARY}@/app?host=/nonexistent`,
      /^database: .*has no socket there \(ENOENT\)/,
    ],
  ])('%s: exit code 1 and the reason', async (_name, url, expected) => {
    const { code, bad } = await doctor({ DATABASE_URL: url() });
    expect(bad[0] ?? 'nothing was wrong').toMatch(expected);
    expect(code).toBe(1);
  });

  it('without room for another connection: exit code 1 and the reason', async () => {
    await administer('alter role app connection limit 0');
    const { code, bad } = await doctor({ DATABASE_URL: at('app') });
    await administer('alter role app connection limit -1');
    expect([code, bad[0]]).toEqual([1, expect.stringMatching(/has no connection left \(53300\)/)]);
  });

  it('of a newer program: exit code 2 at the start of a worker', async () => {
    const owner = postgres(at('standby'), { max: 1 });
    await owner`set default_transaction_read_only = off`;
    await owner`update keyferry.installation set compatible_since = 9999999999999`;
    const newer = await keyferry('worker', { DATABASE_URL: at('standby') });
    await owner`update keyferry.installation set compatible_since = 0`;
    await owner.end();
    expect([newer.code, newer.stderr]).toEqual([2, expect.stringMatching(/newer than this program.*\[DB_TOO_NEW\]/s)]);
  });
});

/**
 * What it is, how it was started, its URL, what is wrong, and a command that an administrator gives
 * it before.
 */
type RedisState = readonly [string, RedisOptions, (port: number) => string, RegExp | undefined, string?];
const plain =
  (login = '') =>
  (port: number) =>
    `redis://${login}127.0.0.1:${String(port)}`;
const tls =
  (name = 'localhost') =>
  (port: number) =>
    `rediss://${name}:${String(port)}`;

describe.skipIf(!hasRedis)('Redis', () => {
  const files = async (altNames: string, days?: number) => {
    const { certificateFile: certificate, keyFile: key } = await authority.issue('redis', {
      altNames,
      ...(days !== undefined && { days }),
    });
    return { tls: { certificate, key } };
  };

  async function examine(url: (port: number) => string, options: RedisOptions, command?: readonly string[]) {
    const redis = await startRedis({ appendOnly: false, ...options });
    try {
      if (command) {
        const admin = new Redis(redis.url);
        await admin.call(command[0] ?? '', ...command.slice(1));
        admin.disconnect();
      }
      return await doctor({ DATABASE_URL: at('app'), REDIS_URL: url(redis.port) });
    } finally {
      await redis.stop();
    }
  }

  const states: readonly RedisState[] = [
    ['as it is', {}, plain(), undefined],
    ['with a database number', {}, (port) => `redis://127.0.0.1:${String(port)}/3`, undefined],
    ['with a password', { arguments: ['--requirepass', CANARY] }, plain(`:${CANARY}@`), undefined],
    ['a user with all rights', {}, plain(`app:${CANARY}@`), undefined, `ACL SETUSER app on >${CANARY} ~* +@all`],
    [
      'a wrong password',
      { arguments: ['--requirepass', 'right'] },
      plain(`:${CANARY}@`),
      /refused the password \(WRONGPASS\)\. Correct user and password/,
    ],
    ['no password', { arguments: ['--requirepass', 'right'] }, plain(), /asks for a password \(NOAUTH\)/],
    [
      'a user without rights',
      {},
      plain(`app:${CANARY}@`),
      /denies a command or key to the user .*\(NOPERM\)/,
      `ACL SETUSER app on >${CANARY} ~* +@read +@connection`,
    ],
    [
      'a user of other keys',
      {},
      plain(`app:${CANARY}@`),
      /denies a command or key to the user .*\(NOPERM\)/,
      `ACL SETUSER app on >${CANARY} ~other:* +@all`,
    ],
    ['a replica', {}, plain(), /is a replica \((READONLY|MASTERDOWN)\)|has lost its primary/, 'REPLICAOF 127.0.0.1 1'],
    ['a single node of a cluster', { arguments: ['--cluster-enabled', 'yes'] }, plain(), /\((MOVED|CLUSTERDOWN)\)/],
    [
      'a database number that is not there',
      {},
      (port) => `redis://127.0.0.1:${String(port)}/99`,
      /has no such database number/,
    ],
    ['full', {}, plain(), /is full \(OOM\)/, 'CONFIG SET maxmemory 1'],
    [
      'too few replicas',
      {},
      plain(),
      /too few replicas to accept writes \(NOREPLICAS\)/,
      'CONFIG SET min-replicas-to-write 1',
    ],
    ['TLS to a plain port', {}, tls(), /TLS/],
  ];
  const named = states.map(([name, options, url, expected, command]) => ({ name, options, url, expected, command }));
  it.each(named)('$name', async ({ options, url, expected, command }) => {
    const { code, bad } = await examine(url, options, command?.split(' '));
    if (expected === undefined) expect([code, bad]).toEqual([0, []]);
    else expect([code, bad]).toEqual([1, [expect.stringMatching(expected)]]);
  });

  it.each<readonly [string, string, number | undefined, (port: number) => string, RegExp | undefined]>([
    ['of our own authority', 'DNS:localhost,IP:127.0.0.1', undefined, tls(), undefined],
    ['of our own authority, by address', 'DNS:localhost,IP:127.0.0.1', undefined, tls('127.0.0.1'), undefined],
    [
      'for another host',
      'DNS:other.example',
      undefined,
      tls(),
      /its certificate is for another host name \(ERR_TLS_CERT_ALTNAME_INVALID\)/,
    ],
    ['that has expired', 'DNS:localhost', -1, tls(), /its certificate has expired \(CERT_HAS_EXPIRED\)/],
    ['that nobody asks for', 'DNS:localhost', undefined, plain(), /rediss:\/\/ \(TLS\)/],
  ])('with a certificate %s', async (_name, altNames, days, url, expected) => {
    const { code, bad } = await examine(url, await files(altNames, days));
    if (expected === undefined) expect([code, bad]).toEqual([0, []]);
    else expect([code, bad]).toEqual([1, [expect.stringMatching(expected)]]);
  });

  it('with a certificate of an authority that is not trusted', async () => {
    const stranger = startCommandHost(cleanEnvironment());
    const redis = await startRedis({ appendOnly: false, ...(await files('DNS:localhost')) });
    try {
      const environment = cleanEnvironment({ ...base, DATABASE_URL: at('app'), REDIS_URL: tls()(redis.port) });
      const { code, stdout } = await stranger.run({ args: ['doctor'], environment });
      expect([code, stdout]).toEqual([1, expect.stringMatching(/signed by an authority that is not trusted here/)]);
    } finally {
      await Promise.all([stranger.stop(), redis.stop()]);
    }
  });

  it('that may drop jobs when full: works, with a warning', async () => {
    const redis = await startRedis({ appendOnly: false, arguments: ['--maxmemory-policy', 'allkeys-lru'] });
    const settings = cleanEnvironment({ ...base, DATABASE_URL: at('app'), REDIS_URL: redis.url });
    const { code, stdout } = await host.run({ args: ['doctor'], environment: settings });
    await redis.stop();
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining('maxmemory-policy allkeys-lru: it may drop jobs when full'),
    ]);
  });

  it('that is not there, or has no address', async () => {
    for (const [url, expected] of [
      ['redis://127.0.0.1:1', /Redis at 127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/],
      ['redis://nowhere.invalid', /Redis at nowhere\.invalid has no address/],
      [
        'redis://127.0.0.1:1,redis://127.0.0.1:2',
        /Redis at 127\.0\.0\.1:1, 127\.0\.0\.1:2 cannot be reached \(ECONNREFUSED\)/,
      ],
      ['redis+sentinel://127.0.0.1:1/main', /cannot be reached/],
    ] as const) {
      const { code, bad } = await doctor({ DATABASE_URL: at('app'), REDIS_URL: url });
      expect([url, code, bad]).toEqual([url, 1, [expect.stringMatching(expected)]]);
    }
  });
});

it('`policy trust` names the worker’s own account, whatever the settings of the servers are', async () => {
  const { code, stdout, stderr } = await keyferry('policy trust --org acme', {
    DATABASE_URL: 'nonsense',
    KEYFERRY_ENCRYPTION_KEYS: '',
  });
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({ Statement: [{ Principal: { AWS: `arn:aws:iam::${BASE}:root` } }] });
});
