/**
 * The engine's statements: dispatch what is due, claim a run, renew its lease, settle it. Each is one statement, so that a crash between any
 * two leaves a state from which the next tick goes on. Nothing here knows what a run does.
 *
 *   due ── dispatch (lease 60 s) ──► queued ── claim (run lease 30 s, token) ──► running ── settle ──► due later
 *    ▲                                 │ lease runs out                            │ lease runs out
 *    └─────────────────────────────────┴───────────────────────────────────────────┘
 */
import { sql, type SQL } from 'drizzle-orm';

import { DISPATCH_LEASE_SECONDS, RUN_LEASE_SECONDS } from '../domain/lease.ts';
import type { Kind, Outcome, Reason, RunKind } from '../domain/run.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { assignments, fromRow } from './rows.ts';
import { connections, rotations, syncs } from './schema.ts';

export type ConnectionRow = typeof connections.$inferSelect;
export type SyncRow = typeof syncs.$inferSelect;
export type RotationRow = typeof rotations.$inferSelect;

export interface SubjectRows {
  readonly validate: ConnectionRow;
  readonly sync: SyncRow;
  readonly rotate: RotationRow;
}

/** Rows of one org and AWS account that may be queued or running at once. */
const ACCOUNT_WINDOW = 4;
/** Due rows looked at per tick; more than a batch, so that one account's backlog does not hide the others. */
const CANDIDATES = 2_000;
export const DUE_CHANNEL = 'keyferry_due';

const tables = { validate: connections, sync: syncs, rotate: rotations } as const;
const tableNames: Readonly<Record<Kind, SQL>> = {
  validate: sql`keyferry.connections`,
  sync: sql`keyferry.syncs`,
  rotate: sql`keyferry.rotations`,
};
/** Advisory lock keys of the tick, one per kind. */
const guardKeys: Readonly<Record<Kind, number>> = { validate: 731_195_301, sync: 731_195_302, rotate: 731_195_303 };

/** The AWS account a subject counts for: the verified one, else its connection. */
const accountOf: Readonly<Record<Kind, { join: SQL; key: SQL }>> = {
  validate: { join: sql``, key: sql`t.org_id || '/' || coalesce(t.account_id, t.id::text)` },
  sync: {
    join: sql`join keyferry.connections c on c.id = t.connection_id`,
    key: sql`t.org_id || '/' || coalesce(c.account_id, c.id::text)`,
  },
  rotate: {
    join: sql`join keyferry.connections c on c.id = t.connection_id`,
    key: sql`t.org_id || '/' || coalesce(c.account_id, c.id::text)`,
  },
};

export interface Dispatched {
  readonly id: string;
  readonly reason: Reason;
  readonly requestedBy: string | undefined;
}

export interface Dispatch {
  /** False when another process dispatches this kind at this very moment. */
  readonly hadGuard: boolean;
  /** More is due than the windows or the batch let through: look again as soon as a run ends. */
  readonly hasBacklog: boolean;
  readonly subjects: readonly Dispatched[];
}

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
}

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

export type Work = ReturnType<typeof createWork>;

export function createWork(db: Database) {
  return {
    dispatchDue: (kind: Kind, limit: number) => dispatchDue(db, kind, limit),
    claim: <K extends Kind>(kind: K, input: { subjectId: string; runId: string; jobId: string | undefined }) =>
      claim(db, kind, input),
    renew: (kind: Kind, subjectId: string, runId: string) => renew(db, kind, subjectId, runId),
    settle: <K extends Kind>(settlement: Settlement<K>) => settle(db, settlement),
    recordWish: (wish: OutsideWish) => recordWish(db, wish),
    dispatchRequest: (request: NamedRequest) => dispatchRequest(db, request),
    undispatch: (kind: Kind, ids: readonly string[]) => undispatch(db, kind, ids),
  };
}

