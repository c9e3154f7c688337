/**
 * Infisical's SDKs for Python and Go against a listening server: they log in, and are refused
 * values with the reason.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createIdentities } from '../../src/db/identities.ts';
import { createApiUnderTest, type ApiUnderTest } from '../integration/server/api-support.ts';
import { uniqueName, useServer } from '../integration/server/support.ts';
import { jwtLoginOf, startJwtIssuer, type JwtIssuer } from '../support/jwt-issuer.ts';
import { prepareGo, preparePython, type Settings } from './sdks.ts';

const REFUSED = expect.stringMatching(/gives out no secret values/);
const UNKNOWN = expect.stringMatching(/401|429/);

describe('Infisical’s SDKs', () => {
  const fixture = useServer(undefined);
  let issuer: JwtIssuer;
  let api: ApiUnderTest;
  let url: string;
  beforeAll(async () => {
    issuer = await startJwtIssuer();
    // Short enough to be renewed while a test waits.
    const identities = createIdentities(fixture().handle.db, { ttlSeconds: 5, maxTtlSeconds: 60 });
    api = await createApiUnderTest(fixture(), { jwtLogins: [jwtLoginOf(issuer)], identities });
    url = await api.listen();
  });
  afterAll(async () => {
    await api.close();
    await issuer.close();
  });

  async function settings(): Promise<Settings> {
    const made = await createIdentities(fixture().handle.db).create('acme', {
      name: uniqueName('sdk'),
      scope: 'write',
      projects: null,
      onExisting: 'fail',
      expiresAt: null,
    });
    const jwt = await issuer.token();
    return { SITE_URL: url, CLIENT_ID: made.identity.id, CLIENT_SECRET: made.clientSecret, JWT: jwt };
  }

  it('for Python logs in with a secret and with a JWT, and is refused values', async (test) => {
    const python = await preparePython();
    if (python.missing !== undefined) return test.skip(`needs ${python.missing}`);
    expect(await python.outcome(await settings())).toEqual({
      accessToken: expect.stringMatching(/^kfa_/),
      expiresIn: 5,
      wrongSecret: UNKNOWN,
      jwt: 'done',
      read: REFUSED,
      readByWorkload: REFUSED,
    });
  }, 120_000);

  it('for Go logs in, renews by itself, revokes, and is refused values', async (test) => {
    const go = await prepareGo();
    if (go.missing !== undefined) return test.skip(`needs ${go.missing}`);
    expect(await go.outcome(await settings())).toEqual({
      accessToken: expect.stringMatching(/^kfa_/),
      expiresIn: 5,
      wrongSecret: UNKNOWN,
      read: REFUSED,
      readAfterRenewal: REFUSED,
      revoke: 'done',
      readAfterRevocation: UNKNOWN,
      jwt: 'done',
      oidc: 'done',
      kubernetes: 'done',
    });
  }, 900_000);
});
