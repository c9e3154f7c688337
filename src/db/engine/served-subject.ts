/**
 * The subject's own row after a run: what a settlement writes there, and when the subject is due
 * again.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Kind } from '../../domain/run.ts';
import { assignedFrom, columnTypes } from '../rows.ts';
import { tableNames, tables } from './subjects.ts';

/**
 * The subject's own row, after the run in the common table expression `run`. It is due at the
 * earliest of what is wanted of it:
 *
 *   its runs get nowhere (a hot loop)                       when it is slowed to
 *   a request is open that the run does not answer          now
 *   cancelled, and the run did not notice                   now: the next one does
 *   paused, and a request of its own stays open             as the run says
 *   paused otherwise                                        never
 *   automatic, and wanted beyond what the run served        now
 *   made due while the run was under way                    then
 *   else                                                    as the run says
 */
export function servedSubject(kind: Kind, columns: readonly string[]): SQL {
  const { isPaused, isAutomatic, isCancelled } = conditions[kind];
  const isAhead = sql`(t.wanted_revision > run.served and ${isAutomatic})`;
  const keepsReason = sql`(${isAhead} or run.is_woken or not run.is_final)`;
  return sql`
        update ${tableNames[kind]} t set
          run_token = null,
          run_lease_until = null,
          dispatch_lease_until = null,
          claimed_due_at = null,
          attempt = least(t.attempt, run.attempt),
          done_revision = case when run.is_final then greatest(t.done_revision, run.served)
            else t.done_revision end,
          next_due_at = case
            when run.slowed_until is not null then run.slowed_until
            when waiting.subject_id is not null then now()
            when ${isCancelled} and not run.is_final then now()
            when ${isPaused} and run.request_ids = '{}' then null
            when ${isPaused} and run.is_answer then case when run.is_woken then t.next_due_at end
            when ${isPaused} then run.next_due_at
            when ${isAhead} then now()
            when run.is_woken then least(t.next_due_at, run.next_due_at)
            else run.next_due_at end,
          due_reason = case when ${keepsReason} then t.due_reason else 'scheduled' end,
          due_requested_by = case when ${keepsReason} then t.due_requested_by end,
          due_traceparent = case when ${keepsReason}
            then t.due_traceparent end${assignedFrom(columns, isAbout(kind))}
        from run left join waiting on waiting.subject_id = run.id,
          jsonb_to_record(${kind === 'sync' ? changesOfSync : sql`run.changes`})
            as changed(${recordOf(kind, columns)})
        where t.id = run.id and t.run_token = run.run_id
        returning run.run_id, t.next_due_at
      `;
}

/** A record has one column at least; `isAbout` reads the other, which only connections have. */
function recordOf(kind: Kind, columns: readonly string[]): SQL {
  return columnTypes(tables[kind], ['id', 'credentials_revision', ...columns]);
}

/** A paused sync does not continue: the rest of its round waits for a person. */
const changesOfSync = sql`case
            when run.is_paused and run.request_ids = '{}'
              and run.changes ->> 'sync_status' = 'running'
              then run.changes || '{"sync_status": "pending"}'
            else run.changes
          end`;

interface Conditions {
  readonly isPaused: SQL;
  readonly isAutomatic: SQL;
  readonly isCancelled: SQL;
}

/**
 * On the row `t`: whether only requests may run it, whether a change alone makes it due, and
 * whether a person stopped it.
 */
export const conditions: Readonly<Record<Kind, Conditions>> = {
  validate: { isPaused: sql`false`, isAutomatic: sql`true`, isCancelled: sql`false` },
  sync: {
    isPaused: sql`t.paused_at is not null`,
    isAutomatic: sql`t.is_auto_sync_enabled`,
    isCancelled: sql`t.cancelled_run_id is not null`,
  },
  rotate: { isPaused: sql`t.paused_at is not null`, isAutomatic: sql`true`, isCancelled: sql`false` },
};

/** The result of a validation applies only to the credentials that it validated. */
function isAbout(kind: Kind): SQL | undefined {
  return kind === 'validate'
    ? sql`t.credentials_revision = coalesce(changed.credentials_revision, t.credentials_revision)`
    : undefined;
}
