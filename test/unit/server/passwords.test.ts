import { createHash, randomBytes } from 'node:crypto';

import { expect, it } from 'vitest';

import { parsePasswordHash } from '../../../src/domain/password-hash.ts';
import { createLoginCheck } from '../../../src/server/guard/login.ts';
import { createPasswordCheck, type NamedOperator } from '../../../src/server/guard/passwords.ts';
import { hashPassword } from '../../../src/server/guard/scrypt.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const MINUTE = 60_000;

/** As quick as a test wants it. */
const quick = (password: string, salt: Uint8Array) =>
  Promise.resolve(createHash('sha256').update(salt).update(password).digest());

async function operator(name: string, password: string): Promise<NamedOperator> {
  const salt = randomBytes(16);
  return { name, password: { salt, hash: await quick(password, salt) } };
}

/** Counts what takes the time of a login. */
async function counted(...operators: readonly NamedOperator[]) {
  const derived: string[] = [];
  let now = 0;
  const check = createPasswordCheck(operators, {
    now: () => now,
    derive: (password, salt) => {
      derived.push(password);
      return quick(password, salt);
    },
  });
  return { check, derived, pass: (ms: number) => void (now += ms) };
}

it('reads what the command line made, and takes the own password of each only', { timeout: 60_000 }, async () => {
  const password = parsePasswordHash(await hashPassword('the: password é of ann'));
  if (password === undefined) throw new Error('The hash cannot be read back.');
  const operators = [{ name: 'ann', password }];
  const check = createLoginCheck({ login: { user: 'root', password: 'the first password' }, operators }, () => 0);
  const verify = (text: string) => check.verify(basic(text), 'a');
  expect(await verify('ann:the: password é of ann')).toEqual({ is: 'ok', name: 'ann' });
  expect(await verify('root:the first password')).toEqual({ is: 'ok', name: 'root' });
  for (const wrong of ['ann:the first password', 'root:the: password é of ann'])
    expect([wrong, (await verify(wrong)).is]).toEqual([wrong, 'refused']);
});

it('takes each operator with the own password, and nobody else', async () => {
  const { check } = await counted(await operator('ann', 'of ann'), await operator('bob', 'of bob'));
  for (const right of ['ann:of ann', 'bob:of bob'])
    expect(await check.verify(right, 'a')).toEqual({ name: right.slice(0, 3) });
  for (const wrong of ['ann:of bob', 'eve:of ann', 'ann', ':', ''])
    expect(await check.verify(wrong, 'a')).toBeUndefined();
});

it('costs the same for an unknown name, a known one and none', async () => {
  const { check, derived } = await counted(await operator('ann', 'the password of ann'));
  for (const given of ['ann:wrong', 'eve:wrong', 'wrong', ':wrong']) {
    expect(await check.verify(given, 'a')).toBeUndefined();
    expect([given, derived.splice(0)]).toEqual([given, ['wrong']]);
  }
});

it('computes a right login once, also when it comes many times at once, and again after ten minutes', async () => {
  const { check, derived, pass } = await counted(await operator('ann', 'the password of ann'));
  const login = () => check.verify('ann:the password of ann', 'a');
  const found = await Promise.all(Array.from({ length: 30 }, login));
  expect(new Set(found.map((one) => (one as { name: string }).name))).toEqual(new Set(['ann']));
  expect([derived.length, await login(), derived.length]).toEqual([1, { name: 'ann' }, 1]);
  pass(10 * MINUTE);
  expect([await login(), derived.length]).toEqual([{ name: 'ann' }, 2]);
});

it('forgets no wrong one into a right one', async () => {
  const { check } = await counted(await operator('ann', 'the password of ann'));
  await check.verify('ann:the password of ann', 'a');
  expect(await check.verify('ann:the password of ann ', 'a')).toBeUndefined();
});

it('lets one address wait with five guesses, and others still come in', async () => {
  const { check } = await counted(await operator('ann', 'the password of ann'));
  const guesses = Array.from({ length: 9 }, (_, n) => check.verify(`ann:guess ${String(n)}`, 'guesser'));
  const right = check.verify('ann:the password of ann', 'elsewhere');
  const verdicts = await Promise.all(guesses);
  expect(verdicts.filter((one) => one === 'busy')).toHaveLength(4);
  expect(await right).toEqual({ name: 'ann' });
  expect(await check.verify('ann:the password of ann', 'guesser')).toEqual({ name: 'ann' });
});
