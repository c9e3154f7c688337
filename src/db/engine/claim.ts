/** Claim: takes the run lease and opens the run; renewal keeps it. */
import { sql, type SQL } from 'drizzle-orm';

import { RUN_LEASE_SECONDS } from '../../domain/lease.ts';
import type { Kind, Reason, RunKindOf } from '../../domain/run.ts';
import { WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import type { Database } from '../client.ts';
import { fromRow } from '../rows.ts';
import { treeRevision } from '../sync/tree.ts';
import { isAsSeen, nowMs, tableNames, tables, textArray, type SubjectRows } from './subjects.ts';
import { execute, renderedOnce } from '../statement.ts';
import { rowLocks, type RowLock } from './together.ts';

export interface Claim<K extends Kind> {
  readonly runId: string;
  readonly runKind: RunKindOf<K>;
  readonly subject: SubjectRows[K];
  /** The subject's status before this claim set it to running. */
  readonly statusBefore: string;
  readonly reason: Reason;
  readonly requestedBy: string | undefined;
  /** Open requests that this run answers, merged: later parameters win. */
  readonly requestIds: readonly string[];
  readonly requestKind: string | undefined;
  /** A request came from the CLI, the API or the library, not from a job that somebody queued. */
  readonly isDirect: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
  /**
   * The database's clock at the claim: the run counts its time from here, never by the worker's own
   * clock.
   */
  readonly claimedAt: Date;
  /** When the subject became due; what the wait is measured from. */
  readonly dueAt: Date | undefined;
  /**
   * Of a sync whose source, settings and destination are those of its last success, by their
   * revisions: how many entries it has. Else undefined.
   */
  readonly unchangedEntries: number | undefined;
}

export interface ClaimInput {
  readonly subjectId: string;
  readonly runId: string;
  readonly jobId: string | undefined;
}

/**
 * The claim is undefined if the row is no longer dispatched (a stale or repeated delivery), or
 * another run holds the lease.
 */
export interface Claimed<K extends Kind> {
  readonly claim: Claim<K> | undefined;
}

/**
 * Takes the run leases of dispatched subjects and opens the runs' rows. Returns undefined for a row
 * that `lock` skips or that changed after the statement's snapshot: the caller claims it again.
 */
export async function claim<K extends Kind>(
  db: Database,
  kind: K,
  { inputs, lock }: { readonly inputs: readonly ClaimInput[]; readonly lock: RowLock },
): Promise<readonly (Claimed<K> | undefined)[]> {
  const rows = await claimStatement(
    db,
    { kind, lock },
    {
      subjectIds: textArray(inputs.map(({ subjectId }) => subjectId)),
      runIds: textArray(inputs.map(({ runId }) => runId)),
      jobIds: JSON.stringify(Object.fromEntries(inputs.map(({ runId, jobId }) => [runId, jobId]))),
    },
  );
  const byRun = new Map(rows.map((row) => [row['_run_id'], row]));
  return inputs.map(({ runId }) => {
    const row = byRun.get(runId);
    if (!row) return { claim: undefined };
    return row['run_token'] === null ? undefined : { claim: toClaim(kind, row) };
  });
}

interface ClaimShape {
  readonly kind: Kind;
  readonly lock: RowLock;
}

/**
 * Rows: one for each subject that was seen dispatched, with `run_token` null where its lock was not
 * taken. Locks: the subjects' rows; skips locked ones, or waits for one (`rowLocks`). Fence: the
 * version of each row that the snapshot shows. The lists are in separate selects: otherwise
 * PostgreSQL estimates by their lengths and plans the statement again for each short list.
 */
const claimStatement = renderedOnce(({ kind, lock: rowLock }: ClaimShape) => {
  const lock = rowLocks[rowLock];
  return sql`
      with wanted as materialized (
        select subject_id, run_id, ${sql.placeholder('jobIds')}::jsonb ->> run_id::text as job_id
        from unnest(
          (select ${sql.placeholder('subjectIds')}::uuid[]),
          (select ${sql.placeholder('runIds')}::uuid[])
        ) as w(subject_id, run_id)
      ),
      -- Row by row through the primary key: how long the list is no plan can know.
      seen as materialized (
        select wanted.*, found.row_version from wanted, lateral (
          select t.xmin as row_version from ${tableNames[kind]} t where t.id = wanted.subject_id
            and t.dispatch_lease_until is not null
            and (t.run_lease_until is null or t.run_lease_until < now())
          limit 1
        ) found
      ),
      free as materialized (
        select found.id, found.status, seen.run_id, seen.job_id from seen, lateral (
          select t.id, ${statusColumns[kind]} as status from ${tableNames[kind]} t
          where t.id = seen.subject_id and ${isAsSeen} limit 1 ${lock}
        ) found
      ),
      ${answeredRequests},
      claimed as (
        update ${tableNames[kind]} t set
          run_token = free.run_id,
          run_lease_until = now() + make_interval(secs => ${RUN_LEASE_SECONDS}),
          dispatch_lease_until = null,
          claimed_due_at = t.next_due_at,
          attempt = t.attempt + 1,
          claims = t.claims + 1${runningStatus(kind)}
        from free left join answered on answered.subject_id = free.id where t.id = free.id
        returning t.*, free.status as _status_before, free.job_id as _job_id,
          answered.kind as _request_kind, answered.requests as _requests,
          answered.is_direct as _is_direct,
          coalesce(answered.reason, t.due_reason) as _reason,
          coalesce(answered.actor, t.due_requested_by) as _requested_by,
          coalesce(case answered.kind when 'check' then 'sync' else answered.kind end,
            ${kind}) as _run_kind
      ),
      ${openedRuns}
      select seen.run_id as _run_id, ${nowMs} as _now_ms,
        claimed.*${kind === 'sync' ? unchangedEntries : sql``}
      from seen left join claimed on claimed.run_token = seen.run_id`;
});

/** The open requests of one kind that each run answers. */
const answeredRequests = sql`open_requests as materialized (
        select r.id, r.subject_id, r.kind, r.parameters, r.actor, r.reason, r.created_at,
          r.source_queue from keyferry.requests r
        where r.subject_id in (select id from free) and r.done_at is null
      ),
      chosen as (
        -- A plan changes nothing and is quick: it never waits behind a long sync.
        select distinct on (subject_id) subject_id, kind from open_requests
        order by subject_id, (kind = 'plan') desc, created_at
      ),
      answered as materialized (
        select subject_id, kind, (array_agg(reason order by created_at desc))[1] as reason,
          (array_agg(actor order by created_at desc))[1] as actor,
          jsonb_agg(jsonb_build_object('id', id, 'parameters', parameters)
            order by created_at) as requests,
          bool_or(source_queue is null) as is_direct
        from open_requests join chosen using (subject_id, kind) group by subject_id, kind
      )`;

/**
 * The run's own row; whichever was still running has lost its lease. It is looked up by subject:
 * all running runs, and those that ran lately, would be read for each claim.
 */
const openedRuns = sql`abandoned as (
        update keyferry.runs r
        set status = 'abandoned', finished_at = now(), error_code = 'LEASE_LOST',
          error_message = 'The worker stopped renewing its lease; another run took over.'
        from claimed, lateral (
          select running.id from keyferry.runs running
          where running.subject_id = claimed.id and running.status = 'running' offset 0
        ) lost
        where r.id = lost.id
      ),
      run as (
        insert into keyferry.runs (id, kind, subject_id, org_id, job_id, attempt, reason,
          requested_by, status)
        select run_token, _run_kind, id, org_id, _job_id, attempt, _reason, _requested_by, 'running'
        from claimed
      )`;

const statusColumns: Readonly<Record<Kind, SQL>> = {
  validate: sql`t.status`,
  sync: sql`t.sync_status`,
  rotate: sql`t.rotation_status`,
};

function runningStatus(kind: Kind): SQL {
  const running = sql`case when answered.kind = 'plan' then`;
  if (kind === 'sync') return sql`, sync_status = ${running} t.sync_status else 'running' end`;
  if (kind === 'rotate') return sql`, rotation_status = 'running'`;
  return sql``;
}

/**
 * Decided here, so that a sync with nothing to do costs a claim and a settlement, and nothing is
 * read or decrypted for it. An entry that a dead run wrote without an event is something to do. The
 * folder's revision is the snapshot's, which is safe only because the sync's row is locked at the
 * version of the same snapshot.
 */
const unchangedEntries = sql`,
        (select (select count(*) from keyferry.sync_entries e
          where e.sync_id = claimed.id and e.status = 'synced' and e.deleted_at is null
          and e.key <> ${WHOLE_SECRET})::int
          from keyferry.folders f, keyferry.connections c
          where f.id = claimed.folder_id and c.id = claimed.connection_id
            and claimed.synced_revision = ${treeRevision(sql`claimed`)}
            and claimed.synced_version = claimed.version
            and not exists (select from keyferry.installation i
              where i.epoch_started_at > greatest(claimed.created_at, claimed.compared_at))
            and claimed.progress is null and claimed.drift <> 'drifted'
            and not exists (select from keyferry.sync_entries e
              where e.sync_id = claimed.id and not e.is_told)
            and c.status in ('valid', 'degraded')
            and c.account_id is not null) as _unchanged_entries`;

function toClaim<K extends Kind>(kind: K, row: Record<string, unknown>): Claim<K> {
  const requests = typeof row._requests === 'string' ? (JSON.parse(row._requests) as unknown) : row._requests;
  const open = (requests ?? []) as readonly { id: string; parameters: Record<string, unknown> }[];
  const subject = fromRow(tables[kind], row) as SubjectRows[K];
  return {
    runId: String(row.run_token),
    runKind: row._run_kind as RunKindOf<K>,
    subject,
    statusBefore: String(row._status_before),
    reason: row._reason as Reason,
    requestedBy: typeof row._requested_by === 'string' ? row._requested_by : undefined,
    requestIds: open.map((request) => request.id),
    requestKind: typeof row._request_kind === 'string' ? row._request_kind : undefined,
    isDirect: row._is_direct === true,
    parameters: Object.assign({}, ...open.map((request) => request.parameters)) as Record<string, unknown>,
    claimedAt: new Date(Number(row._now_ms)),
    dueAt: subject.nextDueAt ?? undefined,
    unchangedEntries: typeof row._unchanged_entries === 'number' ? row._unchanged_entries : undefined,
  };
}

/**
 * Returns the seconds that the lease still has on the database's clock, or undefined when it is
 * lost.
 */
export async function renew(
  db: Database,
  kind: Kind,
  held: { subjectId: string; runId: string },
): Promise<number | undefined> {
  const [row] = await execute(
    db,
    sql`
      update ${tableNames[kind]}
      set run_lease_until = now() + make_interval(secs => ${RUN_LEASE_SECONDS})
      where id = ${held.subjectId} and run_token = ${held.runId} and run_lease_until > now()
      returning ${RUN_LEASE_SECONDS}::int as seconds`,
  );
  return row ? RUN_LEASE_SECONDS : undefined;
}
