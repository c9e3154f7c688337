import type { lookup } from 'node:dns';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createAsk } from '../../../src/workers/pull/ask.ts';

/** Nobody reads inner services through a source. */

const resolvingTo = (...addresses: readonly string[]) =>
  ((_name: string, _options: object, done: (error: null, found: object[]) => void) => {
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  }) as unknown as typeof lookup;

describe('a request to a source', () => {
  let server: Server;
  let port: number;
  let connections = 0;
  beforeAll(async () => {
    server = createServer((request, response) => {
      connections += 1;
      if (request.url === '/slow') response.writeHead(200).write('{');
      else if (request.url === '/redirect') response.writeHead(307, { location: '/inner' }).end();
      else response.writeHead(200).end('inner canary');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each([
    'http://secrets.example.com/',
    'ftp://secrets.example.com/',
    'https://localhost/',
    'https://127.1/',
    'https://10.1.2.3/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::1]/',
    'https://[fd00:ec2::254]/',
    'https://[::ffff:169.254.169.254]/',
  ])('is not sent to %s', async (url) => {
    const before = connections;
    await expect(createAsk({ hosts: [] })({ url: new URL(url) })).rejects.toMatchObject({ code: 'SOURCE_URL_REFUSED' });
    expect(connections).toBe(before);
  });

  it.each([['127.0.0.1'], ['169.254.169.254'], ['93.184.216.34', '10.0.0.1'], ['fd00:ec2::254']])(
    'is not sent to a name of %s',
    async (...addresses) => {
      const ask = createAsk({ hosts: [], resolve: resolvingTo(...addresses) });
      const before = connections;
      const asked = ask({ url: new URL(`https://secrets.example.com:${String(port)}/`) });
      await expect(asked).rejects.toMatchObject({
        code: 'SOURCE_UNAVAILABLE',
        message: expect.stringMatching(/not public/) as string,
      });
      expect(connections).toBe(before);
    },
  );

  it('reaches a host that the operator lists', async () => {
    const { bytes } = await createAsk({ hosts: ['127.0.0.1'] })({ url: new URL(`http://127.0.0.1:${String(port)}/`) });
    expect(bytes.toString()).toBe('inner canary');
  });

  it('follows no redirect', async () => {
    const before = connections;
    const asked = createAsk({ hosts: ['127.0.0.1'] })({ url: new URL(`http://127.0.0.1:${String(port)}/redirect`) });
    await expect(asked).rejects.toMatchObject({
      code: 'SOURCE_DENIED',
      message: expect.stringMatching(/redirects are not followed/) as string,
    });
    expect(connections).toBe(before + 1);
  });

  it('ends when the answer does not', async () => {
    const ask = createAsk({ hosts: ['127.0.0.1'], limitMs: 200 });
    const asked = ask({ url: new URL(`http://127.0.0.1:${String(port)}/slow`) });
    await expect(asked).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
  });
});
