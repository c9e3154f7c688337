/**
 * Workloads that log in with a JWT of their platform, as Infisical's clients send it, and what ends
 * their access.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { JwtLogin } from '../../src/domain/jwt-logins.ts';
import { createApiUnderTest, type ApiUnderTest } from '../integration/server/api-support.ts';
import { uniqueName, useServer } from '../integration/server/support.ts';
import { jwtLoginOf, startJwtIssuer, SUBJECT, type JwtIssuer } from '../support/jwt-issuer.ts';
import { place, roleConnection } from './bodies.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';
const OIDC = '/api/v1/auth/oidc-auth/login';

describe('a JWT', () => {
  const fixture = useServer(undefined);
  let issuer: JwtIssuer;
  let api: ApiUnderTest;
  let entry: JwtLogin;
  beforeAll(async () => {
    issuer = await startJwtIssuer();
    entry = jwtLoginOf(issuer);
    api = await serve(entry, { ...entry, name: 'shop', scope: 'read', projects: ['shop'] });
  });
  afterAll(async () => {
    await api.close();
    await issuer.close();
  });

  const serve = (...jwtLogins: readonly JwtLogin[]) => createApiUnderTest(fixture(), { jwtLogins });
  const logIn = (body: object, { path = OIDC, server = api } = {}) =>
    server.call('POST', path, { body: { identityId: 'deploy', ...body }, headers: { authorization: '' } });
  const as = (token: unknown) => ({ authorization: `Bearer ${String(token)}` });

  async function accessToken(body: object = {}, server = api): Promise<string> {
    const answer = await logIn({ jwt: await issuer.token(), ...body }, { server });
    expect(answer.status).toBe(200);
    return String(answer.body.accessToken);
  }

  it.each(['jwt', 'oidc', 'kubernetes'])('logs in by %s-auth, with a slash at the end or without', async (kind) => {
    for (const ending of ['', '/']) {
      const path = `/api/v1/auth/${kind}-auth/login${ending}`;
      expect((await logIn({ jwt: await issuer.token() }, { path })).body).toEqual({
        accessToken: expect.stringMatching(/^kfa_[\w-]{43}$/),
        expiresIn: 7200,
        accessTokenMaxTTL: 24 * 3600,
        tokenType: 'Bearer',
      });
    }
  });

  it('acts under the names of entry and subject, in the entry’s org', async () => {
    const headers = as(await accessToken({ organizationSlug: 'acme' }));
    const made = await api.call('POST', `${CONNECTIONS}?wait=0`, { headers, body: roleConnection(uniqueName('by')) });
    expect(made.body.appConnection.orgId).toBe('acme');
    const [row] = await fixture().handle.client`select actor, org_id from keyferry.audit_log
        where subject = ${made.body.appConnection.id}`;
    expect(row).toEqual({ actor: `deploy/${SUBJECT}`, org_id: 'acme' });
  });

  it('gives the entry’s scope and projects, no more', async () => {
    const headers = as(await accessToken({ identityId: 'shop' }));
    const listed = (projectId: string) => api.call('GET', `/api/v1/secret-syncs?projectId=${projectId}`, { headers });
    expect([(await listed('shop')).status, (await listed('other')).status]).toEqual([200, 403]);
    const body = { ...place, secrets: { DB_URL: 'x' } };
    expect((await api.call('PUT', '/api/v1/folders/secrets', { headers, body })).status).toBe(403);
  });

  it('is refused in the same words whatever is wrong, and the holder slowed down but never locked out', async () => {
    const server = await serve(entry);
    const wrong = [
      { jwt: await issuer.token({ aud: 'vault' }) },
      { jwt: await issuer.token({ sub: 'repo:acme/other:x' }) },
      { jwt: await issuer.token({ exp: 1 }) },
      { jwt: 'no token', identityId: 'nobody' },
      { jwt: await issuer.token(), organizationSlug: 'globex' },
    ];
    const answers = [];
    for (const body of wrong) answers.push(await logIn(body, { server }));
    expect(new Set(answers.map(({ status, body }) => `${String(status)} ${String(body.message)}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(401);
    for (let n = 0; n < 8; n += 1) answers.push(await logIn({ jwt: 'x' }, { server }));
    expect(answers.at(-1)?.status).toBe(429);
    expect(Number(answers.at(-1)?.headers.get('retry-after'))).toBeGreaterThan(0);
    await accessToken({}, server);
    await server.close();
  });

  it('is refused by the shape: an unknown field, no token, a very long one', async () => {
    for (const body of [{ jwt: 'x', role: 'y' }, {}, { jwt: 'x'.repeat(20_000) }])
      expect((await logIn(body)).status).toBe(422);
  });

  it('cannot log in while its issuer is down, and access tokens remain valid', async () => {
    const server = await serve(entry);
    const token = await accessToken();
    issuer.answer((response) => response.destroy());
    const answer = await logIn({ jwt: await issuer.token() }, { server });
    issuer.answer(undefined);
    expect([answer.status, answer.body.error]).toEqual([503, 'IDENTITY_ISSUER_UNAVAILABLE']);
    expect(answer.body.message).toContain(`The keys of ${issuer.url} cannot be read: it is not reachable. Check that`);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect((await server.call('GET', CONNECTIONS, { headers: as(token) })).status).toBe(200);
    await server.close();
  });

  it('gives an access token that ends with a change of its entry, and on revocation', async () => {
    const token = await accessToken();
    const changed = await serve({ ...entry, audience: 'other' });
    expect((await changed.call('GET', CONNECTIONS, { headers: as(token) })).status).toBe(401);
    expect((await api.call('GET', CONNECTIONS, { headers: as(token) })).status).toBe(200);
    const renewed = await api.call('POST', '/api/v1/auth/token/renew', { body: { accessToken: token } });
    expect(renewed.body).toMatchObject({ accessToken: token, expiresIn: 7200 });
    await api.call('POST', '/api/v1/auth/token/revoke', { body: { accessToken: token } });
    expect((await api.call('GET', CONNECTIONS, { headers: as(token) })).status).toBe(401);
    await changed.close();
  });

  it('is stored nowhere', async () => {
    const jwt = await issuer.token();
    const { body } = await logIn({ jwt });
    const rows = JSON.stringify(await fixture().handle.client`select * from keyferry.access_tokens`);
    for (const secret of [jwt, String(body.accessToken)]) expect(rows).not.toContain(secret);
  });
});