async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/** Claims due rows for the queue, at most a window per account. Two ticks at once: the second gets nothing. */
async function dispatchDue(db: Database, kind: Kind, limit: number): Promise<Dispatch> {
  const table = tableNames[kind];
  const account = accountOf[kind];
  const rows = await execute(
    db,
    sql`
      with guard as materialized (select pg_try_advisory_xact_lock(${guardKeys[kind]}) as held),
      flying as materialized (
        select ${account.key} as account, count(*)::int as n from ${table} t ${account.join}
        where (t.dispatch_lease_until is not null or t.run_lease_until is not null)
          and greatest(t.dispatch_lease_until, t.run_lease_until) > now()
        group by 1
      ),
      candidates as materialized (
        select t.id, t.next_due_at, ${account.key} as account from ${table} t ${account.join}
        where (select held from guard) and t.next_due_at <= now()
          and (t.dispatch_lease_until is null or t.dispatch_lease_until < now())
          and (t.run_lease_until is null or t.run_lease_until < now())
          and ${account.key} not in (select account from flying where n >= ${ACCOUNT_WINDOW})
        order by t.next_due_at limit ${CANDIDATES}
        for update of t skip locked
      ),
      ranked as (
        select c.id, c.next_due_at,
          row_number() over (partition by c.account order by c.next_due_at) + coalesce(f.n, 0) as place
        from candidates c left join flying f on f.account = c.account
      ),
      chosen as (select id from ranked where place <= ${ACCOUNT_WINDOW} order by next_due_at limit ${limit}),
      dispatched as (
        update ${table} t set dispatch_lease_until = now() + make_interval(secs => ${DISPATCH_LEASE_SECONDS})
        from chosen where t.id = chosen.id
        returning t.id, t.due_reason, t.due_requested_by
      )
      select guard.held, d.id, d.due_reason, d.due_requested_by,
        (select count(*) from candidates) > (select count(*) from chosen)
          or exists (select 1 from flying where n >= ${ACCOUNT_WINDOW}) as backlog
      from guard left join dispatched d on true`,
  );
  return {
    hadGuard: rows[0]?.held === true,
    hasBacklog: rows[0]?.backlog === true,
    subjects: rows.filter((row) => row.id !== null).map(toDispatched),
  };
}

function toDispatched(row: Record<string, unknown>): Dispatched {
  return {
    id: String(row.id),
    reason: row.due_reason as Reason,
    requestedBy: typeof row.due_requested_by === 'string' ? row.due_requested_by : undefined,
  };
}

/** Gives back what could not be queued, so that it does not wait for its dispatch lease. */
async function undispatch(db: Database, kind: Kind, ids: readonly string[]): Promise<void> {
  await execute(
    db,
    sql`update ${tableNames[kind]} set dispatch_lease_until = null where id = any(${textArray(ids)}::uuid[]) and run_token is null`,
  );
}

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
async function recordWish(db: Database, wish: OutsideWish): Promise<boolean> {
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
          due_reason = ${wish.reason}, due_requested_by = ${wish.actor ?? null},
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
async function dispatchRequest(db: Database, request: NamedRequest): Promise<boolean> {
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

/**
 * Takes the run lease of a dispatched subject and opens the run's row. Undefined when the row is no longer dispatched (a stale or repeated
 * delivery) or another run holds the lease.
 */
async function claim<K extends Kind>(
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
        (select coalesce(jsonb_agg(jsonb_build_object('id', id, 'parameters', parameters) order by created_at), '[]') from answered) as _requests
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
  };
}

/** Returns the seconds that the lease still has on the database's clock, or undefined when it is lost. */
async function renew(db: Database, kind: Kind, subjectId: string, runId: string): Promise<number | undefined> {
  const [row] = await execute(
    db,
    sql`
      update ${tableNames[kind]} set run_lease_until = now() + make_interval(secs => ${RUN_LEASE_SECONDS})
      where id = ${subjectId} and run_token = ${runId} and run_lease_until > now()
      returning ${RUN_LEASE_SECONDS}::int as seconds`,
  );
  return row ? RUN_LEASE_SECONDS : undefined;
}

/**
 * Writes what the run found out, in one statement and only under its token. Returns false when the lease was lost: nothing is written then.
 */
async function settle<K extends Kind>(db: Database, settlement: Settlement<K>): Promise<boolean> {
  const { outcome } = settlement;
  const isFinal = outcome.status !== 'continued' && outcome.status !== 'retry';
  const answers = isFinal || (outcome.status === 'continued' && outcome.answersRequest === true);
  const ids = textArray(settlement.requestIds);
  const [row] = await execute(
    db,
    sql`
      with run as (
        update keyferry.runs set status = ${outcome.status === 'retry' ? 'failed' : outcome.status}, finished_at = now(),
          error_code = ${errorOf(outcome).code}, error_message = ${errorOf(outcome).message},
          counts = ${jsonOrNull(outcome.counts)}::jsonb, aws_calls = ${JSON.stringify(settlement.awsCalls)}::jsonb,
          result = ${jsonOrNull('result' in outcome ? outcome.result : undefined)}::jsonb
        where id = ${settlement.runId} and status = 'running'
          and exists (select 1 from ${tableNames[settlement.kind]} where id = ${settlement.subjectId} and run_token = ${settlement.runId})
        returning started_at
      ),
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
          due_requested_by = case when t.wanted_revision > ${settlement.servedRevision} or not ${isFinal} then t.due_requested_by end${assignments(tables[settlement.kind], settlement.changes)}
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

/** An array parameter as PostgreSQL's own literal: ids only, so nothing needs quoting. */
function textArray(ids: readonly string[]): string {
  return `{${ids.join(',')}}`;
}
