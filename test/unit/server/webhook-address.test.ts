import type { lookup } from 'node:dns';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { newWebhookShape, refusalOf } from '../../../src/domain/webhooks.ts';
import { isPublicAddress } from '../../../src/network/public-address.ts';
import { post } from '../../../src/server/webhook/post.ts';

/** Nobody reaches inner services through a webhook. */

describe('an address', () => {
  it.each(['8.8.8.8', '52.94.236.248', '172.32.0.1', '2600:1f18::1', '64:ff9b::808:808', '100.128.0.1'])(
    'is public: %s',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    ...['127.0.0.1', '127.9.9.9', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254'],
    ...['169.254.170.2', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '198.18.0.1', '192.0.0.192'],
    ...['::1', '::', 'fe80::1', 'fe80::1%eth0', 'fd00:ec2::254', 'fc00::1', 'ff02::1', 'fec0::1'],
    ...['::ffff:127.0.0.1', '::ffff:169.254.169.254', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1'],
    ...[
      '64:ff9b::a9fe:a9fe',
      '64:ff9b::1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001:0:1::',
      '2001:db8::1',
      'no address',
      '',
    ],
  ])('is not public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('a URL', () => {
  it.each([
    ['http://hooks.example.com/', 'https'],
    ['ftp://hooks.example.com/', 'https'],
    ['https://localhost/', 'keyferry itself'],
    ['https://127.1/', 'keyferry itself'],
    ['https://[::1]/', 'keyferry itself'],
  ])('is refused: %s', (url, why) => {
    expect(refusalOf(url, ['inner.example.com'])).toContain(why);
  });

  it.each([
    'http://inner.example.com/',
    'https://INNER.example.com:8443/x',
    'http://[::1]:9/',
    'https://hooks.example.com',
  ])('is taken: %s', (url) => {
    expect(refusalOf(url, ['inner.example.com', '::1'])).toBeUndefined();
  });

  it.each([
    'https://user:pass@h.example.com/',
    'https://h.example.com/#x',
    'no url',
    `https://h.example.com/${'x'.repeat(2048)}`,
  ])('is malformed: %s', (url) => {
    expect(newWebhookShape.safeParse({ name: 'w', url }).success).toBe(false);
  });
});

describe('a message', () => {
  let server: Server;
  let connections = 0;
  beforeAll(async () => {
    server = createServer((request, response) => {
      connections += 1;
      if (request.url === '/redirect') response.writeHead(307, { location: '/inner' }).end();
      else if (request.url !== '/silent') response.writeHead(200).end('a body');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const message = { body: '{}', headers: {} };
  const port = () => String((server.address() as AddressInfo).port);
  const resolvesTo = (...addresses: string[]): typeof lookup =>
    ((_host: string, _options: unknown, done: (error: null, found: unknown) => void) => {
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    }) as unknown as typeof lookup;

  it.each([
    ['a private address', ['10.0.0.1']],
    ['this machine', ['127.0.0.1']],
    ['the metadata service', ['169.254.169.254']],
    ['a public and a private address', ['8.8.8.8', '::ffff:10.0.0.1']],
    ['nothing', []],
  ])('is not sent to a name of %s', async (_what, addresses) => {
    const before = connections;
    const options = { hosts: [], limitMs: 2_000, resolve: resolvesTo(...addresses) };
    const result = await post(new URL(`https://rebound.example.com:${port()}/`), message, options);

    expect(result).toEqual({ error: 'the URL is refused: its address is not public' });
    expect(connections).toBe(before);
  });

  it('is not sent to a private address that stands in the URL', async () => {
    const result = await post(new URL('https://169.254.169.254/'), message, { hosts: [], limitMs: 2_000 });

    expect(result).toEqual({ error: 'the URL is refused: its address is not public' });
  });

  it('is not sent again where a redirect points', async () => {
    const before = connections;
    const result = await post(new URL(`http://127.0.0.1:${port()}/redirect`), message, {
      hosts: ['127.0.0.1'],
      limitMs: 2_000,
    });

    expect([result, connections - before]).toEqual([{ status: 307 }, 1]);
  });

  it.each([
    ['no answer in time', '/silent', 100],
    ['not reachable', ':1/', 2_000],
  ])('has no answer: %s', async (error, path, limitMs) => {
    const url = path.startsWith(':') ? `http://127.0.0.1${path}` : `http://127.0.0.1:${port()}${path}`;

    expect(await post(new URL(url), message, { hosts: ['127.0.0.1'], limitMs })).toEqual({ error });
  });
});
