/** What people order of a sync: pause, resume (its deletion is in `deletion.ts`). Each statement is fenced, because it decides by the requests that are open. */
import { sql, type SQL } from 'drizzle-orm';

import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { toDatabaseError } from '../database-error.ts';
import { fromRow } from '../rows.ts';
import { syncs } from '../schema.ts';
import { dueTrace, isAsSeen, type SyncRow, untilAsSeen } from '../engine/subjects.ts';
import { wake } from '../engine/wake.ts';

export function createSyncOrders(db: Database) {
  return {
    /** Only open requests run from now on; a run under way continues. */
    pause: (sync: SyncRow) => untilAsSeen(() => pauseSync(db, sync)),
    /** An automatic sync catches up with what changed while it was paused; a manual one waits for a request. */
    resume: (sync: SyncRow) => untilAsSeen(() => resumeSync(db, sync)),
  };
}

/**
 * Touches a folder's row, so that a change of the folder that began earlier sees this writer's sync: without it, the change would neither
 * make the sync due nor be seen by the sync's next run. Goes before the write of the sync, in the same order as a change of the folder.
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

async function pauseSync(db: Database, sync: SyncRow): Promise<SyncRow | undefined> {
  const rows = await db
    .execute(
      sql`
      with ${seenSync(sync.id)},
      paused as (
        update keyferry.syncs t set
          paused_at = coalesce(t.paused_at, now()),
          updated_at = now(),
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
          due_reason = 'changed',
          ${dueTrace()},
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

/** Undefined when another transaction changed the row first. */
function changedSync([row]: readonly Record<string, unknown>[]): SyncRow | undefined {
  if (!row) throw new JobError('SYNC_NOT_FOUND');
  return row['id'] === null ? undefined : fromRow(syncs, row);
}

function raise(error: unknown): never {
  throw toDatabaseError(error);
}
