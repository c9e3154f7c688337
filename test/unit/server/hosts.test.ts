import { describe, expect, it } from 'vitest';

import { hostName, isAllowedHost, isCrossSite, isForwarded } from '../../../src/server/guard/hosts.ts';

const loopback = { listenHost: '127.0.0.1', allowedHosts: [] };
const open = { listenHost: '0.0.0.0', allowedHosts: ['keyferry.internal'] };

describe('Host', () => {
  it.each([
    ['localhost:3010', true],
    ['127.0.0.1', true],
    ['[::1]:3010', true],
    ['LOCALHOST', true],
    ['rebound.example.com', false],
    ['localhost.evil.example', false],
    ['192.0.2.7', false],
    ['', false],
    ['localhost:3010@evil', false],
    ['a b', false],
  ])('on loopback, %s → %s', (host, isAllowed) => {
    expect(isAllowedHost(host, loopback)).toBe(isAllowed);
  });

  it.each([
    ['keyferry.internal', true],
    ['KEYFERRY.internal:8080', true],
    ['192.0.2.7:3010', true],
    ['[2001:db8::1]', true],
    ['other.internal', false],
    [undefined, false],
  ])('off loopback, %s → %s', (host, isAllowed) => {
    expect(isAllowedHost(host, open)).toBe(isAllowed);
  });

  it('refuses a malformed Host', () => {
    expect(hostName('[::1')).toBeUndefined();
  });
});

describe('a request of another site', () => {
  const request = {
    method: 'GET',
    host: 'localhost:3010',
    origin: undefined,
    fetchSite: undefined,
    fetchMode: undefined,
  };

  it.each([
    ['a program', {}, false],
    ['the page itself', { method: 'PUT', origin: 'http://localhost:3010', fetchSite: 'same-origin' }, false],
    ['a typed address', { fetchSite: 'none', fetchMode: 'navigate' }, false],
    ['a followed link', { fetchSite: 'cross-site', fetchMode: 'navigate' }, false],
    ['an image of another site', { fetchSite: 'cross-site', fetchMode: 'no-cors' }, true],
    [
      'a form of another site',
      { method: 'POST', fetchSite: 'cross-site', fetchMode: 'navigate', origin: 'https://evil.example' },
      true,
    ],
    ['a form without origin', { method: 'POST', fetchSite: 'same-site', fetchMode: 'navigate' }, true],
    ['a sandboxed frame', { method: 'PUT', origin: 'null' }, true],
    ['another port of this machine', { method: 'PUT', origin: 'http://localhost:8080' }, true],
  ])('%s', (_who, headers, isForeign) => {
    expect(isCrossSite({ ...request, ...headers })).toBe(isForeign);
  });

  it('is forwarded when any proxy header is there', () => {
    expect(isForwarded((name) => (name === 'x-forwarded-for' ? '203.0.113.9' : undefined))).toBe(true);
    expect(isForwarded(() => undefined)).toBe(false);
  });
});
