/** Settlement: what the run found out, when the subject is due again and which requests it answered, in one statement under the run's token. */
import { sql, type SQL } from 'drizzle-orm';

import { isQuiet, type Kind, type Outcome } from '../domain/run.ts';
import type { Database } from './client.ts';
import { assignments } from './rows.ts';
import { DUE_CHANNEL, execute, tableNames, tables, textArray, type SubjectRows } from './subjects.ts';

export interface Settlement<K extends Kind> {
  readonly kind: K;
  readonly subjectId: string;
  readonly runId: string;
  readonly outcome: Outcome;
  readonly changes: Partial<SubjectRows[K]>;
  /** The wanted revision that this run served; what was wished later makes the row due again. */
  readonly servedRevision: number;
  readonly attempt: number;
  readonly nextDueAt: Date | null;
  readonly requestIds: readonly string[];
  readonly awsCalls: Readonly<Record<string, number>>;
}

/**
 * Writes what the run found out, in one statement and only under its token. Returns false when the lease was lost: nothing is written then.
 */
export async function settle<K extends Kind>(db: Database, settlement: Settlement<K>): Promise<boolean> {
  const { outcome } = settlement;
  const isFinal = outcome.status !== 'continued' && outcome.status !== 'retry';
  const answers = isFinal || (outcome.status === 'continued' && outcome.answersRequest === true);
  const ids = textArray(settlement.requestIds);
  const status = outcome.status === 'retry' ? 'failed' : outcome.status;
  const quiet = isQuiet(outcome, { ...settlement, isAskedFor: settlement.requestIds.length > 0 });
  const [row] = await execute(
    db,
    sql`
      with ${quiet ? previousQuiet(settlement, status) : sql``}run as (
        update keyferry.runs set status = ${status}, finished_at = now(),
          error_code = ${errorOf(outcome).code}, error_message = ${errorOf(outcome).message},
          counts = ${jsonOrNull(outcome.counts)}::jsonb, aws_calls = ${JSON.stringify(settlement.awsCalls)}::jsonb,
          result = ${jsonOrNull('result' in outcome ? outcome.result : undefined)}::jsonb${quiet ? repeats : sql``}
        where id = ${settlement.runId} and status = 'running'
          and exists (select 1 from ${tableNames[settlement.kind]} where id = ${settlement.subjectId} and run_token = ${settlement.runId})
        returning started_at
      ),${quiet ? collapsed : sql``}
      waiting as (
        select 1 from keyferry.requests r, run where r.subject_id = ${settlement.subjectId} and r.done_at is null
          and not (r.id = any(${ids}::uuid[])) and (${isFinal} or r.created_at > run.started_at) limit 1
      ),
      subject as (
        update ${tableNames[settlement.kind]} t set
          run_token = null, run_lease_until = null, dispatch_lease_until = null, attempt = ${settlement.attempt},
          done_revision = ${isFinal ? sql`greatest(t.done_revision, ${settlement.servedRevision}::bigint)` : sql`t.done_revision`},
          next_due_at = case when exists (select 1 from waiting) then now()
            ${pausedStays(settlement.kind)} when t.wanted_revision > ${settlement.servedRevision} then now() else ${settlement.nextDueAt?.toISOString() ?? null}::timestamptz end,
          due_reason = case when t.wanted_revision > ${settlement.servedRevision} or not ${isFinal} then t.due_reason else 'scheduled' end,
          due_requested_by = case when t.wanted_revision > ${settlement.servedRevision} or not ${isFinal} then t.due_requested_by end,
          due_traceparent = case when t.wanted_revision > ${settlement.servedRevision} or not ${isFinal} then t.due_traceparent end${assignments(tables[settlement.kind], settlement.changes)}
        from run where t.id = ${settlement.subjectId} and t.run_token = ${settlement.runId}
        returning t.id, t.next_due_at
      ),
      answered as (
        update keyferry.requests r set done_at = now(), run_id = ${settlement.runId}
        from subject where ${answers} and r.id = any(${ids}::uuid[]) and r.done_at is null
        returning r.id
      )
      select (select count(*) from subject)::int as settled,
        (select pg_notify(${DUE_CHANNEL}, ${settlement.kind}) from subject where next_due_at <= now()) as woken`,
  );
  return Number(row?.settled ?? 0) === 1;
}

/** The run before this one, if it was as quiet, and ended alike. */
function previousQuiet({ subjectId, runId, outcome }: Settlement<Kind>, status: string): SQL {
  return sql`previous as materialized (
        select id, repeats, coalesce(first_started_at, started_at) as since from (
          select * from keyferry.runs where subject_id = ${subjectId} and id <> ${runId} order by started_at desc limit 1
        ) last where repeats is not null and status = ${status} and error_code is not distinct from ${errorOf(outcome).code}
          and kind = (select kind from keyferry.runs where id = ${runId})
      ),
      `;
}

const repeats = sql`,
          repeats = coalesce((select repeats + 1 from previous), 0), first_started_at = (select since from previous)`;

const collapsed = sql`
      collapsed as (delete from keyferry.runs r using previous, run where r.id = previous.id),`;

/** A paused subject does what is explicitly asked for, and nothing else. */
function pausedStays(kind: Kind): SQL {
  return kind === 'validate' ? sql`` : sql`when t.paused_at is not null then null`;
}

function errorOf(outcome: Outcome): { code: string | null; message: string | null } {
  if (outcome.status === 'retry') return { code: outcome.error.code, message: outcome.error.publicMessage };
  return 'code' in outcome ? { code: outcome.code, message: outcome.message } : { code: null, message: null };
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
