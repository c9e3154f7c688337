/** What a refusal by AWS means for a call budget: for its rate, or for its burst alone. */
import { sql } from 'drizzle-orm';

import type { Database } from './client.ts';
import {
  BELOW_CEILING,
  type BudgetRow,
  EPISODE_SECONDS,
  LATE_SECONDS,
  UNKNOWN_GROWTH,
  whereKey,
} from './call-budget-row.ts';
import { execute } from './statement.ts';

/** The factor for the rate after a refusal without a measurement. */
const CUT = 0.7;
/**
 * The smallest factor that one measurement may apply: AWS's bucket may have been full for a while
 * in between, which measures too little.
 */
const FLOOR = { afterRest: 0.95, soon: 0.7, soonCalls: 15, later: 0.9 } as const;
/** What makes a measurement. */
const MEASURED = { calls: 2, seconds: 0.5 } as const;
/** A window younger than this continues across a refusal. */
const SHORT_WINDOW_SECONDS = 10;
/** The factor for the burst after a refusal right behind it. */
const BURST_CUT = 0.85;

/**
 * What each further refusal of an episode takes from our bucket. Nothing: AWS served none of these
 * calls. Only where AWS allows no burst, others that are still on their way use up what its bucket
 * gains.
 */
const DEBT = { withBurst: 0, withoutBurst: 0.5 } as const;

/**
 * Whether AWS's bucket cannot have filled up since the window began: while ours was slower than
 * what was measured it gained less than a burst, our rate having risen steadily.
 */
const wasNeverFull = sql`burst > 1
              and power(greatest(0, served / seconds - ceiling_rate * ${BELOW_CEILING}::float8), 2)
                * seconds < 2 * burst * (rate_per_second - ceiling_rate * ${BELOW_CEILING}::float8)`;

/**
 * The least that AWS's rate must be. Before anything was measured the rate grew from below AWS's,
 * whose bucket was full when ours passed it: a rate r that doubles each second empties the rest of
 * the bucket b when AWS's is r × e^-x, where 1 − (1 + x) e^-x = b × growth ÷ r; here by a
 * polynomial of s = √(2 b × growth ÷ r) that misses e^-x by 0.03 at most.
 */
const leastRate = sql`case
            when ceiling_rate is null then (
              select rate_per_second * (1 - s + 0.17 * s * s)
              from (select least(1.1,
                sqrt(2 * (burst - 0.9) * ${UNKNOWN_GROWTH}::float8 / rate_per_second)) as s) ramp)
            when not is_after_refusal then rate_per_second * ${FLOOR.afterRest}::float8
            when served < ${FLOOR.soonCalls} then rate_per_second * ${FLOOR.soon}::float8
            when ${wasNeverFull} then 0
            else rate_per_second * ${FLOOR.later}::float8 end`;

/**
 * The calls that the measurement surely rests on: fewer than were served, by as many as AWS serves
 * in the time that calls may be late.
 */
const sureCalls = sql`decided.served / (1 + decided.ceiling * case when decided.is_after_refusal
            then ${LATE_SECONDS.afterRefusal}::float8 else ${LATE_SECONDS.afterRest}::float8 end)`;

/** What the refusal means, from the row in `counted`. */
const verdict = sql`judged as (
        -- A call of before the window began is no call of the window.
        select *, case when is_after_refusal then greatest(0, served) else served end
            as served_in_episode,
          served >= ${MEASURED.calls} and seconds >= ${MEASURED.seconds} as is_measured,
          burst > 1 and (served < 0 or (not is_after_refusal
            and (served < ${MEASURED.calls} or seconds < ${MEASURED.seconds}))) as is_of_burst
        from counted
      ),
      measured as (
        select *, case when is_of_burst or not is_measured then ceiling_rate
          else least(rate_per_second, greatest(served / seconds, ${leastRate})) end as ceiling
        from judged
      ),
      decided as (
        select *, case
          when is_same then 'same'
          when is_of_burst then 'burst'
          when not is_measured then 'cut'
          when is_after_refusal and seconds < ${SHORT_WINDOW_SECONDS} then 'kept'
          else 'measured' end as verdict
        from measured
      )`;

/**
 * Rows: the budget's. Locks: that row, which is also the fence: refusals come one after the other.
 * A window that begins exactly at its refusal follows a refusal of the burst; after a refusal of
 * the rate it begins slightly earlier, and after a rest later than any refusal.
 */
export async function refuse(db: Database, { key, now }: BudgetRow, returned: number): Promise<void> {
  await execute(
    db,
    sql`
      with budget as materialized (
        select *, ${now} as at from keyferry.call_budgets where ${whereKey(key)} for update
      ),
      counted as (
        select *, window_granted - ${returned}::float8 - 1 as served,
          extract(epoch from at - window_started_at)::float8 as seconds,
          coalesce(at - throttled_at < make_interval(secs => ${EPISODE_SECONDS}), false) as is_same,
          coalesce(window_started_at <= throttled_at, false) as is_after_refusal
        from budget
      ),
      ${verdict}
      update keyferry.call_budgets b set
        rate_per_second = case decided.verdict
          when 'cut' then greatest(0.2, b.rate_per_second * ${CUT}::float8)
          when 'kept' then greatest(0.2, decided.ceiling * ${BELOW_CEILING}::float8)
          when 'measured' then greatest(0.2, decided.ceiling * ${BELOW_CEILING}::float8)
          else b.rate_per_second end,
        ceiling_rate = case when decided.verdict in ('kept', 'measured') then decided.ceiling
          else b.ceiling_rate end,
        measured_calls = case when decided.verdict in ('kept', 'measured')
          then greatest(${sureCalls}, b.measured_calls / 2) else b.measured_calls end,
        burst = case
          when decided.verdict = 'same' and b.window_started_at = b.throttled_at
          then greatest(1, b.burst - ${returned}::float8 - 1)
          when decided.verdict <> 'burst' then b.burst
          when decided.served < 0 then greatest(1, b.burst + decided.served)
          else greatest(1, floor(b.burst * ${BURST_CUT}::float8)) end,
        tokens = least(b.tokens + ${returned}::float8, 0) - case when not decided.is_same then 1
          when b.burst > 1 then ${DEBT.withBurst}::float8 else ${DEBT.withoutBurst}::float8 end,
        refilled_at = least(b.refilled_at, decided.at),
        window_granted = case
          when decided.verdict = 'kept' then decided.served
          when decided.verdict = 'same' then decided.served_in_episode
          else 0 end,
        window_started_at = case decided.verdict
          when 'burst' then decided.at
          when 'cut' then decided.at - interval '1 millisecond'
          when 'measured' then decided.at - interval '1 millisecond'
          else b.window_started_at end,
        throttled_at = case when decided.is_same then b.throttled_at else decided.at end
      from decided
      where b.account_id = decided.account_id and b.region = decided.region
        and b.quota_group = decided.quota_group`,
  );
}
