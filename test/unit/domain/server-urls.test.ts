/** DATABASE_URL and REDIS_URL: what each form means, and what is refused with which words. */
import { describe, expect, it } from 'vitest';

import { parseDatabaseUrl } from '../../../src/domain/servers/database-url.ts';
import { parseRedisUrl } from '../../../src/domain/servers/redis-url.ts';

const noTls = { mode: 'disable', verifies: 'nothing', isDirect: false, files: {} };

describe('DATABASE_URL', () => {
  it.each<readonly [string, object]>([
    ['postgres://u:p@h:6543/d', { host: 'h', port: 6543, user: 'u', password: 'p', database: 'd', tls: noTls }],
    ['postgresql://u@h', { host: 'h', port: 5432, user: 'u', password: undefined, database: undefined }],
    [' postgres://u@h/d ', { host: 'h', database: 'd' }],
    ['postgres://h/d', { host: 'h', user: undefined }],
    ['postgres:///d', { host: 'localhost', database: 'd' }],
    ['postgres://u:p@[::1]:5433/d', { host: '::1', port: 5433 }],
    ['postgres://u@[2001:db8::7]/d', { host: '2001:db8::7', port: 5432 }],
    ['postgres://u:50%@h/d', { password: '50%' }],
    ['postgres://u:a%zz@h/d', { password: 'a%zz' }],
    ['postgres://u:100%25@h/d', { password: '100%' }],
    ['postgres://u:p%40ss%2F1@h/d', { password: 'p@ss/1' }],
    ['postgres://u:p@ss@h/d', { password: 'p@ss', host: 'h' }],
    ['postgres://u:pä@h/d', { password: 'pä' }],
    ['postgres://u%40tenant:p@h/d', { user: 'u@tenant' }],
    ['postgres://u@/d?host=/var/run/postgresql', { host: '/var/run/postgresql', port: 5432, database: 'd' }],
    ['postgres:///d?host=/tmp&port=5433&user=u', { host: '/tmp', port: 5433, user: 'u' }],
    ['postgres://u:p@%2Fvar%2Frun/d', { host: '/var/run', user: 'u', password: 'p', database: 'd' }],
    ['postgres://u@h/d?host=other', { host: 'other' }],
    ['postgres://h/d?user=u&password=p%26q&dbname=e', { user: 'u', password: 'p&q', database: 'e' }],
    ['postgres://h/d?sslmode=disable', { tls: noTls }],
    ['postgres://h/d?sslmode=prefer', { tls: { ...noTls, mode: 'prefer' } }],
    ['postgres://h/d?sslmode=require', { tls: { ...noTls, mode: 'require' } }],
    ['postgres://h/d?sslmode=no-verify', { tls: { ...noTls, mode: 'require' } }],
    ['postgres://h/d?sslmode=no-verify&sslrootcert=/ca', { tls: { ...noTls, mode: 'require', files: { ca: '/ca' } } }],
    [
      'postgres://h/d?sslmode=require&sslrootcert=/ca',
      { tls: { mode: 'require', verifies: 'authority', isDirect: false, files: { ca: '/ca' } } },
    ],
    [
      'postgres://h/d?sslmode=verify-ca&sslrootcert=/ca',
      { tls: { mode: 'require', verifies: 'authority', isDirect: false, files: { ca: '/ca' } } },
    ],
    ['postgres://h/d?sslmode=verify-full', { tls: { ...noTls, mode: 'require', verifies: 'authority-and-host' } }],
    ['postgres://h/d?ssl=true', { tls: { ...noTls, mode: 'require', verifies: 'authority-and-host' } }],
    ['postgres://h/d?ssl=false', { tls: noTls }],
    ['postgres://h/d?sslrootcert=system', { tls: { ...noTls, mode: 'require', verifies: 'authority-and-host' } }],
    [
      'postgres://h/d?sslmode=require&sslcert=/c&sslkey=/k',
      { tls: { ...noTls, mode: 'require', files: { cert: '/c', key: '/k' } } },
    ],
    ['postgres://h/d?sslmode=require&sslnegotiation=direct', { tls: { ...noTls, mode: 'require', isDirect: true } }],
    // Neon's own form: neither driver can bind the login to the channel, so the certificate is
    // checked.
    [
      'postgres://h/d?sslmode=require&channel_binding=require',
      { tls: { ...noTls, mode: 'require', verifies: 'authority-and-host' } },
    ],
    ['postgres://h/d?sslmode=require&channel_binding=prefer', { tls: { ...noTls, mode: 'require' } }],
    ['postgres://h/d?sslmode=require&uselibpqcompat=true', { tls: { ...noTls, mode: 'require' } }],
    ['postgres:///d?host=/tmp&sslmode=require', { tls: noTls }],
    ['postgres://h/d?connect_timeout=20', { connectSeconds: 20 }],
    ['postgres://h/d?options=-c%20search_path%3Dapp', { options: '-c search_path=app' }],
    ['postgres://h/d?pgbouncer=true', { isPooled: true }],
    ['postgres://h/d?target_session_attrs=read-write&client_encoding=UTF8&gssencmode=prefer', { host: 'h' }],
  ])('%s is understood', (url, expected) => {
    const { server, problem } = parseDatabaseUrl(url);
    expect(problem).toBeUndefined();
    expect(server).toMatchObject(expected);
  });

  it.each<readonly [string, RegExp]>([
    ['mysql://h/d', /must be a URL such as postgres/],
    ['h:5432/d', /must be a URL such as postgres/],
    ['', /must be a URL such as postgres/],
    ['postgres://u:canary@h:0/d', /must be a URL/],
    ['postgres://u:canary@h:99999/d', /must be a URL/],
    ['postgres://u:can/ary@h/d', /percent-encoded/],
    ['postgres://u:1/canary@h/d', /percent-encoded/],
    ['postgres://u:can?ary@h/d', /percent-encoded/],
    ['postgres://u:1?canary@h/d', /percent-encoded/],
    ['postgres://u:can#ary@h/d', /percent-encoded/],
    ['postgres://u:%ff@h/d', /percent-encoded/],
    ['postgres://u@h1,h2/d', /several hosts/],
    ['postgres://u@h/d?host=h1,h2', /several hosts/],
    ['postgres://h/d?schema=public', /parameter schema, which is not supported: keyferry’s tables/],
    ['postgres://h/d?application_name=x', /parameter application_name, which is not supported/],
    ['postgres://h/d?connection_limit=5', /parameter connection_limit, which is not supported/],
    ['postgres://h/d?ssl_mode=require', /unknown parameter ssl_mode; did you mean sslmode\?/],
    ['postgres://h/d?sslroot=canary', /unknown parameter sslroot/],
    ['postgres://h/d?whatever=canary', /unknown parameter whatever; remove it/],
    ['postgres://h/d?sslmode=allow', /parameter sslmode with a value that is not supported/],
    ['postgres://h/d?sslmode=canary', /parameter sslmode with a value/],
    ['postgres://h/d?sslmode=verify-ca', /without sslrootcert/],
    ['postgres://h/d?sslcert=/c', /both sslcert and sslkey/],
    ['postgres://h/d?target_session_attrs=standby', /parameter target_session_attrs/],
    ['postgres://h/d?client_encoding=latin1', /parameter client_encoding/],
    ['postgres://h/d?connect_timeout=0', /parameter connect_timeout/],
    ['postgres://h/d?port=abc', /parameter port/],
  ])('%s is refused without a part of the password', (url, expected) => {
    const { server, problem } = parseDatabaseUrl(url);
    expect(server).toBeUndefined();
    expect(problem).toMatch(expected);
    expect(problem).not.toMatch(/canary|can|ary@/);
  });
});

