/** Sources that ask for a client certificate. */
import { createServer, type Server } from 'node:https';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { certificateProblem } from '../../../src/db/client-certificate.ts';
import { newSourceShape } from '../../../src/domain/sources.ts';
import type { JobError } from '../../../src/errors.ts';
import { createAsk } from '../../../src/workers/pull/ask.ts';
import { readHttp } from '../../../src/workers/pull/kinds/http.ts';
import { createAuthority, type Authority, type Certificate } from '../../support/certificates.ts';
import { useStage } from '../../support/use-stage.ts';
import { createSourceWorld } from './world.ts';

describe('a source with mutual TLS', () => {
  const stage = useStage();
  let server: Server;
  let url: string;
  let right: Certificate;
  let other: Certificate;
  let expired: Certificate;
  let authority: Authority;
  beforeAll(async () => {
    authority = await createAuthority();
    const foreign = await createAuthority();
    const altNames = 'IP:127.0.0.1';
    const own = await authority.issue('server', { altNames });
    right = await authority.issue('client', { altNames });
    expired = await authority.issue('expired', { altNames, days: -1 });
    other = await foreign.issue('other', { altNames });
    const ca = await readFile(authority.file);
    const settings = { cert: own.certificate, key: own.key, ca, requestCert: true, rejectUnauthorized: true };
    server = createServer(settings, (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"A":"a"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
  }, 60_000);
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const settingsWith = (pair: Partial<Certificate>) =>
    newSourceShape.parse({
      ...{ kind: 'http', url },
      ...{ clientCertificate: pair.certificate ?? null, clientKey: pair.key ?? null },
    });
  async function read(pair: Partial<Certificate>) {
    const settings = settingsWith(pair);
    if (settings.kind !== 'http') throw new Error('Another kind.');
    const ask = createAsk({ hosts: ['127.0.0.1'], ca: await readFile(authority.file, 'utf8') });
    return readHttp(settings, { ask, etag: null, now: () => 0 });
  }

  it('is read with the certificate that it asks for, and denied without', async () => {
    expect(await read(right)).toMatchObject({ status: 'read', values: { A: 'a' } });
    await expect(read({})).rejects.toMatchObject({ code: 'SOURCE_DENIED' });
    // Node's server hangs up on a certificate that it does not accept, without an alert.
    await expect(read(other)).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    await expect(read(expired)).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
  });

  it('takes no pair that is expired, mixed up or half', async () => {
    const world = await createSourceWorld(stage);
    const refused = (pair: Partial<Certificate>) =>
      world.set(settingsWith(pair)).then(
        () => 'taken',
        (error: unknown) => (error as JobError).publicMessage,
      );
    expect(await refused(right)).toBe('taken');
    expect(await refused({})).toBe('taken');
    expect(await refused(expired)).toContain('has expired: it was valid until 2020-');
    expect(await refused({ ...right, key: other.key })).toContain('does not belong to clientCertificate');
    expect(await refused({ ...right, key: right.certificate })).toContain('clientKey is no private key');
    expect(certificateProblem(right, new Date('2000-01-01'))).toContain('is not valid before');
    expect(() => settingsWith({ certificate: right.certificate })).toThrow('belong together');
    expect(() => newSourceShape.parse({ ...settingsWith(right), url: 'http://example.com/' })).toThrow('https://');
  });

  it('is stored encrypted, and shows only until when it is valid', async () => {
    const world = await createSourceWorld(stage);
    const made = await world.set(settingsWith(right));
    expect(made.config.certificateExpiresAt).toMatch(/^\d{4}-\d\d-\d\dT/);
    const [row] = await stage.handle.client`select to_jsonb(s)::text as text
      from keyferry.sources s`;
    const body = right.key.split('\n')[1] ?? 'none';
    expect(String(row?.['text'])).not.toContain(body);
    expect(JSON.stringify(made)).not.toContain(body);
    const claimed = await world.claim();
    expect(await claimed?.settings()).toMatchObject({ clientKey: right.key });
  });
});
