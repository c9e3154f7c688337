/**
 * Machine identities: made by an operator, logging in as Infisical's clients do, renewed, limited
 * and revoked on two servers.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createIdentities, type Identities, type NewIdentity } from '../../src/db/identities.ts';
import { deleteExpired } from '../../src/db/engine/retention.ts';
import { createApiUnderTest, type Answer, type ApiUnderTest } from '../integration/server/api-support.ts';
import { uniqueName, useServer } from '../integration/server/support.ts';
import { parameterStoreSync, place, roleConnection } from './bodies.ts';

const LOGIN = '/api/v1/auth/universal-auth/login';
const CONNECTIONS = '/api/v1/app-connections/aws';
const PARAMETERS = '/api/v1/secret-syncs/aws-parameter-store';

/** The second once an address has failed often; a right secret still passes. */
const refused = [401, 429];

describe('machine identities', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let other: ApiUnderTest;
  let identities: Identities;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    other = await createApiUnderTest(fixture());
    identities = createIdentities(fixture().handle.db);
    for (const projectId of ['shop', 'other'])
      await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, projectId, secrets: { DB_URL: 'x' } } });
  });
  afterAll(async () => {
    await api.close();
    await other.close();
  });

  async function identity(settings: Partial<NewIdentity> = {}) {
    const defaults = {
      name: uniqueName('ci'),
      scope: 'write',
      projects: null,
      onExisting: 'fail',
      expiresAt: null,
    } as const;
    const made = await identities.create('acme', { ...defaults, ...settings });
    return { name: made.identity.name, clientId: made.identity.id, clientSecret: made.clientSecret };
  }

  const logIn = (body: object, server = api) => server.call('POST', LOGIN, { body, headers: { authorization: '' } });

  async function tokenOf(settings: Partial<NewIdentity> = {}): Promise<string> {
    const { clientId, clientSecret } = await identity(settings);
    return String((await logIn({ clientId, clientSecret })).body.accessToken);
  }

  const as = (token: string) => ({ authorization: `Bearer ${token}` });

  async function got(token: string, path = CONNECTIONS, server = api): Promise<number> {
    return (await server.call('GET', path, { headers: as(token) })).status;
  }

  it('log in with what clients send, and act under their name', async () => {
    const { name, clientId, clientSecret } = await identity();
    const answer = await logIn({ clientId, clientSecret, organizationSlug: 'acme' });
    expect(answer.body).toEqual({
      accessToken: expect.stringMatching(/^kfa_[\w-]{43}$/),
      expiresIn: 7200,
      accessTokenMaxTTL: 30 * 24 * 3600,
      tokenType: 'Bearer',
    });
    const headers = as(String(answer.body.accessToken));
    const made = await api.call('POST', `${CONNECTIONS}?wait=0`, { headers, body: roleConnection(uniqueName('by')) });
    expect(made.body.appConnection.orgId).toBe('acme');
    const [row] = await fixture().handle
      .client`select actor from keyferry.audit_log where subject = ${made.body.appConnection.id}`;
    expect(row?.actor).toBe(name);
    expect((await api.call('POST', `${LOGIN}/`, { body: { clientId, clientSecret } })).status).toBe(200);
  });

  it('are stored without their secret and their tokens', async () => {
    const { clientId, clientSecret } = await identity();
    const { accessToken } = (await logIn({ clientId, clientSecret })).body;
    const { client } = fixture().handle;
    const rows = JSON.stringify([
      await client`select * from keyferry.identities`,
      await client`select * from keyferry.access_tokens`,
      await client`select * from keyferry.audit_log`,
    ]);
    expect(rows).toContain(createHash('sha256').update(clientSecret).digest('hex'));
    for (const secret of [clientSecret, String(accessToken)]) expect(rows).not.toContain(secret);
  });

  it.each([
    ['a wrong secret', () => ({ clientSecret: 'wrong' })],
    ['another identity’s secret', async () => ({ clientSecret: (await identity()).clientSecret })],
    ['an unknown id', () => ({ clientId: '11111111-1111-4111-8111-111111111111' })],
    ['an id that is none', () => ({ clientId: 'nobody' })],
    ['another org', () => ({ organizationSlug: 'globex' })],
  ])('are refused with %s, in the same words', async (_what, change) => {
    const { clientId, clientSecret } = await identity();
    const answer = await logIn({ clientId, clientSecret, ...(await change()) });
    expect(refused).toContain(answer.status);
    expect(answer.body).not.toHaveProperty('accessToken');
  });

  it('are never locked out by failed logins of others', async () => {
    const { clientId, clientSecret } = await identity();
    const statuses = [];
    for (let n = 0; n < 12; n += 1)
      statuses.push((await logIn({ clientId, clientSecret: `wrong-${String(n)}` })).status);
    expect(statuses.at(-1)).toBe(429);
    expect((await logIn({ clientId, clientSecret })).status).toBe(200);
    const limited = await logIn({ clientId, clientSecret: 'wrong' });
    expect([limited.status, Number(limited.headers.get('retry-after')) > 0]).toEqual([429, true]);
  });

  it('renew an access token up to its end, and revoke it', async () => {
    const token = await tokenOf();
    const renewed = await api.call('POST', '/api/v1/auth/token/renew', { body: { accessToken: token } });
    expect(renewed.body).toMatchObject({ accessToken: token, expiresIn: 7200 });
    expect(await got(token)).toBe(200);
    const revoked = await api.call('POST', '/api/v1/auth/token/revoke/', { body: { accessToken: token } });
    expect(revoked.body).toEqual({ message: expect.any(String) });
    expect(await got(token)).toBe(401);
    expect(refused).toContain(
      (await api.call('POST', '/api/v1/auth/token/renew', { body: { accessToken: token } })).status,
    );
  });

  it('end with their expiry, and their tokens with them', async () => {
    const { clientId, clientSecret } = await identity({ expiresAt: new Date(Date.now() + 3600_000) });
    const { body } = await logIn({ clientId, clientSecret });
    expect(body.expiresIn).toBeLessThanOrEqual(3600);
    expect(body.accessTokenMaxTTL).toBeLessThanOrEqual(3600);
    await fixture().handle.client`update keyferry.identities set expires_at = now()
      where id = ${clientId}`;
    expect(await got(String(body.accessToken))).toBe(401);
    expect(refused).toContain((await logIn({ clientId, clientSecret })).status);
  });

  it('renew no token beyond its latest moment, and housekeeping deletes expired ones', async () => {
    const short = createIdentities(fixture().handle.db, { ttlSeconds: 3, maxTtlSeconds: 4 });
    const { clientId, clientSecret } = await identity();
    const token = await short.login({ clientId, clientSecret });
    const renewed = await short.renew(token?.accessToken ?? '');
    expect(renewed?.expiresInSeconds).toBeLessThanOrEqual(4);
    await expect.poll(() => short.renew(token?.accessToken ?? ''), { timeout: 10_000 }).toBeUndefined();
    await deleteExpired(fixture().handle.db, 3600_000);
    const [left] = await fixture().handle
      .client`select count(*)::int as n from keyferry.access_tokens where identity_id = ${clientId}`;
    expect(left?.n).toBe(0);
  });

  it.each([
    ['revoke', (name: string) => identities.revoke('acme', name)],
    ['rotate-secret', (name: string) => identities.rotateSecret('acme', name)],
  ])('stop working within 5 s on every server after %s', async (_command, end) => {
    const { name, clientId, clientSecret } = await identity();
    const token = String((await logIn({ clientId, clientSecret })).body.accessToken);
    expect([await got(token), await got(token, CONNECTIONS, other)]).toEqual([200, 200]);
    await end(name);
    const endedAt = performance.now();
    expect(refused).toContain((await logIn({ clientId, clientSecret })).status);
    for (const server of [api, other]) while ((await got(token, CONNECTIONS, server)) !== 401) await setTimeout(50);
    expect(performance.now() - endedAt).toBeLessThan(5_000);
  });

  it('refuse tokens of another org’s identity what is this org’s', async () => {
    const made = await identities.create('globex', {
      name: uniqueName('ci'),
      scope: 'admin',
      projects: null,
      onExisting: 'fail',
      expiresAt: null,
    });
    const created = await api.call('POST', `${CONNECTIONS}?wait=0`, { body: roleConnection(uniqueName('mine')) });
    const { accessToken } = (await logIn({ clientId: made.identity.id, clientSecret: made.clientSecret })).body;
    expect(await got(String(accessToken), `${CONNECTIONS}/${String(created.body.appConnection.id)}`)).toBe(404);
    await expect(identities.revoke('acme', made.identity.name)).rejects.toMatchObject({ code: 'IDENTITY_NOT_FOUND' });
  });

  it('keep an idempotency key over logins, each identity its own', async () => {
    const { clientId, clientSecret } = await identity();
    const body = roleConnection(uniqueName('once'));
    const send = async (token: string): Promise<Answer> =>
      api.call('POST', `${CONNECTIONS}?wait=0`, { headers: { ...as(token), 'idempotency-key': 'one' }, body });
    const login = async () => String((await logIn({ clientId, clientSecret })).body.accessToken);
    const created = await send(await login());
    const repeated = await send(await login());
    expect([created.status, repeated.body]).toEqual([200, created.body]);
    expect(repeated.headers.get('idempotent-replayed')).toBe('true');
    expect((await send(await tokenOf())).body.error).toBe('CONNECTION_NAME_TAKEN');
  });

  it.each([
    ['read', 403],
    ['write', 200],
  ] as const)('of scope %s create a connection: %i', async (scope, status) => {
    const headers = as(await tokenOf({ scope }));
    const made = await api.call('POST', `${CONNECTIONS}?wait=0`, { headers, body: roleConnection(uniqueName('c')) });
    expect(made.status).toBe(status);
  });

  it('adopt existing objects where the identity says so and the request does not', async () => {
    const connection = await api.call('POST', `${CONNECTIONS}?wait=0`, { body: roleConnection(uniqueName('c')) });
    const headers = as(await tokenOf({ onExisting: 'adopt' }));
    const body = parameterStoreSync(uniqueName('adopt'), String(connection.body.appConnection.id));
    const made = await api.call('POST', PARAMETERS, { headers, body });
    expect(made.body.secretSync.syncOptions.onExisting).toBe('adopt');
    const named = parameterStoreSync(uniqueName('named'), String(connection.body.appConnection.id));
    const syncOptions = { ...named.syncOptions, onExisting: 'fail' };
    const explicit = await api.call('POST', PARAMETERS, { headers, body: { ...named, syncOptions } });
    expect(explicit.body.secretSync.syncOptions.onExisting).toBe('fail');
  });
});
