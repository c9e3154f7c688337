/**
 * The learned rate against a token bucket like AWS's, in simulated time: hundreds of seconds pass
 * in a few.
 */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createBudgetLedger } from '../../../src/db/call-budget.ts';
import { type DatabaseHandle, openDatabase } from '../../../src/db/client.ts';
import { type BudgetKey, quotaGroupOf } from '../../../src/domain/call-budget.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { type Scene, type Simulated, simulateSync } from './simulated-sync.ts';

const database = useTestDatabase();
let handle: DatabaseHandle;
beforeAll(() => {
  handle = openDatabase(database().url);
});
afterAll(() => handle.close());

const EPOCH = Date.parse('2026-01-01T00:00:00Z');

/** A sync by a ledger whose clock is the scene's. */
async function simulate(scene: Scene): Promise<Simulated> {
  const clock = { nowSeconds: scene.startSeconds };
  const ledger = createBudgetLedger(handle.db, {
    now: () => sql`${new Date(EPOCH + clock.nowSeconds * 1_000).toISOString()}::timestamptz`,
  });
  return simulateSync(ledger, clock, scene);
}

function keyOf(accountId: string): BudgetKey {
  const group = quotaGroupOf('ssm.PutParameter');
  if (!group) throw new Error('PutParameter has a budget');
  return { accountId, region: 'eu-west-1', group };
}

async function budgetOf({ accountId }: BudgetKey): Promise<{ readonly burst: number; readonly rate: number }> {
  const [row] = await handle.db.execute(
    sql`select burst, rate_per_second as rate from keyferry.call_budgets
      where account_id = ${accountId}`,
  );
  return { burst: Number(row?.['burst']), rate: Number(row?.['rate']) };
}

const burstOf = async (key: BudgetKey): Promise<number> => (await budgetOf(key)).burst;

let accounts = 600_000_000_000;
const nextAccount = (): string => String((accounts += 1));

type Lateness = (random: () => number) => NonNullable<Scene['late']>;

const busy: Lateness = (random) => () => 0.025 + 0.15 * random();
const starting: Lateness = (random) => (seconds) =>
  0.025 + 0.08 * random() + Math.max(0, 0.8 * (1 - seconds / 2.5)) * (0.5 + 0.5 * random());

