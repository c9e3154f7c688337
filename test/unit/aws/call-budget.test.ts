import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';

import { createCallBudget } from '../../../src/aws/call-budget.ts';
import { type BudgetLedger, quotaGroupOf } from '../../../src/domain/call-budget.ts';

const group = quotaGroupOf('ssm.PutParameter');
if (!group) throw new Error('PutParameter has a budget');
const callOf = (subjectId: string) => ({ accountId: '111122223333', region: 'eu-west-1', group, subjectId });
const forever = () => new AbortController().signal;

/** One token every `everyMs`, granted one by one. */
function createLedger(everyMs: number) {
  const reservations: number[] = [];
  const ledger: BudgetLedger = {
    grant: (_key, wanted) => {
      reservations.push(wanted);
      return Promise.resolve({ granted: 1, available: 0, ratePerSecond: 1_000 / everyMs });
    },
    throttled: () => Promise.resolve(),
  };
  return { ledger, reservations };
}

/** Each token is due when it is granted: only the clock of the budget goes on, by itself. */
function createSlowBudget(perSecond: number) {
  let now = 0;
  const grant = () => {
    now += 1_000 / perSecond;
    return Promise.resolve({ granted: 1, available: 1, ratePerSecond: perSecond });
  };
  const nowMs = () => now;
  return { budget: createCallBudget({ grant, throttled: () => Promise.resolve() }, { nowMs }), nowMs };
}

