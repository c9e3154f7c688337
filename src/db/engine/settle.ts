/**
 * Settlement: what the run found out, when the subject is due again and which requests it answered,
 * in one statement under the run's token.
 */
import { sql, type SQL } from 'drizzle-orm';

import { isQuiet, type Kind, type Outcome } from '../../domain/run.ts';
import type { Database } from '../client.ts';
import { changedEntries } from '../events.ts';
import { columnNames, toJsonRow, toStorableJson } from '../rows.ts';
import { conditions, servedSubject } from './served-subject.ts';
import { isAsSeen, tableNames, tables, textArray, type SubjectRows } from './subjects.ts';
import { renderedOnce } from '../statement.ts';
import { rowLocks, type RowLock } from './together.ts';
import { wakes } from './wake.ts';

export interface Settlement<K extends Kind> {
  readonly kind: K;
  readonly subjectId: string;
  readonly runId: string;
  readonly outcome: Outcome;
  readonly changes: Partial<SubjectRows[K]>;
  /** The wanted revision that this run served; later wishes make the row due again. */
  readonly servedRevision: number;
  readonly attempt: number;
  readonly nextDueAt: Date | null;
  /** For a subject in a hot loop: the earliest due time, whatever else is wanted of it. */
  readonly slowedUntil?: Date | undefined;
  readonly requestIds: readonly string[];
  readonly awsCalls: Readonly<Record<string, number>>;
  /** Its claim found nothing to do and no event to send: the run wrote nothing. */
  readonly isUnchanged?: boolean | undefined;
}

/**
 * Writes what runs of one kind found out, in one statement and each only under its token. Returns
 * by run whether it is settled; false means that it has lost its lease. A run is missing if `lock`
 * skips its row or the row changed after the statement's snapshot: the caller settles it again. All
 * settlements change the same columns.
 */
export async function settle<K extends Kind>(
  db: Database,
  { settlements, lock }: { readonly settlements: readonly Settlement<K>[]; readonly lock: RowLock },
): Promise<ReadonlyMap<string, boolean>> {
  const [first] = settlements;
  if (!first) return new Map();
  const { kind } = first;
  const shape: SettlementShape = {
    kind,
    lock,
    columns: columnNames(tables[kind], first.changes),
    suspects: kind !== 'validate' && settlements.some(isRefused),
    tells: kind === 'sync' && !settlements.every(({ isUnchanged }) => isUnchanged === true),
  };
  const rows = await settleStatement(db, shape, { settlements: toStorableJson(settlements.map(toGiven)) });
  const decided = rows.filter((row) => row['is_settled'] === true || row['is_held'] === false);
  return new Map(decided.map((row) => [String(row['run_id']), row['is_settled'] === true]));
}

interface SettlementShape {
  readonly kind: Kind;
  readonly lock: RowLock;
  /** Of the subject, that the runs change. */
  readonly columns: readonly string[];
  /** AWS refused the credentials of a run. */
  readonly suspects: boolean;
  /** A run may have changed something that causes an event. */
  readonly tells: boolean;
}

/**
 * Rows: one for each settlement, held or not and settled or not. Locks: the subjects' rows; skips
 * locked ones, or waits for one (`rowLocks`). Fence: each run's token, and the version of the row
 * that the snapshot shows.
 */
const settleStatement = renderedOnce(({ kind, lock: rowLock, columns, suspects, tells }: SettlementShape) => {
  const table = tableNames[kind];
  const lock = rowLocks[rowLock];
  return sql`
      with given as materialized (
        select * from jsonb_to_recordset(${sql.placeholder('settlements')}::jsonb)
          as g(${givenColumns})
      ),
      -- Row by row through the primary key: how long the list is no plan can know.
      seen as materialized (
        select given.subject_id, given.run_id, found.row_version from given, lateral (
          select t.xmin as row_version from ${table} t
          where t.id = given.subject_id and t.run_token = given.run_id limit 1
        ) found
      ),
      held as materialized (
        select found.id, found.is_woken, found.is_paused, given.* from given
        join seen using (subject_id, run_id), lateral (
          select t.id, t.next_due_at is distinct from t.claimed_due_at as is_woken,
            ${conditions[kind].isPaused} as is_paused
          from ${table} t
          where t.id = seen.subject_id and ${isAsSeen} limit 1 ${lock}
        ) found
      ),
${endedRuns},
      subject as (${servedSubject(kind, columns)}),
      ${answeredRequests}
      ${suspects ? suspectConnections(kind) : sql``}
      ${tells ? toldChanges : sql``}
      select given.run_id, seen.run_id is not null as is_held,
        subject.run_id is not null as is_settled,
        (select ${wakes(kind)} from subject where next_due_at <= now() limit 1) as woken
      from given left join seen using (run_id) left join subject using (run_id)`;
});

/** A run that replaces the one before it takes over its calls. */
const summedCalls = sql`case
            when ending.previous_calls is null or ending.previous_calls = '{}' then ending.aws_calls
            when ending.aws_calls = '{}' then ending.previous_calls
            else (
              select jsonb_object_agg(key, calls)
              from (
                select key, sum(value::int) as calls
                from (
                  select * from jsonb_each_text(ending.aws_calls)
                  union all
                  select * from jsonb_each_text(ending.previous_calls)
                ) each_call
                group by key
              ) summed
            )
          end`;

