/** Which JWTs of a platform log in, and how the setting that says so is read. */
import { describe, expect, it } from 'vitest';

import { findRefusedClaim, parseJwtLogins, toCaller, type JwtLogin } from '../../../src/domain/jwt-logins.ts';

const entry = {
  name: 'deploy',
  issuer: 'https://token.actions.githubusercontent.com',
  audience: 'keyferry',
  subject: 'repo:acme/shop:*',
  org: 'acme',
};

function parsed(change: object = {}): JwtLogin {
  const result = parseJwtLogins(JSON.stringify([{ ...entry, ...change }]));
  if ('problem' in result) throw new Error(result.problem);
  return result.logins[0] as JwtLogin;
}

describe('the setting', () => {
  it('is filled in with what is not given', () => {
    expect(parsed()).toEqual({
      name: 'deploy',
      issuer: entry.issuer,
      jwksUrl: undefined,
      audience: 'keyferry',
      subject: 'repo:acme/shop:*',
      claims: {},
      orgId: 'acme',
      scope: 'write',
      projects: null,
      onExisting: 'fail',
    });
  });

  it.each<readonly [string, unknown, RegExp]>([
    ['text', 'deploy', /^must be a JSON list/],
    ['an object', entry, /^must be a JSON list/],
    ['a list of text', ['deploy'], /^entry 1: /],
    ['a field that nobody knows', [{ ...entry, role: 'x' }], /^entry 1: role is not a known field/],
    ['plain http', [{ ...entry, issuer: 'http://issuer.example' }], /^entry 1: issuer must be an https URL/],
    ['a password', [{ ...entry, issuer: 'https://a:b@issuer.example' }], /^entry 1: issuer must be an https URL/],
    ['plain http for keys', [{ ...entry, jwksUrl: 'http://h/keys' }], /^entry 1: jwksUrl must be an https URL/],
    ['no audience', [{ ...entry, audience: '' }], /^entry 1: audience /],
    ['no subject', [{ ...entry, subject: undefined }], /^entry 1: subject /],
    ['a subject of everybody', [{ ...entry, subject: '*' }], /^entry 1: subject must be a whole subject/],
    ['a subject of all of GitHub', [{ ...entry, subject: 'repo:*' }], /^entry 1: subject /],
    ['half a part', [{ ...entry, subject: 'repo:acme*' }], /^entry 1: subject /],
    ['half a later part', [{ ...entry, subject: 'repo:acme/shop*' }], /^entry 1: subject /],
    ['a star inside', [{ ...entry, subject: 'repo:*:ref' }], /^entry 1: subject /],
    ['no org', [{ ...entry, org: 'a b' }], /^entry 1: org /],
    ['an unknown scope', [{ ...entry, scope: 'root' }], /^entry 1: scope /],
    ['no project at all', [{ ...entry, projects: [] }], /^entry 1: projects /],
    ['a name twice', [entry, entry], /^entry 2: name deploy is the name of another entry/],
  ])('refuses %s', (_what, value, problem) => {
    expect(parseJwtLogins(JSON.stringify(value))).toEqual({ problem: expect.stringMatching(problem) });
  });

  it('takes a whole subject, an issuer on this machine, and a group of subjects', () => {
    for (const subject of ['repo:acme/shop:environment:Production EU', 'repo:acme/*', 'system:serviceaccount:shop:*'])
      expect(parsed({ subject }).subject).toBe(subject);
    expect(parsed({ subject: 'arn:aws:iam::111122223333:role/*' }).subject).toContain('role/*');
    expect(parsed({ issuer: 'http://127.0.0.1:8080' }).issuer).toBe('http://127.0.0.1:8080');
  });
});

describe('a token', () => {
  const sub = 'repo:acme/shop:ref:refs/heads/main';

  it.each<readonly [string, object, string | undefined]>([
    ['of the subject', { sub }, undefined],
    ['of another repository', { sub: 'repo:acme/shopping:ref:refs/heads/main' }, 'sub'],
    ['of another owner', { sub: 'repo:acme-evil/shop:ref:refs/heads/main' }, 'sub'],
    ['that ends where the subject’s star begins', { sub: 'repo:acme/shop:' }, 'sub'],
    ['without subject', {}, 'sub'],
    ['with a list as subject', { sub: [sub] }, 'sub'],
    ['with a line feed', { sub: `${sub}\nx` }, 'sub'],
    ['with a very long subject', { sub: `repo:acme/shop:${'x'.repeat(600)}` }, 'sub'],
  ])('%s: %s', (_what, claims, refused) => {
    expect(findRefusedClaim(parsed(), claims as Readonly<Record<string, unknown>>)).toBe(refused);
  });

  it('needs every claim of the entry, with the same type', () => {
    const login = parsed({ claims: { repository_id: '42', ref_protected: true } });
    expect(findRefusedClaim(login, { sub, repository_id: '42', ref_protected: true })).toBeUndefined();
    expect(findRefusedClaim(login, { sub, repository_id: '42', ref_protected: 'true' })).toBe('ref_protected');
    expect(findRefusedClaim(login, { sub, repository_id: 42, ref_protected: true })).toBe('repository_id');
    expect(findRefusedClaim(parsed({ claims: { toString: 'x' } }), { sub })).toBe('toString');
  });

  it('makes a caller who is named by entry and subject', () => {
    expect(toCaller(parsed({ scope: 'read', projects: ['shop'] }), 'v1', sub)).toEqual({
      id: `jwt:deploy:v1:${sub}`,
      orgId: 'acme',
      name: `deploy/${sub}`,
      scope: 'read',
      projects: ['shop'],
      onExisting: 'fail',
    });
  });
});

describe('claims named as parts of objects', () => {
  it('__proto__ is refused in the setting, where it would be dropped and accept any token', () => {
    const text = JSON.stringify([{ ...entry, claims: { x: 'prod' } }]).replace('"x"', '"__proto__"');
    expect(parseJwtLogins(text)).toEqual({ problem: 'entry 1: claims must not name __proto__' });
  });

  it('constructor is a claim like any other: only the token’s own counts', () => {
    const login = parsed({ claims: { constructor: 'prod' } });
    expect(findRefusedClaim(login, { sub: 'repo:acme/shop:ref' })).toBe('constructor');
    expect(findRefusedClaim(login, { sub: 'repo:acme/shop:ref', constructor: 'prod' })).toBeUndefined();
  });

  it('a token whose __proto__ names the claims has none of them', () => {
    const login = parsed({ claims: { environment: 'prod' } });
    const token = JSON.parse('{"sub":"repo:acme/shop:ref","__proto__":{"environment":"prod"}}') as object;
    expect(findRefusedClaim(login, { ...token })).toBe('environment');
    expect(findRefusedClaim(login, Object.assign(Object.create({ environment: 'prod' }), token))).toBe('environment');
    expect(Object.hasOwn(Object.prototype, 'environment')).toBe(false);
  });
});
