/**
 * The ledger of the call budget: a token bucket per account, region and quota group, shared by all workers, whose rate is learned.
 *
 * The rate grows while calls wait for it and AWS does not object: quickly until the first refusal, carefully after it.
 * Between two refusals AWS's bucket went from empty to empty, so what was granted in between is AWS's rate: the budget
 * then stays just below it, and probes only once more was granted than AWS can have saved up. One refusal counts once,
 * however many calls were in flight. A refusal right after a pause shrinks the burst and leaves the rate as it is. The
 * burst grows again while whole bursts pass long after the last refusal.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { BudgetKey, BudgetLedger, Reservation } from '../domain/call-budget.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';

/**
 * Growth per second while calls wait: before the first refusal, after a pause or a refusal of the burst, after one that
 * measured nothing, and beyond the measured rate. The last grows with
 * the square of the time without a refusal, up to `bold`, so that an account that was given more is found in minutes.
 */
const GROWTH = {
  unknown: 0.2,
  rested: 0.1,
  careful: 0.03,
  probing: 0.0005,
  bold: 0.02,
  boldAfterSeconds: 300,
} as const;
/** Share of the measured rate that is used. */
const BELOW_CEILING = 0.97;
/** What a refusal leaves of the rate when it measured nothing. */
const CUT = 0.7;
/** Calls between two refusals that make a measurement. */
const MIN_MEASURED = 5;
/** How far ahead of its due time a token is promised to one process: others queue behind that. */
const AHEAD_SECONDS = 0.25;
/** Refusals this close together are one. */
const EPISODE_SECONDS = 2;
/** After a refusal of the burst, the next one soon says that the rate is too high, too. */
const BURST_EPISODE_SECONDS = 0.3;
/** A burst that was used up without a refusal grows, if the last refusal is this long ago. */
const BURST_GROWTH = { factor: 1.5, afterSeconds: 300 } as const;

export interface BudgetLedgerOptions {
  /** The moment of a statement; the database's clock, which all workers share, unless a simulation says otherwise. */
  readonly now?: () => SQL;
}

export function createBudgetLedger(db: Database, options: BudgetLedgerOptions = {}): BudgetLedger {
  const now = options.now ?? (() => sql`clock_timestamp()`);
  return {
    grant: (key, wanted, maxWaitMs) => grant(db, { key, now: now() }, { wanted, maxWaitSeconds: maxWaitMs / 1_000 }),
    throttled: (key) => throttled(db, { key, now: now() }),
  };
}

interface BudgetRow {
  readonly key: BudgetKey;
  readonly now: SQL;
}