const plain = { username: undefined, password: undefined, database: 0, isTls: false, masterName: undefined };

describe('REDIS_URL', () => {
  it.each<readonly [string, object]>([
    ['redis://h', { kind: 'standalone', nodes: [{ host: 'h', port: 6379 }], ...plain }],
    ['redis://h:7000/3', { nodes: [{ host: 'h', port: 7000 }], database: 3 }],
    ['redis://h/', { database: 0 }],
    ['rediss://u:p@h', { isTls: true, username: 'u', password: 'p' }],
    ['redis://:p@h', { username: undefined, password: 'p' }],
    ['redis://:p@ss@h', { password: 'p@ss', nodes: [{ host: 'h', port: 6379 }] }],
    ['redis://:p%2F1@h', { password: 'p/1' }],
    ['redis://[::1]:7000', { nodes: [{ host: '::1', port: 7000 }] }],
    [
      'redis://[::1]:7000,redis://[::1]:7001,redis://[::1]:7002',
      { kind: 'cluster', nodes: [7000, 7001, 7002].map((port) => ({ host: '::1', port })) },
    ],
    ['rediss://:p@a:1, rediss://b:2', { kind: 'cluster', isTls: true, password: 'p' }],
    ['redis://:a,b@h', { kind: 'standalone', password: 'a,b' }],
    [
      'redis+sentinel://a,b:26380/main',
      {
        kind: 'sentinel',
        masterName: 'main',
        nodes: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 26380 },
        ],
      },
    ],
    [
      'redis+sentinel://u:p%40@[::1]:1/main/4',
      { username: 'u', password: 'p@', nodes: [{ host: '::1', port: 1 }], database: 4 },
    ],
    ['rediss+sentinel://:p@a/main', { isTls: true, password: 'p' }],
    ['redis+sentinel://:p@ss@a/main', { password: 'p@ss', nodes: [{ host: 'a', port: 26379 }] }],
  ])('%s is understood', (url, expected) => {
    const { servers, problem } = parseRedisUrl(url);
    expect(problem).toBeUndefined();
    expect(servers).toMatchObject(expected);
  });

  it.each<readonly [string, RegExp]>([
    ['http://h', /must be redis/],
    ['h:6379', /must be redis/],
    ['', /must be redis/],
    ['redis://', /must be redis/],
    ['redis://:1/canary@h', /percent-encoded/],
    ['redis://:can?ary@h', /percent-encoded/],
    ['redis://1?canary@h', /percent-encoded/],
    ['redis://:can#ary@h', /percent-encoded/],
    ['redis://:%ff@h', /percent-encoded/],
    ['redis://h/abc', /no database number/],
    ['redis://h?tls=true', /unknown parameter tls; remove it/],
    ['redis://a,rediss://b', /mixes redis/],
    ['redis://:x@a,redis://:y@b', /different logins/],
    ['redis://a/1,redis://b/1', /a cluster has none/],
    ['redis+sentinel://a', /must be redis/],
  ])('%s is refused without a part of the password', (url, expected) => {
    const { problem } = parseRedisUrl(url);
    expect(problem).toMatch(expected);
    expect(problem).not.toMatch(/canary|can|ary@/);
  });
});
