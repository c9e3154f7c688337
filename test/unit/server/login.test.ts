import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { hasScope, type Caller } from '../../../src/domain/caller.ts';
import { bearerOf, createTokenCheck } from '../../../src/server/guard/api-tokens.ts';
import { createWindowCounter, createLoginCheck } from '../../../src/server/guard/login.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the login', () => {
  const check = () => createLoginCheck({ login: { user: 'operator', password: 'pass:with:colons é' } }, () => 0);

  it('takes the right pair only, colons and accents included', async () => {
    expect((await check().verify(basic('operator:pass:with:colons é'), 'a')).is).toBe('ok');
    for (const wrong of ['operator:pass', 'Operator:pass:with:colons é', ':', 'operator:pass:with:colons é ']) {
      expect((await check().verify(basic(wrong), 'a')).is).toBe('refused');
    }
    for (const header of [undefined, '', 'Basic', 'Bearer x', 'Basic !!!'])
      expect((await check().verify(header, 'a')).is).toBe('refused');
  });

  it('does not count requests that bring no login at all', async () => {
    const login = check();
    for (let n = 0; n < 50; n += 1) await login.verify(undefined, 'a');
    expect((await login.verify(basic('operator:pass:with:colons é'), 'a')).is).toBe('ok');
  });

  it('limits one address and no other', () => {
    let now = 0;
    const failures = createWindowCounter(() => now);
    for (let n = 0; n < 10; n += 1) failures.add('a');
    expect([failures.blockedSeconds('a'), failures.blockedSeconds('b')]).toEqual([60, 0]);
    now = 60_001;
    expect(failures.blockedSeconds('a')).toBe(0);
    failures.add('a');
    expect(failures.blockedSeconds('a')).toBe(0);
  });
});

describe('API tokens', () => {
  const token = {
    orgId: 'acme',
    name: 'ci',
    scope: 'write',
    sha256: createHash('sha256').update('right').digest('hex'),
  } as const;

  it('are found by what was sent, through their hash only', () => {
    const check = createTokenCheck([{ ...token, orgId: 'globex', sha256: '0'.repeat(64) }, token]);
    expect(check.find('Bearer right')).toMatchObject({ orgId: 'acme', name: 'ci' });
    expect(check.find('bearer right')?.orgId).toBe('acme');
    for (const header of [
      undefined,
      '',
      'Bearer',
      'Bearer wrong',
      `Bearer ${token.sha256}`,
      'Basic right',
      'Bearer right ',
    ]) {
      expect(check.find(header)).toBeUndefined();
    }
    expect(bearerOf(`Bearer ${'x'.repeat(600)}`)).toBeUndefined();
  });

  it('with a larger scope may do what a smaller one may', () => {
    const caller = (scope: Caller['scope']): Pick<Caller, 'scope'> => ({ scope });
    const matrix = (['read', 'write', 'admin'] as const).map((scope) =>
      (['read', 'write', 'admin'] as const).map((needed) => hasScope(caller(scope), needed)),
    );
    expect(matrix).toEqual([
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ]);
  });
});
