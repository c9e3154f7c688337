/** The row of a call budget, for the statements that grant and refuse. */
import { sql, type SQL } from 'drizzle-orm';

import type { BudgetKey } from '../domain/call-budget.ts';

/** Calls per second that a granted call adds before the first refusal: a doubling each second. */
export const UNKNOWN_GROWTH = 0.7;
/** Share of the measured rate that is used. */
export const BELOW_CEILING = 0.98;
/**
 * How late the calls of a busy process may be, in what was measured between two refusals or since a
 * rest, where a process has often just started.
 */
export const LATE_SECONDS = { afterRefusal: 0.5, afterRest: 0.8 } as const;
/** Refusals this close together are one. */
export const EPISODE_SECONDS = 1;

export interface BudgetRow {
  readonly key: BudgetKey;
  readonly now: SQL;
}

export function whereKey({ accountId, region, group }: BudgetKey): SQL {
  return sql`account_id = ${accountId} and region = ${region} and quota_group = ${group.name}`;
}
