/**
 * What must hold of an org as soon as no statement of a pair is under way. Deliberately not what
 * housekeeping looks for: nothing here is forgiven.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Database } from '../../src/db/client.ts';

/** What a sync `t` reads: its folder, or all below it, where each change counts once. */
export const readRevision = sql`(
          select case when t.sync_options -> 'recursive' = 'true'::jsonb then (
            select 1 + sum(b.revision - 1) from keyferry.folders b
            where b.org_id = f.org_id and (b.id = f.id or b.secret_path like f.secret_path || '/%')
          ) else f.revision end from keyferry.folders f where f.id = t.folder_id)`;

const isDue = sql`coalesce(t.next_due_at <= now(), false)`;
const isAtWork = sql`coalesce(t.run_lease_until > now(), false)`;
const isAsked = sql`exists (select from keyferry.requests r
  where r.subject_id = t.id and r.done_at is null)`;
const isWaitingForValid = (
  status: SQL,
) => sql`(${status} = 'blocked' and t.status_code like 'CONNECTION\\_%' and exists (
        select from keyferry.connections c
        where c.id = t.connection_id and c.status in ('valid', 'degraded')))`;

const subjects = sql`
      select t.id, t.org_id, 'connection' as subject, ${isDue} as is_due, ${isAtWork} as is_at_work,
        ${isAsked} as is_asked,
        t.wanted_revision > t.done_revision as is_wish_ahead, false as is_folder_ahead,
        false as is_in_phase, false as is_asleep
      from keyferry.connections t
      union all
      select t.id, t.org_id, 'sync', ${isDue}, ${isAtWork}, ${isAsked},
        t.wanted_revision > t.done_revision and t.is_auto_sync_enabled and t.paused_at is null,
        t.is_auto_sync_enabled and t.paused_at is null and t.sync_status <> 'blocked' and 
          (${readRevision} is distinct from t.synced_revision
            or t.version is distinct from t.synced_version),
        false, t.paused_at is null and ${isWaitingForValid(sql`t.sync_status`)}
      from keyferry.syncs t
      union all
      select t.id, t.org_id, 'rotation', ${isDue}, ${isAtWork}, ${isAsked},
        t.wanted_revision > t.done_revision and t.paused_at is null, false,
        t.phase <> 'idle' and t.paused_at is null and t.next_due_at is null,
        t.paused_at is null and ${isWaitingForValid(sql`t.rotation_status`)}
      from keyferry.rotations t`;

/** What was forgotten in the org, in words; empty is how it should be. */
export async function findForgotten(db: Database, orgId: string): Promise<readonly string[]> {
  const rows = await db.execute(sql`
    with subjects as (${subjects}),
    forgotten as (select * from subjects where org_id = ${orgId} and not is_due)
    select subject || ' with an open request is not due' as problem from forgotten where is_asked
    union all select subject || ' with a wish ahead is not due' from forgotten where is_wish_ahead
    union all select subject || ' with its folder or settings ahead is not due' from forgotten
    where is_folder_ahead
    union all select subject || ' in a phase is never due' from forgotten where is_in_phase
    union all select subject || ' is blocked by a connection that is valid' from forgotten
    where is_asleep
    union all select subject || ' is still at work' from subjects
    where org_id = ${orgId} and is_at_work
    union all select 'a request of a deleted subject is open' from keyferry.requests r
      where r.org_id = ${orgId} and r.done_at is null
        and not exists (select from subjects s where s.id = r.subject_id)
    union all select 'a run of a deleted subject is open' from keyferry.runs r
      where r.org_id = ${orgId} and r.status = 'running'
        and not exists (select from subjects s where s.id = r.subject_id)
    union all select 'a run without a lease is open' from keyferry.runs r
    join subjects s on s.id = r.subject_id
      where r.org_id = ${orgId} and r.status = 'running' and not s.is_at_work`);
  return rows.map((row) => String(row['problem']));
}

/** Nothing of the org is due any more, so that later pairs do not meet it. */
export async function putAway(db: Database, orgId: string): Promise<void> {
  const rest = sql`next_due_at = null, dispatch_lease_until = null, run_lease_until = null
    where org_id = ${orgId}`;
  await db.execute(sql`
    with connection as (
      update keyferry.connections set ${rest}
    ), sync as (update keyferry.syncs set ${rest})
    update keyferry.rotations set ${rest}`);
}
