/**
 * The forms of DATABASE_URL that providers give out, against a real server: our tables and the
 * queue must agree on every one of them.
 */
import { join } from 'node:path';

import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDatabase } from '../../../src/db/client.ts';
import { migrate, requireCurrentSchema } from '../../../src/db/migrate.ts';
import { JobError } from '../../../src/errors.ts';
import { createQueueBackend } from '../../../src/queues/backend.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/sandbox/postgres.ts';
import { type Authority, type Certificate, createAuthority } from '../../support/certificates.ts';
import { eventually } from '../../integration/engine/support.ts';
import { type Forwarder, startForwarder } from '../../support/forwarder.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

let server: EmbeddedPostgres;
let authority: Authority;
let good: Certificate;
let socketFolder: string;
const forwarders: Forwarder[] = [];
const PASSWORD = 'p@ss/wo rd%41?#';

beforeAll(async () => {
  server = await startEmbeddedPostgres({
    directory: await createTemporaryDirectory('urls'),
    persistent: false,
  });
  authority = await createAuthority();
  good = await authority.issue('localhost', { altNames: 'DNS:localhost,IP:127.0.0.1,IP:::1' });
  await administer((sql) =>
    sql.unsafe(`create role "odd@user" login superuser
      password '${PASSWORD}'`),
  );
  socketFolder = await createTemporaryDirectory('socket');
  forwarders.push(await startForwarder(server.port, { path: join(socketFolder, '.s.PGSQL.5432') }));
  forwarders.push(await startForwarder(server.port, { host: '::1', port: 0 }));
  await migrate(server.url);
  const backend = await createQueueBackend({ databaseUrl: server.url, redisUrl: undefined });
  await backend.prepare();
  await backend.close();
  await present(good);
}, 120_000);
afterAll(async () => {
  for (const forwarder of forwarders) await forwarder.close();
  await server.stop();
});

async function administer(action: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined, ssl: 'prefer' });
  try {
    await action(sql);
  } finally {
    await sql.end();
  }
}

/** Written by the server itself, which runs as another user. Undefined: no TLS. */
async function present(certificate: Certificate | undefined): Promise<void> {
  await administer(async (sql) => {
    const write = (name: string, text: string) =>
      sql.unsafe(`copy (select '${Buffer.from(text).toString('base64')}') to program 'umask 077; base64 -d > ${name}'`);
    if (certificate) {
      await write('server.crt', certificate.certificate);
      await write('server.key', certificate.key);
    }
    await sql.unsafe(`alter system set ssl = ${certificate ? 'on' : 'off'}`);
  });
  let before = 0;
  await administer(async (sql) => {
    before = await loadedAt(sql);
    await sql.unsafe('select pg_reload_conf()');
  });
  // The reload reaches the postmaster, and with it new sessions, a moment later.
  const look = async () => {
    let after = 0;
    await administer(async (sql) => {
      after = await loadedAt(sql);
    });
    return after;
  };
  await eventually(look, (after) => after > before);
}

async function loadedAt(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<[{ at: number }]>`select
    extract(epoch from pg_conf_load_time())::float8 as at`;
  return row.at;
}

/** What our tables, the migrations' own connection and the queue say. */
async function verdicts(url: string): Promise<readonly (string | true)[]> {
  const handle = openDatabase(url);
  const backend = await createQueueBackend({ databaseUrl: url, redisUrl: undefined });
  const say = (promise: Promise<unknown>) =>
    promise.then(
      () => true as const,
      (error: unknown) => (error instanceof JobError ? error.publicMessage : `not a JobError: ${String(error)}`),
    );
  const found = [await say(handle.ping()), await say(requireCurrentSchema(url)), await say(backend.check())];
  await handle.close();
  await backend.close();
  return found;
}

const user = encodeURIComponent('odd@user');
const password = encodeURIComponent(PASSWORD);
const login = `${user}:${password}`;
const at = (host: string, query = '') => `postgres://${login}@${host}/postgres${query}`;
const local = () => `localhost:${String(server.port)}`;

