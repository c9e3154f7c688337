/**
 * Tokens of an issuer on this machine: which are accepted, and what happens while the issuer fails.
 */
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { JwtLogin } from '../../../src/domain/jwt-logins.ts';
import { createJwtCheck, type JwtCheck } from '../../../src/server/guard/jwt-check.ts';
import { AUDIENCE, jwtLoginOf, startJwtIssuer, SUBJECT, type JwtIssuer } from '../../support/jwt-issuer.ts';

let issuer: JwtIssuer;
let login: JwtLogin;
let clock: number;
beforeEach(async () => {
  clock = Date.now();
  issuer = await startJwtIssuer();
  login = jwtLoginOf(issuer);
});
afterEach(() => issuer.close());

const check = (changes: Partial<JwtLogin> = {}, cooldownMs = 30_000): JwtCheck =>
  createJwtCheck([{ ...login, ...changes }], { now: () => clock, cooldownMs });

const seconds = (offset: number) => Math.floor(Date.now() / 1_000) + offset;

/** Of the document's parts, signature included. */
const withHeader = (token: string, header: object) =>
  [Buffer.from(JSON.stringify(header)).toString('base64url'), ...token.split('.').slice(1)].join('.');

it('a token of the issuer makes its holder a caller', async () => {
  const verdict = await check().verify('deploy', await issuer.token());
  expect(verdict).toMatchObject({ is: 'ok', caller: { orgId: 'acme', name: `deploy/${SUBJECT}`, scope: 'write' } });
});

it.each(['RS256', 'ES384', 'PS256', 'EdDSA'])('%s is accepted', async (alg) => {
  const other = await startJwtIssuer(alg);
  try {
    expect((await check({ issuer: other.url }).verify('deploy', await other.token())).is).toBe('ok');
  } finally {
    await other.close();
  }
});

describe('a token is refused', () => {
  it.each<readonly [string, object, string]>([
    ['for somebody else', { aud: 'vault' }, 'claim aud: check_failed'],
    ['for nobody', { aud: undefined }, 'claim aud: missing'],
    ['of another issuer', { iss: 'https://issuer.example' }, 'claim iss: check_failed'],
    ['that has expired', { iat: seconds(-600), exp: seconds(-120) }, 'claim exp: check_failed'],
    ['that never expires', { exp: undefined }, 'claim exp: missing'],
    ['of no known time', { iat: undefined }, 'claim iat: missing'],
    ['of the future', { iat: seconds(600), exp: seconds(900) }, 'claim iat: check_failed'],
    ['that is not valid yet', { nbf: seconds(300) }, 'claim nbf: check_failed'],
    ['that was issued long ago', { iat: seconds(-25 * 3600), exp: seconds(3600) }, 'claim iat: check_failed'],
    ['of another subject', { sub: 'repo:acme/other:ref:refs/heads/main' }, 'claim sub is not the entry’s'],
  ])('%s', async (_what, claims, reason) => {
    expect(await check().verify('deploy', await issuer.token(claims))).toEqual({ is: 'refused', reason });
  });

  it('under a name that no entry has, without a look at the issuer', async () => {
    expect((await check().verify('other', await issuer.token())).is).toBe('refused');
    expect(issuer.requests).toEqual([]);
  });

  it('without one of the entry’s claims', async () => {
    const strict = check({ claims: { repository_id: '42' } });
    expect((await strict.verify('deploy', await issuer.token({ repository_id: '42' }))).is).toBe('ok');
    const { is, reason } = (await strict.verify('deploy', await issuer.token({ repository_id: '43' }))) as {
      is: string;
      reason: string;
    };
    expect([is, reason]).toEqual(['refused', 'claim repository_id is not the entry’s']);
  });

  it('without signature, or with one of a shared secret', async () => {
    const claims = { iss: issuer.url, aud: AUDIENCE, sub: SUBJECT, iat: seconds(0), exp: seconds(300) };
    const none = new UnsecuredJWT(claims).encode();
    const shared = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32, 1));
    for (const token of [none, shared])
      expect(await check().verify('deploy', token)).toEqual({ is: 'refused', reason: 'ERR_JOSE_ALG_NOT_ALLOWED' });
    expect(issuer.requests).toEqual([]);
  });

  it('whose algorithm is not that of the key, whose claims were changed, or that is none', async () => {
    const token = await issuer.token();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const forged = Buffer.from(payload, 'base64url').toString().replace('shop:ref', 'shop:REF');
    const tokens = [
      withHeader(token, { alg: 'ES384', kid }),
      withHeader(token, { alg: 'RS256', kid }),
      [header, Buffer.from(forged).toString('base64url'), signature].join('.'),
      'x',
      'a.b.c',
      '..',
    ];
    for (const one of tokens) expect((await check().verify('deploy', one)).is).toBe('refused');
  });

  it('of an unknown key, whose holder makes the issuer work only once in a while', async () => {
    const one = check();
    await one.verify('deploy', await issuer.token());
    const before = issuer.requests.length;
    for (let n = 0; n < 5; n += 1)
      expect(await one.verify('deploy', await issuer.token({}, { kid: `unknown-${String(n)}` }))).toEqual({
        is: 'refused',
        reason: 'ERR_JWKS_NO_MATCHING_KEY',
      });
    expect(issuer.requests.length).toBe(before);
  });
});

