/** The learned rate against a token bucket like AWS's, in simulated time: hundreds of seconds pass in a few. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createBudgetLedger } from '../../../src/db/call-budget.ts';
import { type DatabaseHandle, openDatabase } from '../../../src/db/client.ts';
import { type BudgetKey, dueInMs, quotaGroupOf } from '../../../src/domain/call-budget.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();
let handle: DatabaseHandle;
beforeAll(() => {
  handle = openDatabase(database().url);
});
afterAll(() => handle.close());

const EPOCH = Date.parse('2026-01-01T00:00:00Z');

/** AWS's side: `ratePerSecond`, `burst`, and a refusal when it is empty. */
function createBucket(ratePerSecond: number, burst: number, startSeconds: number) {
  let tokens = burst;
  let at = startSeconds;
  return (now: number): boolean => {
    tokens = Math.min(burst, tokens + (now - at) * ratePerSecond);
    at = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

interface Sync {
  readonly key: BudgetKey;
  readonly writes: number;
  readonly ratePerSecond: number;
  readonly burst: number;
  readonly startSeconds: number;
}

type Event = { readonly at: number; readonly kind: 'ask' | 'repeat' | 'send' };

/** A sync with four calls in flight, 50 ms each; a throttled call is repeated 250 ms later. */
async function simulate(sync: Sync) {
  let nowSeconds = sync.startSeconds;
  const ledger = createBudgetLedger(handle.db, {
    now: () => sql`${new Date(EPOCH + nowSeconds * 1_000).toISOString()}::timestamptz`,
  });
  const accepts = createBucket(sync.ratePerSecond, sync.burst, sync.startSeconds);
  const events: Event[] = Array.from({ length: 4 }, () => ({ at: sync.startSeconds, kind: 'ask' }));
  let left = sync.writes;
  let calls = 0;
  let throttled = 0;
  for (let event = events.shift(); event; event = events.sort((a, b) => a.at - b.at).shift()) {
    nowSeconds = event.at;
    if (event.kind === 'send') {
      calls += 1;
      const isAccepted = accepts(nowSeconds);
      if (!isAccepted) {
        throttled += 1;
        await ledger.throttled(sync.key);
      }
      events.push(isAccepted ? { at: nowSeconds + 0.05, kind: 'ask' } : { at: nowSeconds + 0.25, kind: 'repeat' });
      continue;
    }
    if (event.kind === 'ask' && left === 0) continue;
    if (event.kind === 'ask') left -= 1;
    const reservation = await ledger.grant(sync.key, 1, 10_000);
    expect(reservation.granted).toBe(1);
    events.push({ at: nowSeconds + dueInMs(reservation, 1) / 1_000, kind: 'send' });
  }
  const idealSeconds = (sync.writes - sync.burst) / sync.ratePerSecond;
  return {
    timeRatio: (nowSeconds - sync.startSeconds) / idealSeconds,
    throttledShare: throttled / calls,
    endSeconds: nowSeconds,
  };
}

function keyOf(accountId: string): BudgetKey {
  const group = quotaGroupOf('ssm.PutParameter');
  if (!group) throw new Error('PutParameter has a budget');
  return { accountId, region: 'eu-west-1', group };
}

async function burstOf({ accountId }: BudgetKey): Promise<number> {
  const [row] = await handle.db.execute(sql`select burst from keyferry.call_budgets where account_id = ${accountId}`);
  return Number(row?.['burst']);
}

describe('the call budget', () => {
  it.each([
    [3, 20],
    [10, 20],
  ])('finds a rate of %i/s with a burst of %i by itself, and remembers it', async (ratePerSecond, burst) => {
    const key = keyOf(`1111222200${String(ratePerSecond).padStart(2, '0')}`);
    const cold = await simulate({ key, writes: 500, ratePerSecond, burst, startSeconds: 0 });
    expect(cold.timeRatio).toBeLessThanOrEqual(1.25);
    expect(cold.throttledShare).toBeLessThanOrEqual(0.03);
    const learned = await simulate({ key, writes: 500, ratePerSecond, burst, startSeconds: cold.endSeconds + 300 });
    expect(learned.timeRatio).toBeLessThanOrEqual(1.1);
    expect(learned.throttledShare).toBeLessThanOrEqual(0.01);
  });

  it.each([
    ['half the rate it had', 10, 5],
    ['twice the rate it had', 3, 6],
  ])('follows an account that gets %s', async (_name, before, after) => {
    const key = keyOf(`1111222211${String(before).padStart(2, '0')}`);
    const first = await simulate({ key, writes: 300, ratePerSecond: before, burst: 20, startSeconds: 0 });
    const second = await simulate({
      key,
      writes: 300,
      ratePerSecond: after,
      burst: 20,
      startSeconds: first.endSeconds + 300,
    });
    const third = await simulate({
      key,
      writes: 300,
      ratePerSecond: after,
      burst: 20,
      startSeconds: second.endSeconds + 300,
    });
    expect(second.throttledShare).toBeLessThanOrEqual(0.03);
    expect(third.timeRatio).toBeLessThanOrEqual(1.25);
  });

  it('finds the burst again that other programs of the account had used up', async () => {
    const key = keyOf('111122223306');
    const pressed = await simulate({ key, writes: 60, ratePerSecond: 3, burst: 2, startSeconds: 0 });
    expect(await burstOf(key)).toBeLessThanOrEqual(3);

    let { endSeconds } = pressed;
    for (let times = 0; times < 10; times += 1) {
      const later = await simulate({ key, writes: 30, ratePerSecond: 3, burst: 20, startSeconds: endSeconds + 600 });
      expect(later.throttledShare).toBeLessThanOrEqual(0.1);
      ({ endSeconds } = later);
    }
    expect(await burstOf(key)).toBe(20);
  });

  it('keeps the learned burst while refusals are recent', async () => {
    const key = keyOf('111122223307');
    let { endSeconds } = await simulate({ key, writes: 60, ratePerSecond: 3, burst: 5, startSeconds: 0 });
    const learned = await burstOf(key);
    for (let times = 0; times < 4; times += 1) {
      ({ endSeconds } = await simulate({
        key,
        writes: 20,
        ratePerSecond: 3,
        burst: 5,
        startSeconds: endSeconds + 30,
      }));
      expect(await burstOf(key)).toBeLessThanOrEqual(learned);
    }
  });

  it.each([3, 10])('learns a rate of %i/s when small syncs meet a burst of 5 every minute', async (ratePerSecond) => {
    const key = keyOf(`1111222244${String(ratePerSecond).padStart(2, '0')}`);
    const ratios: number[] = [];
    let startSeconds = 0;
    for (let times = 0; times < 12; times += 1) {
      const one = await simulate({ key, writes: 20, ratePerSecond, burst: 5, startSeconds });
      ratios.push(one.timeRatio);
      startSeconds = one.endSeconds + 60;
    }
    expect(Math.max(...ratios.slice(5))).toBeLessThanOrEqual(1.2);
  });

  it('learns a rate of its own where AWS counts operations apart', async () => {
    const where = { accountId: '111122223308', region: 'eu-west-1' };
    const ledger = createBudgetLedger(handle.db);
    const groupOf = (operation: string) => {
      const group = quotaGroupOf(operation);
      if (!group) throw new Error(`${operation} has a budget`);
      return { ...where, group };
    };
    const before = await ledger.grant(groupOf('ssm.GetParameters'), 1, 1_000);
    for (let times = 0; times < 5; times += 1) {
      await ledger.grant(groupOf('ssm.GetParametersByPath'), 1, 1_000);
      await ledger.throttled(groupOf('ssm.GetParametersByPath'));
    }
    const after = await ledger.grant(groupOf('ssm.GetParameters'), 1, 1_000);
    expect(after.ratePerSecond).toBeGreaterThanOrEqual(before.ratePerSecond);
  });

  it('learns that an account allows less at once than usual', async () => {
    const key = keyOf('111122223305');
    const first = await simulate({ key, writes: 200, ratePerSecond: 3, burst: 5, startSeconds: 0 });
    const second = await simulate({
      key,
      writes: 200,
      ratePerSecond: 3,
      burst: 5,
      startSeconds: first.endSeconds + 600,
    });
    expect(second.throttledShare).toBeLessThanOrEqual(0.03);
    expect(second.timeRatio).toBeLessThanOrEqual(1.1);
  });
});
