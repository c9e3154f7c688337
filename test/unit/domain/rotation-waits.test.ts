import { expect, test } from 'vitest';

import {
  afterRefusal,
  decideConfirmation,
  holdUntil,
  newForeignUse,
  quietUntil,
} from '../../../src/domain/rotation/waits.ts';
import { parsePhaseState, type Cycle } from '../../../src/domain/rotation/rotation.ts';

const start = Date.parse('2026-03-01T12:00:00Z');
const later = (seconds: number) => new Date(start + seconds * 1_000);
const times = { graceMs: 60_000, quietMs: 3_600_000, holdMs: 7_200_000 };
const cycle = (changes: Partial<Cycle> = {}): Cycle => {
  const { cycle: made } = parsePhaseState({
    cycle: { startedAt: later(0).toISOString(), publishedAt: later(0).toISOString() },
  });
  if (!made) throw new Error('no cycle');
  return { ...made, ...changes };
};

test('a refused key is tried again after 1, 2, 4, 8, 16 s, and given up after two minutes', () => {
  const delays: number[] = [];
  let elapsed = 0;
  for (let polls = 1; polls < 30; polls += 1) {
    const next = afterRefusal({ startedAt: later(0).toISOString(), polls }, later(elapsed));
    if (next.decision === 'timeout') break;
    delays.push(next.delayMs / 1_000);
    elapsed += next.delayMs / 1_000;
  }
  expect(delays.slice(0, 6)).toEqual([1, 2, 4, 8, 16, 16]);
  expect(elapsed).toBe(120);
});

test('after a long outage the key is still tried a few times', () => {
  expect(afterRefusal({ startedAt: later(0).toISOString(), polls: 1 }, later(9_000))).toEqual({
    decision: 'again',
    delayMs: 1_000,
  });
  expect(afterRefusal({ startedAt: later(0).toISOString(), polls: 5 }, later(9_000))).toEqual({ decision: 'timeout' });
});

const sync = (name: string, hasConfirmed: boolean) => ({ id: `id-${name}`, name, hasConfirmed });

test('the publication ends when every dependent has confirmed or is skipped', () => {
  const dependents = [sync('a', true), sync('b', false)];
  expect(decideConfirmation(cycle(), dependents, later(1))).toMatchObject({ decision: 'wait', names: ['b'] });
  expect(decideConfirmation(cycle({ skipSyncs: ['b'] }), dependents, later(1))).toEqual({ decision: 'confirmed' });
  expect(decideConfirmation(cycle(), [], later(1))).toEqual({ decision: 'confirmed' });
});

test('waiting for dependents grows to 30 s, and after an hour a person is asked', () => {
  const wait = (dependentPolls: number) => decideConfirmation(cycle({ dependentPolls }), [sync('b', false)], later(1));
  expect([0, 7, 8, 10, 20].map((polls) => wait(polls))).toMatchObject([
    { delayMs: 250 },
    { delayMs: 250 },
    { delayMs: 1_000 },
    { delayMs: 4_000 },
    { delayMs: 30_000 },
  ]);
  expect(decideConfirmation(cycle(), [sync('b', false)], later(3_600))).toEqual({ decision: 'block', names: ['b'] });
});

test('the old key stays for the longer of grace and quiet time', () => {
  const quietFrom = later(10).toISOString();
  expect(quietUntil(cycle({ quietFrom }), times)).toEqual(later(3_610));
  expect(quietUntil(cycle({ quietFrom }), { ...times, graceMs: 9_000_000 })).toEqual(later(9_010));
});

test('the quiet time counts from the last foreign use', () => {
  const quietFrom = later(10).toISOString();
  const foreignUse = { at: later(3_000).toISOString(), text: '' };
  expect(quietUntil(cycle({ quietFrom, foreignUse }), times)).toEqual(later(6_600));
});

test('a key that was brought back stays for a day, however short the quiet time is', () => {
  const back = cycle({ quietFrom: later(10).toISOString(), reactivatedAt: later(10).toISOString() });
  expect(quietUntil(back, { graceMs: 0, quietMs: 0, holdMs: 0 })).toEqual(later(10 + 24 * 3_600));
});

test('only a use after the publication that was not counted yet is news', () => {
  const use = (seconds: number) => ({ at: later(seconds), service: 's3', region: 'eu-west-1' });
  expect(newForeignUse(cycle(), ['never', 'denied', use(-5)])).toBeUndefined();
  expect(newForeignUse(cycle(), [use(5), use(50)])).toEqual(use(50));
  expect(newForeignUse(cycle({ foreignUse: { at: later(50).toISOString(), text: '' } }), [use(50)])).toBeUndefined();
});

test('the hold counts from the deactivation', () => {
  expect(holdUntil(cycle({ deactivatedAt: later(100).toISOString() }), times)).toEqual(later(7_300));
});