/** The run's own row, the quiet run before it that it replaces, and the requests that it leaves. */
const endedRuns = sql`
      ending as materialized (
        select held.*, previous.id as previous_id, previous.aws_calls as previous_calls,
          previous.repeats as previous_repeats, previous.since
        from held, lateral (
          -- Unended is running: said by its state, all running runs would be read for each.
          select unended.kind from keyferry.runs unended
          where unended.id = held.run_id and unended.finished_at is null limit 1
        ) own left join lateral (
          -- The run before this one, if it was as quiet, and ended alike.
          select last.id, last.repeats, last.aws_calls,
            coalesce(last.first_started_at, last.started_at) as since
          from (
            select * from keyferry.runs r
            where held.is_quiet and r.subject_id = held.id and r.id <> held.run_id
            order by r.started_at desc limit 1
          ) last
          where last.repeats is not null and last.status = held.status
            and last.error_code is not distinct from held.error_code and last.kind = own.kind
        ) previous on true
      ),
      run as (
        update keyferry.runs r
        set status = ending.status, finished_at = now(), error_code = ending.error_code,
          error_message = ending.error_message,
          counts = ending.counts, aws_calls = ${summedCalls}, result = ending.result,
          repeats = case when ending.is_quiet then coalesce(ending.previous_repeats + 1, 0) end,
          first_started_at = ending.since
        from ending where r.id = ending.run_id
        returning ending.*
      ),
      collapsed as (
        delete from keyferry.runs r using run where r.id = run.previous_id
      ),
      -- Requests that this run does not answer. One that goes on leaves those that it found to its
      -- next run.
      waiting as materialized (
        select distinct r.subject_id from keyferry.requests r join run on run.id = r.subject_id
        where run.is_final and r.done_at is null and not (r.id = any(run.request_ids))
      )`;

/** Only once the run is over: before, consumers would act on half a change. */
const toldChanges = sql`,
      ${changedEntries(sql`
        select run.id, run.run_id from run join subject using (run_id)
        where run.status <> 'continued'`)}`;

const answeredRequests = sql`answered as (
        update keyferry.requests r set done_at = now(), run_id = run.run_id
        from run join subject using (run_id)
        where run.is_answer and r.id = any(run.request_ids) and r.done_at is null
          -- One request stands for all jobs of other programs: one that came during the run is
          -- answered by the next.
          and not (run.is_woken and r.source_queue is not null)
      )`;

/**
 * Makes the connection due whose credentials AWS refused during a run, so that one validation
 * decides for everything that depends on it. Within five minutes of a validation that found nothing
 * wrong it is due in an hour: validation and run may disagree for long. A connection that is locked
 * is being written anyway.
 */
function suspectConnections(kind: Kind): SQL {
  return sql`,
      refused as (
        select distinct t.connection_id
        from run join ${tableNames[kind]} t on t.id = run.id
        where run.error_code = any(${textArray(refusals)}::text[])
      ),
      suspected as (
        update keyferry.connections c
        set next_due_at = case
            when c.last_validated_at > now() - interval '5 minutes'
            then least(c.next_due_at, now() + interval '1 hour')
            else now() end,
          due_reason = 'recovered'
        from (
          select found.id
          from refused, lateral (
            select c.id from keyferry.connections c
            where c.id = refused.connection_id
              and c.status in ('valid', 'degraded')
            for update skip locked
          ) found
        ) suspect
        where c.id = suspect.id
        returning ${wakes('validate')}
      )`;
}

/** AWS refused the caller, not the request. */
const refusals = [
  'CONNECTION_ACCESS_DENIED',
  'CONNECTION_KEY_UNKNOWN',
  'CONNECTION_SECRET_WRONG',
  'CONNECTION_ACCOUNT_CHANGED',
] as const;

function isRefused({ outcome }: Settlement<Kind>): boolean {
  const { code } = errorOf(outcome);
  return refusals.some((refusal) => refusal === code);
}

const givenColumns = sql`subject_id uuid, run_id uuid, status text, error_code text,
  error_message text, counts jsonb,
          aws_calls jsonb, result jsonb, is_quiet boolean, is_final boolean, is_answer boolean,
          served bigint, attempt int,
          next_due_at timestamptz, slowed_until timestamptz, request_ids uuid[], changes jsonb`;

/** Settlements with equal shapes fit into one statement. */
export function shapeOf({ kind, changes }: Settlement<Kind>): string {
  return [kind, ...columnNames(tables[kind], changes)].join();
}

function toGiven<K extends Kind>(settlement: Settlement<K>) {
  const { outcome, requestIds } = settlement;
  const isFinal = outcome.status !== 'continued' && outcome.status !== 'retry';
  const { code, message } = errorOf(outcome);
  return {
    subject_id: settlement.subjectId,
    run_id: settlement.runId,
    status: outcome.status === 'retry' ? 'failed' : outcome.status,
    error_code: code,
    error_message: message,
    counts: outcome.counts,
    aws_calls: settlement.awsCalls,
    result: 'result' in outcome ? outcome.result : undefined,
    is_quiet: isQuiet(outcome, { ...settlement, isAskedFor: requestIds.length > 0 }),
    is_final: isFinal,
    is_answer: isFinal || (outcome.status === 'continued' && outcome.answersRequest === true),
    served: settlement.servedRevision,
    attempt: settlement.attempt,
    next_due_at: settlement.nextDueAt,
    slowed_until: settlement.slowedUntil,
    request_ids: requestIds,
    changes: toJsonRow(tables[settlement.kind], settlement.changes),
  };
}

function errorOf(outcome: Outcome): { code: string | null; message: string | null } {
  if (outcome.status === 'retry') return { code: outcome.error.code, message: outcome.error.publicMessage };
  if (outcome.status === 'continued') return outcome.waitsFor ?? { code: null, message: null };
  return 'code' in outcome ? { code: outcome.code, message: outcome.message } : { code: null, message: null };
}