it('a new key of the issuer is found, and the old one is accepted no longer', async () => {
  const one = check({}, 0);
  const old = await issuer.token();
  expect((await one.verify('deploy', old)).is).toBe('ok');
  await issuer.rotate();
  expect((await one.verify('deploy', await issuer.token())).is).toBe('ok');
  expect((await one.verify('deploy', old)).is).toBe('refused');
});

it('keys are read once for many logins, and from jwksUrl without discovery', async () => {
  const one = check();
  for (let n = 0; n < 5; n += 1) await one.verify('deploy', await issuer.token());
  expect(issuer.requests).toEqual(['/.well-known/openid-configuration', '/keys']);
  await check({ jwksUrl: `${issuer.url}/keys` }).verify('deploy', await issuer.token());
  expect(issuer.requests.slice(2)).toEqual(['/keys']);
});

describe('an issuer that fails is named, with the reason', () => {
  type Failure = Parameters<JwtIssuer['answer']>[0];
  const json =
    (value: unknown): Failure =>
    (response) => {
      response.end(JSON.stringify(value));
    };

  it.each<readonly [string, Failure, RegExp]>([
    ['an error', (response) => response.writeHead(500).end('x'), /HTTP 500/],
    ['another address', (response) => response.writeHead(302, { location: '/keys' }).end(), /HTTP 302/],
    ['a broken connection', (response) => response.destroy(), /not reachable/],
    ['another issuer’s document', json({ issuer: 'https://issuer.example' }), /not that of this issuer/],
    ['no JSON', (response) => response.end('<html>'), /not that of this issuer/],
    ['nothing', json(null), /not that of this issuer/],
  ])('%s', async (_what, failure, reason) => {
    issuer.answer(failure);
    await expect(check().verify('deploy', await issuer.token())).rejects.toMatchObject({
      code: 'IDENTITY_ISSUER_UNAVAILABLE',
      publicMessage: expect.stringMatching(reason),
    });
  });

  it.each<readonly [string, Failure, RegExp]>([
    ['key set without keys', json({}), /no key set/],
    ['key set that is no JSON', (response) => response.end('<html>'), /no key set/],
    ['oversized key set', json({ keys: [{ kty: 'oct', k: 'x'.repeat(300 * 1024) }] }), /larger than 256 KiB/],
  ])('%s', async (_what, failure, reason) => {
    issuer.answer(failure);
    await expect(check({ jwksUrl: `${issuer.url}/keys` }).verify('deploy', await issuer.token())).rejects.toMatchObject(
      { publicMessage: expect.stringMatching(reason) },
    );
  });

  it('plain http that leads elsewhere is not followed', async () => {
    const document = { issuer: issuer.url, jwks_uri: 'http://keys.example/' };
    issuer.answer(json(document));
    await expect(check().verify('deploy', await issuer.token())).rejects.toMatchObject({
      publicMessage: expect.stringContaining('no https address'),
    });
  });
});

it('an issuer that failed is asked again after five seconds; until then its known keys serve', async () => {
  const one = check({}, 0);
  const good = await issuer.token();
  expect((await one.verify('deploy', good)).is).toBe('ok');
  const unknown = await issuer.token({}, { kid: 'unknown' });
  issuer.answer((response) => response.writeHead(500).end());
  await expect(one.verify('deploy', unknown)).rejects.toMatchObject({ code: 'IDENTITY_ISSUER_UNAVAILABLE' });
  const asked = issuer.requests.length;
  expect((await one.verify('deploy', good)).is).toBe('ok');
  expect((await one.verify('deploy', unknown)).is).toBe('refused');
  expect(issuer.requests.length).toBe(asked);
  issuer.answer(undefined);
  await issuer.rotate();
  clock += 6_000;
  expect((await one.verify('deploy', await issuer.token())).is).toBe('ok');
});

it('a changed or removed entry ends the access tokens that it gave', async () => {
  const verdict = await check().verify('deploy', await issuer.token());
  const caller = verdict.is === 'ok' ? verdict.caller : { id: '' };
  expect(check().isCurrent(caller)).toBe(true);
  expect(check({ scope: 'read' }).isCurrent(caller)).toBe(false);
  expect(createJwtCheck([], { now: () => clock }).isCurrent(caller)).toBe(false);
  expect(createJwtCheck([], { now: () => clock }).isCurrent({ id: 'token:ci' })).toBe(true);
});