/** The same numbers from 0 to 1 in each run of a test. */
function randomBy(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

describe('the call budget', () => {
  it.each<[number, number, number, number]>([
    [3, 20, 100, 1],
    [3, 20, 500, 1],
    [10, 20, 100, 1],
    [10, 20, 500, 1],
    [10, 20, 100, 4],
  ])('finds a rate of %i/s with a burst of %i by %i writes of %i workers, and keeps it', async (...scene) => {
    const [ratePerSecond, burst, writes, workers] = scene;
    const key = keyOf(
      `11${String(workers)}${String(ratePerSecond).padStart(3, '0')}${String(writes).padStart(6, '0')}`,
    );
    const first = await simulate({ key, writes, ratePerSecond, burst, workers, startSeconds: 0 });
    expect(first.timeRatio).toBeLessThanOrEqual(1.1);
    // Each of four workers has calls on their way when AWS first refuses.
    expect(first.throttledShare).toBeLessThanOrEqual(workers === 1 ? 0.025 : 0.04);
    let { endSeconds } = first;
    for (let times = 0; times < 2; times += 1) {
      const startSeconds = endSeconds + 30;
      const next = await simulate({ key, writes, ratePerSecond, burst, workers, startSeconds });
      expect(next.timeRatio).toBeLessThanOrEqual(1.06);
      expect(next.throttledShare).toBeLessThanOrEqual(0.03);
      ({ endSeconds } = next);
    }
  });

  // A process that has just started sends its first calls late, and a busy one all of them: what
  // is measured before the first refusal is then less than AWS's rate.
  it.each<[string, number, number, Lateness]>([
    ['3/s by 100 writes of a busy process', 3, 100, busy],
    ['3/s by 500 writes of a busy process', 3, 500, busy],
    ['10/s by 100 writes of a busy process', 10, 100, busy],
    ['3/s by 100 writes of a process that starts', 3, 100, starting],
    ['10/s by 500 writes of a process that starts', 10, 500, starting],
  ])('finds a rate of %s', async (_name, ratePerSecond, writes, lateness) => {
    for (let seed = 1; seed <= 3; seed += 1) {
      const key = keyOf(nextAccount());
      const scene = { key, writes, ratePerSecond, burst: 20 };
      const first = await simulate({ ...scene, late: lateness(randomBy(seed)), startSeconds: 0 });
      expect(first.timeRatio).toBeLessThanOrEqual(1.1);
      expect(first.throttledShare).toBeLessThanOrEqual(0.05);
      const startSeconds = first.endSeconds + 30;
      const next = await simulate({ ...scene, late: busy(randomBy(seed)), startSeconds });
      expect(next.timeRatio).toBeLessThanOrEqual(1.07);
      expect(next.throttledShare).toBeLessThanOrEqual(0.03);
    }
  });

  it.each<[number, number, number]>([
    [3, 5, 1.1],
    [10, 5, 1.25],
    [10, 1, 1.35],
  ])('finds a rate of %i/s although AWS allows only %i at once', async (ratePerSecond, burst, ratio) => {
    const key = keyOf(`2211110${String(burst).padStart(2, '0')}${String(ratePerSecond).padStart(3, '0')}`);
    const first = await simulate({ key, writes: 100, ratePerSecond, burst, startSeconds: 0 });
    expect(first.timeRatio).toBeLessThanOrEqual(ratio);
    expect(first.throttledShare).toBeLessThanOrEqual(0.06);
    const startSeconds = first.endSeconds + 30;
    const next = await simulate({ key, writes: 100, ratePerSecond, burst, startSeconds });
    expect(next.timeRatio).toBeLessThanOrEqual(burst === 1 ? 1.15 : 1.1);
    expect(next.throttledShare).toBeLessThanOrEqual(0.03);
  });

  // Where AWS forgives no call that comes a moment early, a tenth of the rate stays unused at most.
  it.each([3, 10])('keeps to a rate of %i/s where AWS allows no burst at all', async (ratePerSecond) => {
    const scene = {
      key: keyOf(`55111${String(ratePerSecond).padStart(7, '0')}`),
      writes: 500,
      ratePerSecond,
      burst: 1,
    };
    const first = await simulate({ ...scene, startSeconds: 0 });
    expect(first.timeRatio).toBeLessThanOrEqual(1.15);
    expect(first.throttledShare).toBeLessThanOrEqual(0.03);
    const next = await simulate({ ...scene, startSeconds: first.endSeconds + 30 });
    expect(next.timeRatio).toBeLessThanOrEqual(1.1);
    expect(next.throttledShare).toBeLessThanOrEqual(0.03);
  });

  it('shares an account with other programs whose load comes and goes', async () => {
    const key = keyOf('331111000010');
    // A third of the rate for 20 seconds of each 40.
    const foreign = (seconds: number) => (Math.floor(seconds / 20) % 2 === 1 ? 3 : 0);
    let startSeconds = 0;
    for (let times = 0; times < 3; times += 1) {
      const one = await simulate({ key, writes: 300, ratePerSecond: 10, burst: 20, foreign, startSeconds });
      expect(one.timeRatio).toBeLessThanOrEqual(1.2);
      expect(one.throttledShare).toBeLessThanOrEqual(0.04);
      startSeconds = one.endSeconds + 30;
    }
  });

  it('goes on when the clock is set back', async () => {
    const key = keyOf('331111000030');
    await simulate({ key, writes: 60, ratePerSecond: 10, burst: 20, startSeconds: 3_600 });
    const again = await simulate({ key, writes: 60, ratePerSecond: 10, burst: 20, startSeconds: 0 });
    expect(again.timeRatio).toBeLessThanOrEqual(2);
  });

  it('starts no faster than was really served, where AWS never refused', async () => {
    const key = keyOf('331111000020');
    const first = await simulate({ key, writes: 60, ratePerSecond: 1_000, burst: 1_000, startSeconds: 0 });
    expect(first.throttledShare).toBe(0);
    const grown = await budgetOf(key);
    await simulate({ key, writes: 1, ratePerSecond: 10, burst: 20, startSeconds: first.endSeconds + 60 });
    const rested = await budgetOf(key);
    expect(grown.rate).toBeGreaterThan(20);
    expect(rested.rate).toBeLessThanOrEqual((60 - 20) / (first.endSeconds - 1));
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
    expect(Math.max(...ratios.slice(5))).toBeLessThanOrEqual(1.25);
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
      await ledger.throttled(groupOf('ssm.GetParametersByPath'), 0);
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
