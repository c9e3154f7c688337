/**
 * Orders for a sync: pause, resume, cancel (its deletion is in `deletion.ts`). Each statement is
 * fenced, because it decides by the requests that are open.
 */
import { sql, type SQL } from 'drizzle-orm';

import { errorTable, JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { fromRow } from '../rows.ts';
import { syncs } from '../schema.ts';
import { isAsSeen, type SyncRow, untilAsSeen } from '../engine/subjects.ts';
import { wake } from '../engine/wake.ts';
import { raise } from '../statement.ts';
import { dueBecause } from '../engine/due.ts';

export function createSyncOrders(db: Database) {
  return {
    /** Only open requests run from now on; a run under way continues. */
    pause: (sync: SyncRow) => untilAsSeen(() => pauseSync(db, sync)),
    /**
     * An automatic sync catches up with what changed while it was paused; a manual one waits for a
     * request.
     */
    resume: (sync: SyncRow) => untilAsSeen(() => resumeSync(db, sync)),
    /**
     * Withdraws what is wanted of the sync, and asks its run to stop before the next write. An
     * automatic sync pauses. Returns the run that is to stop. Throws SYNC_NOTHING_TO_CANCEL.
     */
    cancel: (sync: SyncRow) => untilAsSeen(() => cancelSync(db, sync)),
  };
}

/**
 * Touches a folder's row, so that a change of the folder that began earlier sees this writer's
 * sync: without it, the change would neither make the sync due nor be seen by the sync's next run.
 * Goes before the write of the sync, in the same order as a change of the folder.
 */
export function attachedFolder(folderId: string): SQL {
  return sql`folder as materialized (
        update keyferry.folders set revision = revision where id = ${folderId} returning id
      )`;
}

/** The sync as the statement's snapshot shows it, and whether a request of it is open. */
function seenSync(syncId: string): SQL {
  return sql`seen as materialized (
        select s.id, s.xmin as row_version, exists (
          select 1 from keyferry.requests r where r.subject_id = s.id and r.done_at is null
        ) as is_asked
        from keyferry.syncs s where s.id = ${syncId}
      )`;
}

/** Writes the sync’s row, if it is as the snapshot saw it; undefined: it changed meanwhile. */
async function pauseSync(db: Database, sync: SyncRow): Promise<SyncRow | undefined> {
  const rows = await db
    .execute(
      sql`
      with ${seenSync(sync.id)},
      paused as (
        update keyferry.syncs t set
          paused_at = coalesce(t.paused_at, now()),
          updated_at = now(),
          -- Between two slices; a run under way says it itself when it ends.
          sync_status = case
            when t.sync_status = 'running' and t.run_token is null and not seen.is_asked
              then 'pending'
            else t.sync_status end,
          next_due_at = case when seen.is_asked then coalesce(t.next_due_at, now()) end
        from seen where t.id = seen.id and ${isAsSeen} returning t.*
      )
      select seen.id as _seen_id, paused.* from seen left join paused on paused.id = seen.id`,
    )
    .catch(raise);
  return changedSync(rows);
}

async function resumeSync(db: Database, sync: SyncRow): Promise<SyncRow | undefined> {
  const isResumed = sql`t.paused_at is not null`;
  const rows = await db
    .execute(
      sql`
      with ${seenSync(sync.id)},
      ${attachedFolder(sync.folderId)},
      resumed as (
        update keyferry.syncs t set
          paused_at = null,
          updated_at = now(),
          ${dueBecause('changed')},
          attempt = case when ${isResumed} then 0 else t.attempt end,
          wanted_revision = t.wanted_revision + (${isResumed} and t.is_auto_sync_enabled)::int,
          next_due_at = case
            when not (${isResumed}) then t.next_due_at
            when t.is_auto_sync_enabled or seen.is_asked then now()
            else t.next_reconcile_at end
        from seen, folder where t.id = seen.id and ${isAsSeen} returning t.*
      )
      select seen.id as _seen_id, resumed.* from seen left join resumed on resumed.id = seen.id`,
    )
    .catch(raise);
  const row = changedSync(rows);
  if (row) wake(db, 'sync');
  return row;
}

export interface Cancelled {
  /** The run that stops soon; null when none was under way. */
  readonly runId: string | null;
}

/**
 * Rows: one. Locks: the sync's row. Fence: its version, because the statement decides by the run
 * and the requests that the snapshot shows. While a run holds the lease its settlement ends the
 * work, or the next run does if the worker dies: the row stays due.
 */
async function cancelSync(db: Database, sync: SyncRow): Promise<Cancelled | undefined> {
  const [row] = await db
    .execute(
      sql`
      with seen as materialized (
        select s.id, s.xmin as row_version, s.run_token, s.last_run_id,
          coalesce(s.run_token is not null and s.run_lease_until > now(), false) as is_running,
          s.progress is not null
            or (s.is_auto_sync_enabled and s.paused_at is null
              and s.wanted_revision > s.done_revision)
            or exists (select from keyferry.requests r
              where r.subject_id = s.id and r.done_at is null) as is_wanted
        from keyferry.syncs s where s.id = ${sync.id}
      ),
      cancelled as (
        update keyferry.syncs t set
          paused_at = case when t.is_auto_sync_enabled then coalesce(t.paused_at, now())
            else t.paused_at end,
          updated_at = now(),
          attempt = 0,
          cancelled_run_id = case when seen.is_running then seen.run_token end,
          next_due_at = case
            -- As the claim left it: what made the sync due since then is withdrawn too.
            when seen.is_running then t.claimed_due_at
            when not t.is_auto_sync_enabled and t.paused_at is null then t.next_reconcile_at end,
          ${endedNow}
        from seen where t.id = seen.id and ${isAsSeen} and (seen.is_running or seen.is_wanted)
        returning t.id
      ),
      ${endedWork}
      select case when seen.is_running then seen.run_token end as run_id,
        seen.is_running or seen.is_wanted as is_due, cancelled.id is not null as is_written
      from seen left join cancelled using (id)`,
    )
    .catch(raise);
  if (!row) throw new JobError('SYNC_NOT_FOUND');
  if (row['is_due'] !== true)
    throw new JobError('SYNC_NOTHING_TO_CANCEL', { message: `${sync.name} has no run and no request to cancel.` });
  if (row['is_written'] !== true) return undefined;
  return { runId: typeof row['run_id'] === 'string' ? row['run_id'] : null };
}

/** The run and the requests of the sync in `cancelled`. */
const endedWork = sql`ended as (
        update keyferry.runs r set
          status = 'cancelled',
          finished_at = now(),
          error_code = 'SYNC_CANCELLED',
          error_message = ${errorTable.SYNC_CANCELLED.message}
        from cancelled join seen using (id)
        where r.subject_id = seen.id and not seen.is_running
          -- Between two slices, the last one is where the run ended.
          and (r.status = 'running' or (r.status = 'continued' and r.id = seen.last_run_id))
      ),
      -- Those that the run answers get its result, the others none.
      withdrawn as (
        update keyferry.requests q set
          done_at = now(),
          run_id = (
            select r.id from keyferry.runs r
            where seen.is_running and r.id = seen.run_token and r.started_at >= q.created_at
              and r.kind = case q.kind when 'check' then 'sync' else q.kind end
          )
        from cancelled join seen using (id)
        where q.subject_id = seen.id and q.done_at is null
      )`;

/** What a run's settlement would do, for when none is under way: an expired lease is cleared. */
const endedNow = sql.join(
  Object.entries({
    run_token: sql`null::uuid`,
    run_lease_until: sql`null::timestamptz`,
    dispatch_lease_until: sql`null::timestamptz`,
    progress: sql`null::jsonb`,
    done_revision: sql`t.wanted_revision`,
    sync_status: sql`'cancelled'`,
    status_code: sql`'SYNC_CANCELLED'`,
    status_message: sql`${errorTable.SYNC_CANCELLED.message}::text`,
  }).map(([column, value]) => {
    const name = sql.identifier(column);
    return sql`${name} = case when seen.is_running then t.${name} else ${value} end`;
  }),
  sql`,
          `,
);

/** Undefined when another transaction changed the row first. */
function changedSync([row]: readonly Record<string, unknown>[]): SyncRow | undefined {
  if (!row) throw new JobError('SYNC_NOT_FOUND');
  return row['id'] === null ? undefined : fromRow(syncs, row);
}
