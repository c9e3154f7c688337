/**
 * Deletes history past its retention period, a batch at a time: long deletions hold back vacuum and
 * every standby.
 */
import { sql } from 'drizzle-orm';

import type { Database } from '../client.ts';
import { execute } from '../statement.ts';
import { lockKeys } from '../locks.ts';

const BATCH = 5_000;
/** How long a deleted sync's objects can be taken over without `--on-existing adopt`. */
const TOMBSTONE_DAYS = 365;

/**
 * Deletes runs, answered requests and audit rows that ended before `keptMs` ago, tombstones of more
 * than a year, and access tokens that have expired. Returns how many rows went: a full batch means
 * that there may be more. What is open or running stays, however old.
 */
export async function deleteExpired(db: Database, keptMs: number): Promise<{ deleted: number; mayHaveMore: boolean }> {
  const [row] = await execute(
    db,
    sql`
      with guard as materialized (select pg_try_advisory_xact_lock(${lockKeys.retention}) as held),
      cutoff as (select now() - make_interval(secs => ${keptMs / 1_000}) as at),
      old_runs as (
        delete from keyferry.runs where id in (
          select r.id from keyferry.runs r, cutoff, guard
          where guard.held and r.started_at < cutoff.at and r.status <> 'running'
          order by r.started_at limit ${BATCH})
        returning 1
      ),
      old_requests as (
        delete from keyferry.requests where id in (
          select r.id from keyferry.requests r, cutoff, guard
          where guard.held and r.done_at < cutoff.at order by r.done_at limit ${BATCH})
        returning 1
      ),
      old_audit as (
        delete from keyferry.audit_log where id in (
          select a.id from keyferry.audit_log a, cutoff, guard
          where guard.held and a.at < cutoff.at order by a.at limit ${BATCH})
        returning 1
      ),
      old_tombstones as (
        delete from keyferry.tombstones where id in (
          select t.id from keyferry.tombstones t, guard
          where guard.held and t.created_at < now() - make_interval(days => ${TOMBSTONE_DAYS})
          order by t.created_at limit ${BATCH})
        returning 1
      ),
      old_access_tokens as (
        delete from keyferry.access_tokens where sha256 in (
          select t.sha256 from keyferry.access_tokens t, guard
          where guard.held and t.expires_at < now()
          order by t.expires_at limit ${BATCH})
        returning 1
      )
      select (select count(*) from old_access_tokens)::int as access_tokens,
        (select count(*) from old_runs)::int as runs,
        (select count(*) from old_requests)::int as requests,
        (select count(*) from old_audit)::int as audit,
        (select count(*) from old_tombstones)::int as tombstones`,
  );
  const counts = [row?.runs, row?.requests, row?.audit, row?.tombstones, row?.access_tokens].map(Number);
  return { deleted: counts.reduce((sum, one) => sum + one, 0), mayHaveMore: counts.some((count) => count === BATCH) };
}