function whereKey({ accountId, region, group }: BudgetKey): SQL {
  return sql`account_id = ${accountId} and region = ${region} and quota_group = ${group.name}`;
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

async function open(db: Database, { key, now }: BudgetRow): Promise<void> {
  const { accountId, region, group } = key;
  await execute(
    db,
    sql`
      insert into keyferry.call_budgets (account_id, region, quota_group, rate_per_second, burst, tokens, refilled_at, window_started_at, window_granted)
      values (${accountId}, ${region}, ${group.name}, ${group.initialRate}, ${group.burst}, ${group.burst}, ${now}, ${now}, ${-group.burst})
      on conflict do nothing`,
  );
}

async function takeTokens(db: Database, { key, now }: BudgetRow, ask: Ask): Promise<Reservation | undefined> {
  const [row] = await execute(
    db,
    sql`
      with budget as materialized (
        select *, ${now} as at from keyferry.call_budgets where ${whereKey(key)} for update
      ),
      filled as (
        select *, greatest(0, extract(epoch from at - refilled_at))::float8 as elapsed from budget
      ),
      level as (
        select *, least(burst, tokens + elapsed * rate_per_second) as available, tokens + elapsed * rate_per_second >= burst as is_full from filled
      ),
      grown as (
        select *, case
          when available >= 1 then rate_per_second
          when ceiling_rate is null then least(${key.group.maxRate}::float8, rate_per_second * exp(least(elapsed, 1) *
            case when throttled_at is null then ${GROWTH.unknown}::float8
              when window_started_at > throttled_at then ${GROWTH.rested}::float8
              else ${GROWTH.careful}::float8 end))
          when rate_per_second < ceiling_rate * ${BELOW_CEILING}::float8
            then least(ceiling_rate * ${BELOW_CEILING}::float8, rate_per_second * exp(least(elapsed, 1) * ${GROWTH.unknown}::float8))
          -- AWS may still serve from a burst that is larger than the learned one: that proves no higher rate.
          when window_granted <= ${key.group.burst}::float8 - burst then rate_per_second
          else least(${key.group.maxRate}::float8, rate_per_second * exp(least(elapsed, 1) * (${GROWTH.probing}::float8 + ${GROWTH.bold}::float8
            * least(1, power(extract(epoch from at - throttled_at)::float8 / ${GROWTH.boldAfterSeconds}::float8, 2)))))
        end as rate from level
      ),
      sized as (
        select *, case
          when is_full and burst < ${key.group.burst}::float8 and window_granted >= 0 and window_started_at > throttled_at
            and at > throttled_at + make_interval(secs => ${BURST_GROWTH.afterSeconds})
          then least(${key.group.burst}::float8, ceil(burst * ${BURST_GROWTH.factor}::float8))
          else burst
        end as next_burst from grown
      ),
      granted as (
        select *, greatest(0, least(
          ${ask.wanted}::float8,
          greatest(1, floor(available), floor(rate * ${AHEAD_SECONDS}::float8)),
          floor(available + rate * ${ask.maxWaitSeconds}::float8)
        )) as n from sized
      ),
      taken as (
        update keyferry.call_budgets b set
          rate_per_second = granted.rate,
          burst = granted.next_burst,
          tokens = granted.available - granted.n, refilled_at = greatest(b.refilled_at, granted.at),
          window_started_at = case when granted.is_full then granted.at else b.window_started_at end,
          window_granted = case when granted.is_full then -granted.next_burst else b.window_granted end + granted.n
        from granted where b.account_id = granted.account_id and b.region = granted.region and b.quota_group = granted.quota_group
        returning granted.n, granted.available, granted.rate
      )
      select n, available, rate from taken`,
  );
  return row
    ? { granted: Number(row.n), available: Number(row.available), ratePerSecond: Number(row.rate) }
    : undefined;
}

async function throttled(db: Database, { key, now }: BudgetRow): Promise<void> {
  await execute(
    db,
    sql`
      with budget as materialized (
        select *, ${now} as at from keyferry.call_budgets where ${whereKey(key)} for update
      ),
      counted as (
        select *, window_granted - 1 as served, extract(epoch from at - window_started_at)::float8 as seconds,
          throttled_at is not null and at - throttled_at < make_interval(secs => case
            when window_started_at > throttled_at then ${BURST_EPISODE_SECONDS}::float8
            else ${EPISODE_SECONDS}::float8
          end) as is_same
        from budget
      ),
      measured as (
        select *, served >= ${MIN_MEASURED} and seconds > 1 as is_measured from counted
      ),
      judged as (
        select *, case when is_measured then least(rate_per_second, greatest(served / seconds, rate_per_second * 0.5)) end as ceiling,
          -- AWS refused soon after a pause: it allows less at once than we thought, which says nothing of the rate.
          (served < 0 or seconds <= 1) and burst > 1
            and (throttled_at is null or window_started_at > throttled_at + make_interval(secs => ${EPISODE_SECONDS})) as is_of_burst
        from measured
      )
      update keyferry.call_budgets b set
        window_granted = case when judged.is_same then b.window_granted - 1 else 0 end,
        -- After a refusal of the burst, the rate is as unknown as before: the window begins later than the refusal.
        window_started_at = case
          when judged.is_same then b.window_started_at
          when judged.is_of_burst then judged.at + interval '1 millisecond'
          else judged.at
        end,
        throttled_at = case when judged.is_same then b.throttled_at else judged.at end,
        ceiling_rate = case when judged.is_same or judged.is_of_burst then b.ceiling_rate else judged.ceiling end,
        burst = case
          when judged.is_same or not judged.is_of_burst then b.burst
          when judged.served < 0 then greatest(1, b.burst + judged.served)
          else greatest(1, floor(b.burst * ${CUT}::float8))
        end,
        rate_per_second = case when judged.is_same or judged.is_of_burst then b.rate_per_second
          else greatest(0.2, coalesce(judged.ceiling * ${BELOW_CEILING}::float8, b.rate_per_second * ${CUT}::float8)) end,
        tokens = case when judged.is_same then b.tokens else least(b.tokens, 0) - 1 end
      from judged where b.account_id = judged.account_id and b.region = judged.region and b.quota_group = judged.quota_group`,
  );
}

async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}
