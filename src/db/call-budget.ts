/**
 * The ledger of the call budget: a token bucket per account, region and quota group, shared by all
 * workers, whose rate is learned.
 *
 * AWS's side is a bucket of unknown rate and size, which every refusal shows to be empty. What was
 * granted between two refusals is therefore AWS's rate, as exact as the window is long: a second
 * refusal soon after the first keeps its window. The first window begins at rest, where AWS's
 * bucket is full, so the burst is taken off.
 *
 *   at rest        → the burst, call after call at a pace that shows a smaller one in time
 *   never refused  → the rate doubles each second while calls wait
 *   refused        → just below the measured rate; it then grows with every call: the more, the
 *                    fewer calls that was measured by, and the more calls and time without a
 *                    refusal
 *   at rest again  → no faster than what was really served before
 *
 * One refusal counts once, however many calls were in flight. One within the burst shrinks the
 * burst alone; it grows again while whole bursts pass long after the last refusal.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { BudgetKey, BudgetLedger, Reservation } from '../domain/call-budget.ts';
import type { Database } from './client.ts';
import { refuse } from './call-budget-refusal.ts';
import {
  BELOW_CEILING,
  type BudgetRow,
  EPISODE_SECONDS,
  LATE_SECONDS,
  UNKNOWN_GROWTH,
  whereKey,
} from './call-budget-row.ts';
import { execute } from './statement.ts';

/**
 * Shares of a measured rate that a granted call adds while calls wait: for each call, more with
 * each 20 s since the last refusal (ten times at most), with each call since it, and with each
 * beyond the hundredth, so that an account that was given more is found within two syncs.
 */
const GROWTH = { each: 0.0003, perCall: 0.000_007, perLaterCall: 0.000_02 } as const;
/**
 * How wrong a measurement may be: by one call of those that it surely rests on. The rate grows up
 * to that error. Each call adds a share of it, which is the smaller, the more calls were measured:
 * the rate is then measured again after several times as many.
 */
const DOUBT = { share: 0.25, most: 0.1 } as const;
/**
 * How far below a full burst a burst begins: AWS's bucket, which is full, gains nothing until the
 * first call arrives.
 */
const BURST_MARGIN = 0.5;
/**
 * At which calls of a burst are made, or at the rate if that is higher: a smaller burst shows
 * before many are refused.
 */
const BURST_PACE = 40;
/** How far ahead of its due time a token is promised to one process: others queue behind that. */
const AHEAD_SECONDS = { burst: 0.05, growing: 0.05, known: 0.25 } as const;
/** A burst that was used up without a refusal grows, if the last refusal is this long ago. */
const BURST_GROWTH = { factor: 1.5, afterSeconds: 300 } as const;

export interface BudgetLedgerOptions {
  /**
   * The time of a statement: the database's clock, which all workers share, unless a simulation
   * replaces it.
   */
  readonly now?: () => SQL;
}

export function createBudgetLedger(db: Database, options: BudgetLedgerOptions = {}): BudgetLedger {
  const now = options.now ?? (() => sql`clock_timestamp()`);
  return {
    grant: (key, wanted, maxWaitMs) => grant(db, { key, now: now() }, { wanted, maxWaitSeconds: maxWaitMs / 1_000 }),
    throttled: (key, returned) => refuse(db, { key, now: now() }, returned),
  };
}

interface Ask {
  readonly wanted: number;
  readonly maxWaitSeconds: number;
}

async function grant(db: Database, place: BudgetRow, ask: Ask): Promise<Reservation> {
  const found = await takeTokens(db, place, ask);
  if (found) return found;
  await open(db, place);
  const { wanted } = ask;
  return (
    (await takeTokens(db, place, ask)) ?? {
      granted: wanted,
      available: wanted,
      ratePerSecond: place.key.group.initialRate,
    }
  );
}

/** Inserts the budget’s row, with a full burst; a row that another process inserted first stays. */
async function open(db: Database, { key, now }: BudgetRow): Promise<void> {
  const { accountId, region, group } = key;
  await execute(
    db,
    sql`
      insert into keyferry.call_budgets (account_id, region, quota_group, rate_per_second, burst,
        tokens, refilled_at, window_started_at, window_granted)
      values (${accountId}, ${region}, ${group.name}, ${group.initialRate}, ${group.burst},
        ${group.burst - BURST_MARGIN}, ${now}, ${now}, ${-group.burst})
      on conflict do nothing`,
  );
}

/**
 * Rows: the budget's. Locks: that row. `refilled_at` is ahead of the clock while calls of a burst
 * are spread out, and `tokens` is what there will be then.
 */