describe('a server with a certificate of a private authority', () => {
  const works: readonly (readonly [string, () => string])[] = [
    ['no parameters', () => at(local())],
    ['sslmode=disable', () => at(local(), '?sslmode=disable')],
    ['sslmode=prefer', () => at(local(), '?sslmode=prefer')],
    ['sslmode=require', () => at(local(), '?sslmode=require')],
    ['sslmode=no-verify', () => at(local(), '?sslmode=no-verify')],
    ['sslmode=require with its authority', () => at(local(), `?sslmode=require&sslrootcert=${authority.file}`)],
    ['sslmode=verify-ca', () => at(local(), `?sslmode=verify-ca&sslrootcert=${authority.file}`)],
    ['sslmode=verify-full', () => at(local(), `?sslmode=verify-full&sslrootcert=${authority.file}`)],
    [
      'sslmode=verify-full at an address',
      () => at(`127.0.0.1:${String(server.port)}`, `?sslmode=verify-full&sslrootcert=${authority.file}`),
    ],
    ['channel_binding=require', () => at(local(), `?channel_binding=require&sslrootcert=${authority.file}`)],
    ['uselibpqcompat', () => at(local(), '?sslmode=require&uselibpqcompat=true')],
    ['sslnegotiation=direct', () => at(local(), '?sslmode=require&sslnegotiation=direct')],
    ['pgbouncer=true', () => at(local(), '?pgbouncer=true')],
    ['options and time limit', () => at(local(), '?options=-c%20work_mem%3D8MB&connect_timeout=9')],
    ['a Unix socket', () => `postgres://${login}@/postgres?host=${socketFolder}`],
    ['a Unix socket as host', () => `postgres://${login}@${encodeURIComponent(socketFolder)}/postgres`],
    ['an IPv6 address', () => at(`[::1]:${String(forwarders[1]?.port)}`)],
    [
      'an IPv6 address with its certificate',
      () => at(`[::1]:${String(forwarders[1]?.port)}`, `?sslmode=verify-full&sslrootcert=${authority.file}`),
    ],
  ];
  it.each(works)('works with %s', async (_name, url) => {
    expect(await verdicts(url())).toEqual([true, true, true]);
  });

  it.each<readonly [string, () => string, RegExp]>([
    [
      'verify-full without the authority',
      () => at(local(), '?sslmode=verify-full'),
      /signed by an authority that is not trusted/,
    ],
    ['channel_binding=require without it', () => at(local(), '?channel_binding=require'), /signed by an authority/],
    ['a wrong password', () => `postgres://${user}:wrong@${local()}/postgres`, /refused the password \(28P01\)/],
    ['no such database', () => `postgres://${login}@${local()}/nowhere`, /has no such database \(3D000\)/],
    ['no such host', () => at('nowhere.invalid'), /has no address \((ENOTFOUND|EAI_AGAIN)\)/],
    ['nobody there', () => at('127.0.0.1:1'), /cannot be reached \(ECONNREFUSED\)/],
    ['no such socket', () => `postgres://${login}@/postgres?host=/nonexistent`, /has no socket there \(ENOENT\)/],
  ])('says alike what is wrong with %s', async (_name, url, expected) => {
    for (const verdict of await verdicts(url())) {
      expect(verdict).toMatch(expected);
      expect(verdict).not.toContain('p@ss');
    }
  });

  it('says which file of a certificate cannot be read', () => {
    expect(() => openDatabase(at(local(), '?sslmode=verify-full&sslrootcert=/nonexistent.pem'))).toThrow(
      /sslrootcert, whose file cannot be read: \/nonexistent\.pem/,
    );
  });
});

describe('a certificate', () => {
  it('for another host is refused with that reason, and accepted where only its authority counts', async () => {
    await present(await authority.issue('other', { altNames: 'DNS:other.example' }));
    const full = await verdicts(at(local(), `?sslmode=verify-full&sslrootcert=${authority.file}`));
    for (const verdict of full) expect(verdict).toMatch(/its certificate is for another host name/);
    expect(await verdicts(at(local(), `?sslmode=verify-ca&sslrootcert=${authority.file}`))).toEqual([true, true, true]);
  });

  it('that has expired is refused with that reason', async () => {
    await present(await authority.issue('old', { altNames: 'DNS:localhost', days: -1 }));
    const found = await verdicts(at(local(), `?sslmode=verify-full&sslrootcert=${authority.file}`));
    for (const verdict of found) expect(verdict).toMatch(/its certificate has expired \(CERT_HAS_EXPIRED\)/);
  });

  it('is not needed with sslmode=prefer, and asked for with require', async () => {
    await present(undefined);
    expect(await verdicts(at(local(), '?sslmode=prefer'))).toEqual([true, true, true]);
    for (const verdict of await verdicts(at(local(), '?sslmode=require'))) expect(verdict).toMatch(/TLS/);
  });
});

it('settings of database and role change nothing that is relied on', async () => {
  await administer(async (sql) => {
    await sql.unsafe(`alter role "odd@user" set intervalstyle = 'iso_8601'`);
    await sql.unsafe(`alter role "odd@user" set timezone = 'Asia/Tokyo'`);
    await sql.unsafe(`alter role "odd@user" set default_transaction_isolation = 'serializable'`);
    await sql.unsafe(`alter role "odd@user" set statement_timeout = '1ms'`);
  });
  expect(await verdicts(at(local()))).toEqual([true, true, true]);
  const handle = openDatabase(at(local()));
  const [row] = await handle.client`select interval '30 days' as i,
    current_setting('TimeZone') as tz,
    current_setting('transaction_isolation') as isolation, current_setting('lock_timeout') as lock`;
  expect(row).toEqual({ i: '30 days', tz: 'UTC', isolation: 'read committed', lock: '10s' });
  await handle.close();
});

it('migrations take the time that they need, whatever limits the role has', async () => {
  await administer((sql) => sql.unsafe(`create database slow owner "odd@user"`));
  await administer((sql) => sql.unsafe(`alter role "odd@user" set statement_timeout = '1ms'`));
  const url = `postgres://${login}@${local()}/slow`;
  await migrate(url);
  await requireCurrentSchema(url);
});
