/** The rows that runs are about, and what every statement of the engine shares. */
import { sql, type SQL } from 'drizzle-orm';

import type { Kind } from '../../domain/run.ts';
import { untilWon } from '../../concurrency/races.ts';
import { connections, rotations, syncs } from '../schema.ts';

export type ConnectionRow = typeof connections.$inferSelect;
export type SyncRow = typeof syncs.$inferSelect;
export type RotationRow = typeof rotations.$inferSelect;

export interface SubjectRows {
  readonly validate: ConnectionRow;
  readonly sync: SyncRow;
  readonly rotate: RotationRow;
}

export const DUE_CHANNEL = 'keyferry_due';

export const tables = { validate: connections, sync: syncs, rotate: rotations } as const;

export const tableNames: Readonly<Record<Kind, SQL>> = {
  validate: sql`keyferry.connections`,
  sync: sql`keyferry.syncs`,
  rotate: sql`keyferry.rotations`,
};

/** Ends what is open of deleted subjects, whose ids are in the common table expression `gone`. */
export function closedWork(gone: SQL): SQL {
  return sql`closed_requests as (
        update keyferry.requests r set done_at = now() from ${gone} gone
        where r.subject_id = gone.id and r.done_at is null
      ),
      closed_runs as (
        update keyferry.runs r set
          status = 'abandoned',
          finished_at = now(),
          error_code = 'LEASE_LOST',
          error_message = 'It was deleted while this run was under way.'
        from ${gone} gone where r.subject_id = gone.id and r.status = 'running'
      )`;
}

/**
 * The database's clock in milliseconds since the epoch: a number, whatever the session's output
 * format of times.
 */
export const nowMs = sql`(extract(epoch from now()) * 1000)::float8`;

/** An array parameter as PostgreSQL's own literal: ids only, so nothing needs quoting. */
export function textArray(ids: readonly string[]): string {
  return `{${ids.join(',')}}`;
}

/**
 * Fences a lock against the statement's own snapshot. A statement that waits for a row gets that
 * row as it is after the wait, and everything else (requests, folders) as it was before. So a
 * statement that decides by both reads the row first, as `seen` with its `row_version`, and locks
 * it only at this version; when another transaction was faster, nothing is written and the
 * statement runs again with a new snapshot. Every writer of requests, folders or settings also
 * writes the subject's row, so an equal version means that the snapshot is current. For the aliases
 * `t` (locked) and `seen`.
 */
export const isAsSeen = sql`t.xmin = seen.row_version`;

/** Repeats a fenced statement until no other transaction changed its row first. */
export function untilAsSeen<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  return untilWon(attempt);
}