async function takeTokens(db: Database, { key, now }: BudgetRow, ask: Ask): Promise<Reservation | undefined> {
  const { initialRate, maxRate } = key.group;
  const [row] = await execute(
    db,
    sql`
      with budget as materialized (
        select *, ${now} as at from keyferry.call_budgets where ${whereKey(key)} for update
      ),
      ${restedLevel(key)},
      paced as (
        select *, available >= 1 as is_burst, greatest(${BURST_PACE}::float8, rate) as pace,
          case when is_rested then at else window_started_at end as started_at,
          case when is_rested then -next_burst else window_granted end as granted_before,
          case when ceiling_rate is null and rate > ${2 * initialRate}::float8
            then ${AHEAD_SECONDS.growing}::float8
            else ${AHEAD_SECONDS.known}::float8 end as ahead_seconds
        from rested
      ),
      granted as (
        select *, case when is_burst
          then least(${ask.wanted}::float8, floor(available),
            greatest(1, floor(pace * ${AHEAD_SECONDS.burst}::float8)))
          else greatest(0, least(${ask.wanted}::float8, greatest(1, floor(rate * ahead_seconds)),
            floor(available + rate * ${ask.maxWaitSeconds}::float8))) end as n
        from paced
      ),
      spread as (
        select *, case when is_burst then ahead + n / pace else ahead end as ahead_after
        from granted
      ),
      taken as (
        update keyferry.call_budgets b set
          rate_per_second = ${grownRate(maxRate)},
          burst = spread.next_burst,
          tokens = spread.available - spread.n + spread.ahead_after * spread.rate,
          refilled_at = spread.at + make_interval(secs => spread.ahead_after),
          window_started_at = spread.started_at,
          window_granted = spread.granted_before + spread.n
        from spread
        where b.account_id = spread.account_id and b.region = spread.region
          and b.quota_group = spread.quota_group
        returning spread.*
      )
      select n, case when is_burst then 1 - ahead * pace else available end as available,
        case when is_burst then pace else rate end as rate
      from taken`,
  );
  return row
    ? { granted: Number(row.n), available: Number(row.available), ratePerSecond: Number(row.rate) }
    : undefined;
}

/**
 * The row `budget` with the tokens that are there; after a rest, with the burst and the rate to
 * restart with.
 */
function restedLevel({ group: { initialRate, burst: fullBurst } }: BudgetKey): SQL {
  return sql`filled as (
        select *, greatest(0, extract(epoch from at - refilled_at))::float8 as elapsed,
          -- Further ahead than a burst reaches, the clock was set back.
          case when refilled_at between at and at
            + make_interval(secs => burst / ${BURST_PACE}::float8)
            then extract(epoch from refilled_at - at)::float8 else 0 end as ahead,
          case when window_granted > 0 then window_granted
            / nullif(extract(epoch from refilled_at - window_started_at)::float8, 0)
              end as served_rate
        from budget
      ),
      level as (
        select *, least(full_burst, tokens + (elapsed - ahead) * rate_per_second) as available,
          window_granted > -burst and ahead = 0
            and tokens + elapsed * rate_per_second >= full_burst as is_rested
        from (
          select *, greatest(1, burst - ${BURST_MARGIN}::float8) as full_burst from filled
        ) filled
      ),
      rested as (
        select *,
          case
            when not is_rested or (ceiling_rate is null and served_rate is null)
              then rate_per_second
            when ceiling_rate is null
              then least(rate_per_second, greatest(${initialRate}::float8, served_rate))
            else least(rate_per_second,
              greatest(ceiling_rate * ${BELOW_CEILING}::float8, served_rate)) end as rate,
          case
            when is_rested and burst < ${fullBurst}::float8 and window_granted >= 0
              and window_started_at > throttled_at
              and at > throttled_at + make_interval(secs => ${BURST_GROWTH.afterSeconds})
            then least(${fullBurst}::float8, ceil(burst * ${BURST_GROWTH.factor}::float8))
            else burst end as next_burst
        from level
      )`;
}

/** While calls wait, and not while a refusal is answered. Of the row `spread`. */
function grownRate(maxRate: number): SQL {
  const calls = sql`least(500, greatest(0, spread.granted_before))`;
  const sure = sql`greatest(1, spread.measured_calls)`;
  const doubt = sql`1 / ${sure}`;
  const measured = sql`(${sure} * (1 + ${LATE_SECONDS.afterRest}::float8 * spread.ceiling_rate))`;
  const age = sql`least(10, extract(epoch from spread.at - spread.throttled_at)::float8 / 20)`;
  return sql`case
            when spread.is_burst
              or spread.at < spread.throttled_at + make_interval(secs => ${EPISODE_SECONDS})
            then spread.rate
            else least(${maxRate}::float8, spread.rate + spread.n * case
              when spread.ceiling_rate is null then ${UNKNOWN_GROWTH}::float8
              else spread.rate
                * (${GROWTH.each}::float8 * (1 + ${age}) + ${GROWTH.perCall}::float8 * ${calls}
                  + ${GROWTH.perLaterCall}::float8 * greatest(0, ${calls} - 100)
                  + case when spread.rate > spread.ceiling_rate * (1 + ${doubt}) then 0
                    else least(${DOUBT.most}::float8, ${DOUBT.share}::float8 * ${doubt}
                      / ${measured}) end) end) end`;
}
