/** What belongs to an org or an AWS account as a whole. */
import { sql } from 'drizzle-orm';
import { doublePrecision, primaryKey, text } from 'drizzle-orm/pg-core';

import { moment } from '../moment.ts';
import { created, keyferry } from './columns.ts';

export const orgs = keyferry.table('orgs', {
  id: text('id').primaryKey(),
  /** Key of the fingerprints in `sync_entries`, encrypted; the key itself never changes. */
  fingerprintKey: text('fingerprint_key').notNull(),
  createdAt: created(),
});

/**
 * Token buckets shared by all workers: one row per account, region and operation group, with what
 * was learned of AWS's rate.
 */
export const callBudgets = keyferry.table(
  'call_budgets',
  {
    accountId: text('account_id').notNull(),
    region: text('region').notNull(),
    quotaGroup: text('quota_group').notNull(),
    ratePerSecond: doublePrecision('rate_per_second').notNull(),
    /** The rate at which AWS was last seen to throttle; null while that is unknown. */
    ceilingRate: doublePrecision('ceiling_rate'),
    /** How many calls surely show that rate. */
    measuredCalls: doublePrecision('measured_calls').notNull().default(0),
    burst: doublePrecision('burst').notNull(),
    /** Below zero when calls are promised ahead of time. */
    tokens: doublePrecision('tokens').notNull(),
    refilledAt: moment('refilled_at')
      .notNull()
      .default(sql`now()`),
    throttledAt: moment('throttled_at'),
    // When AWS's own bucket was last known to be full or empty: what was granted since then
    // measures its rate.
    windowStartedAt: moment('window_started_at')
      .notNull()
      .default(sql`now()`),
    windowGranted: doublePrecision('window_granted').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.region, t.quotaGroup] })],
);
