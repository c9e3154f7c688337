/**
 * Calls to AWS follow HTTPS_PROXY and NO_PROXY; what the proxy says is never taken for AWS's word.
 */
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { checkProxySettings } from '../../../src/aws/request-handler.ts';
import { JobError } from '../../../src/errors.ts';
import { createAuthority } from '../../support/certificates.ts';
import { createScope } from './scripted-aws.ts';

const identity = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::999988887777:user/base</Arn><UserId>AIDA</UserId><Account>999988887777</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`;

let aws: Server;
let authorityFile: string;
let caBundle: string;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  const authority = await createAuthority();
  const { certificate: cert, key } = await authority.issue('sts', {
    altNames: 'DNS:sts.eu-west-1.amazonaws.com,DNS:localhost',
  });
  authorityFile = authority.file;
  const { readFile } = await import('node:fs/promises');
  caBundle = await readFile(authorityFile, 'utf8');
  aws = createHttpsServer({ cert, key }, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/xml', 'x-amzn-requestid': 'r' }).end(identity);
  });
  aws.listen(0, '127.0.0.1');
  await once(aws, 'listening');
}, 60_000);
afterAll(() => aws.close());
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  for (const name of ['HTTPS_PROXY', 'NO_PROXY']) Reflect.deleteProperty(process.env, name);
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** A proxy that leads every tunnel to the pretended AWS, or refuses it with this status. */
async function startProxy(
  refusal?: number,
): Promise<{ readonly url: string; readonly tunnels: string[]; logins: unknown[] }> {
  const tunnels: string[] = [];
  const logins: unknown[] = [];
  const server = createHttpServer();
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    tunnels.push(request.url ?? '');
    logins.push(request.headers['proxy-authorization']);
    client.on('error', () => undefined);
    if (refusal !== undefined) {
      client.end(`HTTP/1.1 ${String(refusal)} No\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>`);
      return;
    }
    const upstream = connect(portOf(aws), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    upstream.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  return { url: `127.0.0.1:${String(portOf(server))}`, tunnels, logins };
}

function ask(endpoint?: string) {
  const access = createAwsAccess({
    baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' },
    region: 'eu-west-1',
    caBundle,
    ...(endpoint === undefined ? {} : { endpoints: { sts: endpoint } }),
  });
  return access.baseIdentity(createScope());
}

describe('a proxy', () => {
  it('is used for AWS, with its login', async () => {
    const proxy = await startProxy();
    process.env['HTTPS_PROXY'] = `http://ann:p%40ss@${proxy.url}`;
    expect((await ask()).accountId).toBe('999988887777');
    expect(proxy.tunnels).toEqual(['sts.eu-west-1.amazonaws.com:443']);
    expect(proxy.logins).toEqual([`Basic ${Buffer.from('ann:p@ss').toString('base64')}`]);
  });

  it('is not used for what NO_PROXY names, nor for this machine', async () => {
    const proxy = await startProxy(502);
    process.env['HTTPS_PROXY'] = `http://${proxy.url}`;
    expect((await ask(`https://localhost:${String(portOf(aws))}`)).accountId).toBe('999988887777');
    process.env['NO_PROXY'] = '.amazonaws.com';
    // Nobody of that name is asked: the point is that the proxy is not.
    await ask('https://sts.nowhere-1.amazonaws.com').catch(() => undefined);
    expect(proxy.tunnels).toEqual([]);
  });

  it.each([
    [407, /asks for a login .*\(407\): add user and password to HTTPS_PROXY/],
    [403, /through the proxy .*\(EPROXY_403\): check HTTPS_PROXY and NO_PROXY/],
    [502, /through the proxy .*\(EPROXY_502\)/],
  ])('that answers %i says nothing of the identity', async (status, says) => {
    const proxy = await startProxy(status);
    process.env['HTTPS_PROXY'] = `http://ann:canary@${proxy.url}`;
    const error: unknown = await ask().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(JobError);
    expect((error as JobError).code).toBe('AWS_UNREACHABLE');
    expect((error as JobError).publicMessage).toMatch(says);
    expect((error as JobError).publicMessage).not.toContain('canary');
  });

  it('that is not there is named', async () => {
    process.env['HTTPS_PROXY'] = 'http://127.0.0.1:1';
    await expect(ask()).rejects.toThrow(/through the proxy .*\(ECONNREFUSED\): check HTTPS_PROXY/);
  });

  it.each(['proxy:3128', 'socks5://canary@proxy:1', 'http://'])('named as %j is refused at the start', (value) => {
    expect(() => {
      checkProxySettings({ HTTPS_PROXY: value });
    }).toThrow(/^HTTPS_PROXY must be a proxy such as http:\/\/proxy\.example:3128\.$/);
  });
});
