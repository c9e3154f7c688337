import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { hostsOf, originOf } from '../../../src/domain/servers/url-hosts.ts';

describe('the hosts of a URL', () => {
  it.each([
    ['redis://127.0.0.1:6379', '127.0.0.1:6379'],
    ['redis://:p@ss@cache:6379/2', 'cache:6379'],
    ['rediss://user:p%40ss@cache', 'cache'],
    ['redis://[::1]:7000,redis://:secret@[fe80::2]:7001', '[::1]:7000, [fe80::2]:7001'],
    ['redis+sentinel://user:secret@one:26379,two:26380,three/main/3', 'one:26379, two:26380, three'],
    ['postgres://user:secret@db:5432/name?sslmode=require', 'db:5432'],
  ])('of %s are shown', (url, hosts) => {
    expect(hostsOf(url)).toBe(hosts);
  });

  it.each([
    ['a slash in the password', 'redis://user:12/34@cache:6379'],
    ['a question mark in the password', 'postgres://user:12?34@db/name'],
    ['a hash in the password', 'postgres://user:12#34@db/name'],
    ['a comma in the password', 'redis+sentinel://user:12,34@one:26379/main'],
    ['no host', 'postgres:///name?host=/var/run'],
    ['no URL', 'planted'],
  ])('are not shown with %s', (_what, url) => {
    expect(hostsOf(url)).toBeUndefined();
  });

  it('never hold a part of the password', () => {
    const password = fc
      .string({ minLength: 4, maxLength: 12 })
      .filter((text) => !/[\s\\]/.test(text) && text.trim() !== '');
    fc.assert(
      fc.property(password, fc.constantFrom('redis', 'rediss+sentinel', 'postgres', 'https'), (secret, scheme) => {
        const shown = hostsOf(`${scheme}://user:${secret}@server.internal:1234/main`);
        expect([undefined, 'server.internal:1234']).toContain(shown);
      }),
      { numRuns: 2_000 },
    );
  });

  it('come with the scheme where an endpoint is shown, without login, path and query', () => {
    expect(originOf('https://user:secret@proxy.example:8443/path?token=1')).toBe('https://proxy.example:8443');
    expect(originOf('secret@nothing')).toBe('not a valid URL');
  });
});