describe('the call budget of a process', () => {
  it('lets a small subject pass a large one that waits already', async () => {
    const { ledger } = createLedger(5);
    const budget = createCallBudget(ledger);
    const order: string[] = [];
    const take = async (subjectId: string) => {
      await budget.take(callOf(subjectId), forever());
      order.push(subjectId);
    };
    const large = Array.from({ length: 60 }, () => take('large'));
    await vi.waitUntil(() => order.length >= 10);
    const before = order.length;
    await Promise.all(Array.from({ length: 5 }, () => take('small')));
    const between = order.slice(before, order.lastIndexOf('small')).filter((subject) => subject === 'large');
    expect(between.length).toBeLessThanOrEqual(3);
    await Promise.all(large);
  });

  it('shares evenly between two large subjects', async () => {
    const { ledger } = createLedger(2);
    const budget = createCallBudget(ledger);
    const served: string[] = [];
    const take = async (subjectId: string) => {
      await budget.take(callOf(subjectId), forever());
      served.push(subjectId);
    };
    await Promise.all([...Array.from({ length: 40 }, () => take('a')), ...Array.from({ length: 40 }, () => take('b'))]);
    const early = served.slice(0, 40).filter((subject) => subject === 'a').length;
    expect(early).toBeGreaterThanOrEqual(15);
    expect(early).toBeLessThanOrEqual(25);
  });

  it('gives a subject that comes back from a rest its fair share, not what it missed', async () => {
    const budget = createCallBudget(createLedger(2).ledger);
    const served: string[] = [];
    const of = (subjectId: string) => served.filter((one) => one === subjectId).length;
    const lanes = (subjectId: string, isOver: () => boolean) =>
      Array.from({ length: 8 }, async () => {
        while (!isOver()) {
          await budget.take(callOf(subjectId), forever());
          served.push(subjectId);
        }
      });
    let isEnding = false;
    const busy = ['busy', 'busy too'].flatMap((subjectId) => lanes(subjectId, () => isEnding));
    await Promise.all(lanes('rested', () => of('rested') >= 10));
    await vi.waitUntil(() => of('busy') >= 120, { timeout: 5_000 });
    const before = served.length;
    const again = lanes('rested', () => isEnding);
    await vi.waitUntil(() => served.length >= before + 90, { timeout: 5_000 });
    isEnding = true;
    const shares = new Map(['rested', 'busy', 'busy too'].map((one) => [one, 0]));
    for (const one of served.slice(before, before + 90)) shares.set(one, (shares.get(one) ?? 0) + 1);
    await Promise.all([...busy, ...again]);
    const unfair = [...shares].filter(([, share]) => share < 20 || share > 45);
    expect(unfair).toEqual([]);
  });

  it('gives the place back when the wait is too long, without spending an attempt', async () => {
    const budget = createCallBudget({
      grant: () => Promise.resolve({ granted: 0, available: -30, ratePerSecond: 3 }),
      throttled: () => Promise.resolve(),
    });
    await expect(budget.take(callOf('a'), forever())).rejects.toMatchObject({
      code: 'AWS_THROTTLED',
      disposition: 'snooze',
      retryAfterMs: 10_334,
    });
  });

  it.each([
    { perSecond: 2, served: 8 },
    { perSecond: 1, served: 6 },
  ])('serves $served of the eight calls of a sync at $perSecond a second', async ({ perSecond, served }) => {
    const { budget, nowMs } = createSlowBudget(perSecond);
    const calls = Array.from({ length: 8 }, () => budget.take(callOf('a'), forever()).then(() => nowMs()));
    const settled = await Promise.allSettled(calls);
    const times = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(times).toEqual(Array.from({ length: served }, (_, n) => ((n + 1) * 1_000) / perSecond));
    const errors: unknown[] = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    // Sent away at the first token: six more are given out before there is one for them.
    for (const error of errors) expect(error).toMatchObject({ code: 'AWS_THROTTLED', retryAfterMs: 6_000 });
  });

  it('forgets who is stopped while waiting, and wastes no token on it', async () => {
    const { ledger } = createLedger(20);
    const budget = createCallBudget(ledger);
    const controller = new AbortController();
    const stopped = budget.take(callOf('a'), controller.signal);
    const other = budget.take(callOf('b'), forever());
    controller.abort(new Error('stopped'));
    await expect(stopped).rejects.toMatchObject({ code: 'BUG_UNEXPECTED' });
    await other;
  });

  it('asks the ledger once for all who wait', async () => {
    const reservations: number[] = [];
    const budget = createCallBudget({
      grant: (_key, wanted) => {
        reservations.push(wanted);
        return Promise.resolve({ granted: wanted, available: wanted, ratePerSecond: 40 });
      },
      throttled: () => Promise.resolve(),
    });
    await Promise.all(Array.from({ length: 20 }, (_, index) => budget.take(callOf(String(index)), forever())));
    expect(reservations).toEqual([20]);
  });

  it('gives tokens that are not due yet back after a refusal, and asks anew', async () => {
    const returned: number[] = [];
    let grants = 0;
    const budget = createCallBudget(
      {
        grant: (_key, wanted) => {
          grants += 1;
          // The first grant promises one token now and the others an hour later.
          return Promise.resolve({ granted: wanted, available: grants === 1 ? 1 : wanted, ratePerSecond: 1 / 3_600 });
        },
        throttled: (_key, count) => {
          returned.push(count);
          return Promise.resolve();
        },
      },
      { maxWaitMs: 10_000_000 },
    );
    const calls = Array.from({ length: 4 }, () => budget.take(callOf('a'), forever()));
    await calls[0];
    await budget.throttled(callOf('a'));
    await Promise.all(calls);
    expect({ returned, grants }).toEqual({ returned: [3], grants: 2 });
  });

  it('hands out no token early when several calls on their way are refused', async () => {
    const recordings: (() => void)[] = [];
    let grants = 0;
    const budget = createCallBudget(
      {
        grant: () => {
          grants += 1;
          // Two tokens now; after the refusals the next is due in an hour.
          return Promise.resolve({ granted: 2, available: grants === 1 ? 2 : 0, ratePerSecond: 1 / 3_600 });
        },
        throttled: () =>
          new Promise((resolve) => {
            recordings.push(resolve);
          }),
      },
      { maxWaitMs: 10_000_000 },
    );
    await Promise.all([budget.take(callOf('a'), forever()), budget.take(callOf('a'), forever())]);
    let isServed = false;
    const controller = new AbortController();
    const next = budget.take(callOf('a'), controller.signal).then(() => {
      isServed = true;
    });
    const refusals = [budget.throttled(callOf('a')), budget.throttled(callOf('a'))];
    for (const record of recordings) {
      record();
      await turn();
    }
    await Promise.all(refusals);
    await vi.waitUntil(() => grants === 2);
    await turn();
    expect(isServed).toBe(false);
    controller.abort(new Error('the test ends'));
    await expect(next).rejects.toMatchObject({ code: 'BUG_UNEXPECTED' });
  });

  it('passes on that the ledger cannot be reached', async () => {
    const budget = createCallBudget({
      grant: () => Promise.reject(new Error('down')),
      throttled: () => Promise.resolve(),
    });
    await expect(budget.take(callOf('a'), forever())).rejects.toMatchObject({ code: 'BUG_UNEXPECTED' });
  });
});
