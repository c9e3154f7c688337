/** Wishes that come as jobs: recorded once, and their subject dispatched, before anything runs. */
import { sql } from 'drizzle-orm';

import { DISPATCH_LEASE_SECONDS } from '../domain/lease.ts';
import type { Kind, Reason } from '../domain/run.ts';
import type { Database } from './client.ts';
import { dueTrace, execute, tableNames } from './subjects.ts';

export interface OutsideWish {
  readonly kind: Kind;
  readonly requestKind: 'validate' | 'sync' | 'plan' | 'rotate';
  readonly subjectId: string;
  readonly actor: string | undefined;
  readonly reason: Reason;
  readonly source: { readonly queue: string; readonly jobId: string; readonly timestamp: number };
}

/**
 * Records the wish of a job that keyferry did not add itself, once per (queue, job, timestamp), and dispatches its subject, so that the claim that
 * follows may run it. Returns false when there is no such subject.
 */
export async function recordWish(db: Database, wish: OutsideWish): Promise<boolean> {
  const rows = await execute(
    db,
    sql`
      with subject as (select id, org_id from ${tableNames[wish.kind]} where id = ${wish.subjectId}),
      inserted as (
        insert into keyferry.requests (org_id, kind, subject_id, actor, reason, source_queue, source_job_id, source_timestamp)
        select org_id, ${wish.requestKind}, id, ${wish.actor ?? null}, ${wish.reason}, ${wish.source.queue}, ${wish.source.jobId}, ${wish.source.timestamp}
        from subject
        on conflict (source_queue, source_job_id, source_timestamp) do nothing
        returning id
      ),
      still_open as (
        select id from keyferry.requests where source_queue = ${wish.source.queue} and source_job_id = ${wish.source.jobId}
          and source_timestamp = ${wish.source.timestamp} and done_at is null
      ),
      due as (
        update ${tableNames[wish.kind]} t set
          next_due_at = now(), attempt = case when exists (select 1 from inserted) then 0 else t.attempt end,
          due_reason = ${wish.reason}, ${dueTrace()}, due_requested_by = ${wish.actor ?? null},
          wanted_revision = t.wanted_revision + case when exists (select 1 from inserted) then 1 else 0 end,
          dispatch_lease_until = coalesce(t.dispatch_lease_until, now() + make_interval(secs => ${DISPATCH_LEASE_SECONDS}))
        where t.id = ${wish.subjectId} and (exists (select 1 from inserted) or exists (select 1 from still_open))
        returning t.id
      )
      select (select count(*) from subject)::int as found, (select count(*) from due)::int as due`,
  );
  return Number(rows[0]?.found ?? 0) > 0;
}

export interface NamedRequest {
  readonly kind: Kind;
  readonly requestId: string;
  readonly requestKind: string;
  readonly subjectId: string;
}

/** Dispatches the subject of a recorded request that a job names. False when there is no such open request of this kind and subject. */
export async function dispatchRequest(db: Database, request: NamedRequest): Promise<boolean> {
  const rows = await execute(
    db,
    sql`
      update ${tableNames[request.kind]} t set next_due_at = now(),
        dispatch_lease_until = coalesce(t.dispatch_lease_until, now() + make_interval(secs => ${DISPATCH_LEASE_SECONDS}))
      where t.id = ${request.subjectId} and exists (
        select 1 from keyferry.requests r where r.id = ${request.requestId} and r.subject_id = t.id
          and r.kind = ${request.requestKind} and r.done_at is null)
      returning t.id`,
  );
  return rows.length === 1;
}
