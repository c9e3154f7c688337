/** Claim: takes the run lease and opens the run; renewal keeps it. */
import { sql, type SQL } from 'drizzle-orm';

import { RUN_LEASE_SECONDS } from '../domain/lease.ts';
import type { Kind, Reason, RunKind } from '../domain/run.ts';
import type { Database } from './client.ts';
import { fromRow } from './rows.ts';
import { execute, tableNames, tables, type SubjectRows } from './subjects.ts';

export interface Claim<K extends Kind> {
  readonly runId: string;
  readonly runKind: RunKind;
  readonly subject: SubjectRows[K];
  readonly reason: Reason;
  readonly requestedBy: string | undefined;
  /** Open requests that this run answers, merged: later parameters win. */
  readonly requestIds: readonly string[];
  readonly requestKind: string | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** When the subject became due; what the wait is measured from. */
  readonly dueAt: Date | undefined;
  /** Of a sync whose source, settings and destination are those of its last success, by their revisions: how many entries it has. Else undefined. */
  readonly unchangedEntries: number | undefined;
}

/**
 * Takes the run lease of a dispatched subject and opens the run's row. Undefined when the row is no longer dispatched (a stale or repeated
 * delivery) or another run holds the lease.
 */
export async function claim<K extends Kind>(
  db: Database,
  kind: K,
  input: { subjectId: string; runId: string; jobId: string | undefined },
): Promise<Claim<K> | undefined> {
  const [row] = await execute(
    db,
    sql`
      with open_requests as materialized (
        select id, kind, parameters, actor, reason, created_at from keyferry.requests
        where subject_id = ${input.subjectId} and done_at is null
      ),
      chosen as (
        -- A plan changes nothing and is quick: it never waits behind a long sync.
        select kind from open_requests order by (kind = 'plan') desc, created_at limit 1
      ),
      answered as materialized (select * from open_requests where kind = (select kind from chosen)),
      claimed as (
        update ${tableNames[kind]} t set
          run_token = ${input.runId}, run_lease_until = now() + make_interval(secs => ${RUN_LEASE_SECONDS}),
          dispatch_lease_until = null, attempt = t.attempt + 1${runningStatus(kind)}
        where t.id = ${input.subjectId} and t.dispatch_lease_until is not null
          and (t.run_lease_until is null or t.run_lease_until < now())
        returning t.*
      ),
      abandoned as (
        update keyferry.runs r set status = 'abandoned', finished_at = now(), error_code = 'LEASE_LOST',
          error_message = 'The worker stopped renewing its lease; another run took over.'
        from claimed where r.subject_id = claimed.id and r.status = 'running'
      ),
      run as (
        insert into keyferry.runs (id, kind, subject_id, org_id, job_id, attempt, reason, requested_by, status)
        select ${input.runId}, ${runKind(kind)}, claimed.id, claimed.org_id, ${input.jobId ?? null}, claimed.attempt,
          coalesce((select reason from answered order by created_at desc limit 1), claimed.due_reason),
          coalesce((select actor from answered order by created_at desc limit 1), claimed.due_requested_by), 'running'
        from claimed returning kind, reason, requested_by
      )
      select claimed.*, run.kind as _run_kind, run.reason as _reason, run.requested_by as _requested_by,
        (select kind from chosen) as _request_kind,
        (select coalesce(jsonb_agg(jsonb_build_object('id', id, 'parameters', parameters) order by created_at), '[]') from answered) as _requests${kind === 'sync' ? unchangedEntries : sql``}
      from claimed, run`,
  );
  return row ? toClaim(kind, input.runId, row) : undefined;
}

function runningStatus(kind: Kind): SQL {
  const running = sql`case when (select kind from chosen) = 'plan' then`;
  if (kind === 'sync') return sql`, sync_status = ${running} t.sync_status else 'running' end`;
  if (kind === 'rotate') return sql`, rotation_status = 'running'`;
  return sql``;
}

/** Decided here, so that a sync with nothing to do costs a claim and a settlement, and nothing is read or decrypted for it. */
const unchangedEntries = sql`,
        (select (select count(*) from keyferry.sync_entries e where e.sync_id = claimed.id and e.status = 'synced' and e.deleted_at is null and e.key <> '')::int
          from keyferry.folders f, keyferry.connections c
          where f.id = claimed.folder_id and c.id = claimed.connection_id
            and claimed.synced_revision = f.revision and claimed.synced_version = claimed.version
            and claimed.progress is null and claimed.drift <> 'drifted'
            and c.status in ('valid', 'degraded') and c.account_id is not null) as _unchanged_entries`;

/** A drift check is a kind of sync run. */
function runKind(kind: Kind): SQL {
  return sql`coalesce((select case kind when 'check' then 'sync' else kind end from chosen), ${kind})`;
}

function toClaim<K extends Kind>(kind: K, runId: string, row: Record<string, unknown>): Claim<K> {
  const open = (typeof row._requests === 'string' ? JSON.parse(row._requests) : row._requests) as {
    id: string;
    parameters: Record<string, unknown>;
  }[];
  const subject = fromRow(tables[kind], row) as SubjectRows[K];
  return {
    runId,
    runKind: row._run_kind as RunKind,
    subject,
    reason: row._reason as Reason,
    requestedBy: typeof row._requested_by === 'string' ? row._requested_by : undefined,
    requestIds: open.map((request) => request.id),
    requestKind: typeof row._request_kind === 'string' ? row._request_kind : undefined,
    parameters: Object.assign({}, ...open.map((request) => request.parameters)) as Record<string, unknown>,
    dueAt: subject.nextDueAt ?? undefined,
    unchangedEntries: typeof row._unchanged_entries === 'number' ? row._unchanged_entries : undefined,
  };
}

/** Returns the seconds that the lease still has on the database's clock, or undefined when it is lost. */
export async function renew(
  db: Database,
  kind: Kind,
  held: { subjectId: string; runId: string },
): Promise<number | undefined> {
  const [row] = await execute(
    db,
    sql`
      update ${tableNames[kind]} set run_lease_until = now() + make_interval(secs => ${RUN_LEASE_SECONDS})
      where id = ${held.subjectId} and run_token = ${held.runId} and run_lease_until > now()
      returning ${RUN_LEASE_SECONDS}::int as seconds`,
  );
  return row ? RUN_LEASE_SECONDS : undefined;
}
