/**
 * Pulls that other programs ask for with a job: recorded as one open request per source, which the
 * dispatch of due sources answers like a schedule.
 */
import { sql } from 'drizzle-orm';

import type { Database } from './client.ts';
import { untilAsSeen } from './engine/subjects.ts';
import { wakes } from './engine/wake.ts';
import { execute } from './statement.ts';
import type { OutsideWish } from './engine/wishes.ts';

/** A process that pulls listens for this beside the kinds of runs. */
export const PULL_WAKE = 'pull';
/** As a column of a statement that made a source due. */
export const wakePullers = sql`${wakes(PULL_WAKE)} as _woken`;

export interface PullWish extends Pick<OutsideWish, 'actor' | 'reason' | 'source'> {
  readonly folderId: string;
}

/**
 * Returns the id of the request that stands for the job, or undefined when the folder has no
 * source.
 */
export async function recordPullWish(db: Database, wish: PullWish): Promise<string | undefined> {
  const { requestId } = await untilAsSeen(() => tryToRecord(db, wish));
  return requestId;
}

/**
 * Rows: one, with the request that stands for the job. Locks: the source's row, where it writes.
 * Fence: the version of that row; undefined when another transaction changed it first. Writes
 * nothing when a redelivered job finds its request, or when an open one will be answered by a pull
 * that has not been claimed yet (`is_awake`).
 */
async function tryToRecord(
  db: Database,
  { folderId, actor, reason, source }: PullWish,
): Promise<{ readonly requestId: string | undefined } | undefined> {
  const [row] = await execute(
    db,
    sql`
      with seen as materialized (
        select s.folder_id, s.xmin as row_version,
          s.next_due_at <= now() and (s.lease_token is null or s.lease_until < now()) as is_awake
        from keyferry.sources s where s.folder_id = ${folderId}
      ),
      redelivered as materialized (
        select r.id from keyferry.requests r
        where r.source_queue = ${source.queue} and r.source_job_id = ${source.jobId}
          and r.source_timestamp = ${source.timestamp}
      ),
      known as materialized (
        select r.id from keyferry.requests r
        where r.subject_id = ${folderId} and r.kind = 'pull' and r.done_at is null
        order by r.created_at limit 1
      ),
      woken as (
        update keyferry.sources s set
          asked = s.asked + 1,
          next_due_at = now()
        from seen where s.folder_id = seen.folder_id and s.xmin = seen.row_version
          and not exists (select 1 from redelivered)
          and not (seen.is_awake and exists (select 1 from known))
        returning s.folder_id, s.org_id, ${wakes(PULL_WAKE)}
      ),
      recorded as (
        insert into keyferry.requests (org_id, kind, subject_id, actor, reason, source_queue,
          source_job_id, source_timestamp)
        select org_id, 'pull', folder_id, ${actor ?? null}, ${reason}, ${source.queue},
          ${source.jobId}, ${source.timestamp}
        from woken where not exists (select 1 from known)
        returning id
      )
      select exists (select 1 from seen) as found, exists (select 1 from woken) as is_new,
        seen.is_awake,
        (select id from redelivered) as redelivered, (select id from known) as known,
        (select id from recorded) as recorded
      from (select 1) one left join seen on true`,
  );
  if (row?.found !== true) return { requestId: undefined };
  const standing = row.redelivered ?? (row.is_new === true || row.is_awake === true ? row.known : null) ?? row.recorded;
  return typeof standing === 'string' ? { requestId: standing } : undefined;
}
