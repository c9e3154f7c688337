/**
 * Wishes that come as jobs of other programs: recorded as one open request per subject and kind,
 * which the tick dispatches like all others. However many jobs a producer adds, one request and one
 * run answer those that came before it.
 */
import { sql } from 'drizzle-orm';

import type { Kind, Reason } from '../../domain/run.ts';
import type { Database } from '../client.ts';
import { isAsSeen, tableNames, untilAsSeen } from './subjects.ts';
import { wake } from './wake.ts';
import { execute } from '../statement.ts';
import { dueNow } from './due.ts';

export interface OutsideWish {
  readonly kind: Kind;
  readonly requestKind: 'validate' | 'sync' | 'plan' | 'rotate';
  readonly subjectId: string;
  readonly actor: string | undefined;
  readonly reason: Reason;
  readonly source: { readonly queue: string; readonly jobId: string; readonly timestamp: number };
}

/**
 * Returns the id of the request that stands for the job, or undefined when there is no such
 * subject.
 */
export async function recordWish(db: Database, wish: OutsideWish): Promise<string | undefined> {
  const { requestId, isNew } = await untilAsSeen(() => tryToRecord(db, wish));
  if (isNew) wake(db, wish.kind);
  return requestId;
}

interface Recorded {
  readonly requestId: string | undefined;
  readonly isNew: boolean;
}

/**
 * Rows: one, with the request that stands for the job. Locks: the subject's row, where it writes.
 * Fence: the version of that row; undefined when another transaction changed it first. Writes
 * nothing when a redelivered job finds its request, or when an open one will be answered by a run
 * that has not been claimed yet (`is_awake`).
 */
async function tryToRecord(db: Database, wish: OutsideWish): Promise<Recorded | undefined> {
  const { kind, requestKind, subjectId, source } = wish;
  const [row] = await execute(
    db,
    sql`
      with seen as materialized (
        select t.id, t.org_id, t.xmin as row_version, coalesce(t.next_due_at <= now()
          and (t.run_token is null or t.next_due_at is distinct from t.claimed_due_at),
            false) as is_awake
        from ${tableNames[kind]} t where t.id = ${subjectId}
      ),
      redelivered as materialized (
        select r.id from keyferry.requests r where r.source_queue = ${source.queue}
          and r.source_job_id = ${source.jobId} and r.source_timestamp = ${source.timestamp}
      ),
      known as materialized (
        select r.id from keyferry.requests r
        where r.subject_id = ${subjectId} and r.kind = ${requestKind} and r.done_at is null
          and r.source_queue is not null
        order by r.created_at limit 1
      ),
      woken as (
        update ${tableNames[kind]} t set
          wanted_revision = t.wanted_revision + ${requestKind === 'plan' ? 0 : 1},
          ${dueNow(wish.reason, wish.actor ?? null)}
        from seen where t.id = seen.id and ${isAsSeen}
          and not exists (select 1 from redelivered)
          and not (seen.is_awake and exists (select 1 from known))
        returning t.id, t.org_id
      ),
      recorded as (
        insert into keyferry.requests (org_id, kind, subject_id, actor, reason, source_queue,
          source_job_id, source_timestamp)
        select org_id, ${requestKind}, id, ${wish.actor ?? null}, ${wish.reason}, ${source.queue},
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
  if (row?.found !== true) return { requestId: undefined, isNew: false };
  const isNew = row.is_new === true;
  const standing = row.redelivered ?? (isNew || row.is_awake === true ? row.known : null) ?? row.recorded;
  return typeof standing === 'string' ? { requestId: standing, isNew } : undefined;
}

export interface NamedRequest {
  readonly kind: Kind;
  readonly requestId: string;
  readonly requestKind: string;
  readonly subjectId: string;
}

/**
 * Whether a job names an open request of this kind and subject. The request has made its subject
 * due already.
 */
export async function isOpenRequest(db: Database, request: NamedRequest): Promise<boolean> {
  const rows = await execute(
    db,
    sql`
      select 1 from keyferry.requests r
      where r.id = ${request.requestId} and r.subject_id = ${request.subjectId}
        and r.kind = ${request.requestKind} and r.done_at is null`,
  );
  if (rows.length > 0) wake(db, request.kind);
  return rows.length > 0;
}
