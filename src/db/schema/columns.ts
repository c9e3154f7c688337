/** What the tables share: the schema itself, and the columns and indexes that recur. */
import { sql, type SQL } from 'drizzle-orm';
import { type AnyPgColumn, bigint, boolean, index, integer, pgSchema, text, uuid } from 'drizzle-orm/pg-core';

import { moment } from '../moment.ts';

export const keyferry = pgSchema('keyferry');

export const created = () =>
  moment('created_at')
    .notNull()
    .default(sql`now()`);

export const updated = () =>
  moment('updated_at')
    .notNull()
    .default(sql`now()`);

/** What the tick and the lease need, the same on every subject. */
export const work = () => ({
  /** Since when `datedStatus` holds; both are kept by the trigger `date_status`. */
  statusSince: moment('status_since')
    .notNull()
    .default(sql`now()`),
  /**
   * The last status besides pending and running; of a sync also `drifted`. Null before the first.
   */
  datedStatus: text('dated_status'),
  description: text('description'),
  projectId: text('project_id'),
  version: integer('version').notNull().default(1),
  /** Earliest moment at which there is anything to do; null while blocked or paused. */
  nextDueAt: moment('next_due_at'),
  wantedRevision: bigint('wanted_revision', { mode: 'number' }).notNull().default(1),
  doneRevision: bigint('done_revision', { mode: 'number' }).notNull().default(0),
  /** Attempts spent on the present wish; 0 after a success. */
  attempt: integer('attempt').notNull().default(0),
  /** Runs ever claimed, those that died included. */
  claims: bigint('claims', { mode: 'number' }).notNull().default(0),
  /** Why the row is due; copied into the job and the run. */
  dueReason: text('due_reason').notNull().default('scheduled'),
  dueRequestedBy: text('due_requested_by'),
  /** The trace of who made it due, as W3C's traceparent; null when nobody traces. */
  dueTraceparent: text('due_traceparent'),
  /**
   * `next_due_at` when the present run was claimed: a difference means that somebody made the row
   * due since.
   */
  claimedDueAt: moment('claimed_due_at'),
  dispatchLeaseUntil: moment('dispatch_lease_until'),
  runLeaseUntil: moment('run_lease_until'),
  /** The id of the run that holds the lease; every write of a run is bound to it. */
  runToken: uuid('run_token'),
  // Indexed instead of the leases themselves: an update that leaves it as it is (a claim, a
  // renewal) touches no index and leaves nothing to vacuum.
  isInFlight: boolean('is_in_flight').generatedAlwaysAs(
    sql`dispatch_lease_until is not null or run_lease_until is not null`,
  ),
});

export function workIndexes(
  name: string,
  t: { nextDueAt: AnyPgColumn; dueReason: AnyPgColumn; isInFlight: AnyPgColumn; id: AnyPgColumn },
) {
  return [
    // Few rows: requested work is dispatched before scheduled work.
    index(`${name}_requested`)
      .on(t.nextDueAt)
      .where(sql`${t.dueReason} = 'requested' and ${t.nextDueAt} is not null`),
    index(`${name}_due`)
      .on(t.nextDueAt)
      .where(sql`${t.nextDueAt} is not null`),
    // Only rows in flight: what the window of an account counts, small however large the table is.
    index(`${name}_in_flight`)
      .on(t.id)
      .where(sql`${t.isInFlight}`),
  ];
}

/**
 * Indexed instead of the status itself, for the same reason: a status comes and goes with every
 * run.
 */
export const troubled = (isTroubled: SQL) => boolean('is_troubled').generatedAlwaysAs(isTroubled);
