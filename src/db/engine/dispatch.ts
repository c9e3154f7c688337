/**
 * Dispatch: claims due rows for the queue, fairly between accounts. A crash before they are queued
 * costs their lease, nothing else.
 */
import { sql, type SQL } from 'drizzle-orm';

import { DISPATCH_LEASE_SECONDS } from '../../domain/lease.ts';
import type { Kind, Reason } from '../../domain/run.ts';
import type { Database } from '../client.ts';
import { tableNames, textArray } from './subjects.ts';
import { execute } from '../statement.ts';
import { lockKeys } from '../locks.ts';

/**
 * Rows of one org and AWS account that may be queued or running at once. What a person requests
 * passes rows that only wait in the queue: for it, the window counts the rows that run or were
 * requested, too. Less than half of the ten syncs that a worker runs at once, so that two busy
 * accounts leave room for a third; an account's rate of writes is shared by its runs anyway.
 */
const ACCOUNT_WINDOW = 4;
/**
 * Due rows that one statement reads of each class: requested, and all others. As many as the queue
 * holds (`QUEUE_DEPTH`): more could not be dispatched.
 */
const CANDIDATES = 2_000;
/**
 * Each statement fills the windows of the accounts that it sees, so the next one reads past them.
 */
const MAX_STATEMENTS = 20;
/** How long a wish of another program lets further jobs of it go first. */
const PATIENCE_SECONDS = 30;
/**
 * Rows of a kind that wait for their job. More would outlive their dispatch lease in the queue;
 * they wait in PostgreSQL, in order of priority. Reading them locks thousands of rows, so it is
 * done only where a whole batch finds room.
 */
const QUEUE_DEPTH = 2_000;

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
  /** Trace context of whoever made the row due. */
  readonly traceparent: string | undefined;
  /**
   * A job of another program has just asked for it: more such jobs may follow, which the same run
   * can answer.
   */
  readonly isPatient: boolean;
}

export interface Dispatch {
  /** False while another process dispatches this kind. */
  readonly hadGuard: boolean;
  /**
   * More is due than the windows or the batch let through: dispatch again as soon as a run ends.
   */
  readonly hasBacklog: boolean;
  /** Too many rows wait for their job: this dispatch added requested ones only. */
  readonly isQueueFull: boolean;
  readonly subjects: readonly Dispatched[];
}

/**
 * Claims due rows for the queue, at most a window per account. Two ticks at once: the second gets
 * nothing. While the accounts of one page leave places in the batch, the next page is read: the
 * backlog of one account never hides another.
 */
export async function dispatchDue(db: Database, kind: Kind, limit: number): Promise<Dispatch> {
  const subjects: Dispatched[] = [];
  for (let statement = 1; ; statement += 1) {
    const rows = await execute(db, dispatchStatement(kind, limit - subjects.length));
    const found = rows.filter((row) => row.id !== null).map(toDispatched);
    subjects.push(...found);
    const [first] = rows;
    const isLast = first?.is_page_full !== true || found.length === 0 || subjects.length >= limit;
    if (isLast || statement === MAX_STATEMENTS)
      return {
        hadGuard: first?.held === true || statement > 1,
        hasBacklog: first?.backlog === true,
        isQueueFull: first?.has_room === false,
        subjects,
      };
  }
}

/** The due rows of each account in the order of their turns, behind what is in flight. */
const ranking = sql`
  -- In flight and due in one list, so that no plan joins the two: both may be thousands, and nobody
  -- knows how many before.
  placed as (
    select null::uuid as id, null::timestamptz as next_due_at, account, false as is_requested,
      case when is_passed then 3 else 1 end as turn
    from flying
    union all
    select id, next_due_at, account, is_requested, case when is_requested then 2 else 4 end
    from candidates
  ),
  ranked as (
    select id, next_due_at, is_requested,
      row_number() over (partition by account order by turn, next_due_at) as place
    from placed
  )`;

const dispatchResult = sql`select guard.held, d.id, d.due_reason, d.due_requested_by,
  d.due_traceparent,
        d.next_due_at > now() - make_interval(secs => ${PATIENCE_SECONDS}) and exists (
          select 1 from keyferry.requests r
          where r.subject_id = d.id and r.done_at is null and r.source_queue is not null
        ) as is_patient,
        (select count(*) from candidates) > (select count(*) from chosen)
          or exists (select 1 from saturated) or not (select is_left from room) as backlog,
        ${CANDIDATES} in ((select count(*) from requested),
          (select count(*) from others)) as is_page_full,
        (select is_left from room) as has_room
      from guard left join dispatched d on true order by d.position`;

/** On its own so that a test can have it explained. */
export function dispatchStatement(kind: Kind, limit: number): SQL {
  const table = tableNames[kind];
  const account = accountOf[kind];
  const isRequested = sql`t.due_reason = 'requested'`;
  const hasRoom = sql`not ${isRequested} and (select is_left from room)`;
  const isFlying = sql`t.is_in_flight
    and greatest(t.dispatch_lease_until, t.run_lease_until) > now()`;
  const page = (isOfClass: SQL, isFull: SQL) => sql`(
        select t.id, t.next_due_at, ${account.key} as account, ${isRequested} as is_requested
        from ${table} t ${account.join}
        where (select held from guard) and t.next_due_at <= now() and ${isOfClass}
          and (t.dispatch_lease_until is null or t.dispatch_lease_until < now())
          and (t.run_lease_until is null or t.run_lease_until < now())
          and ${account.key} not in (select account from saturated where ${isFull})
        order by t.next_due_at limit ${CANDIDATES}
        for update of t skip locked
      )`;
  return sql`
      with guard as materialized (
        select pg_try_advisory_xact_lock(${lockKeys.dispatch[kind]}) as held
      ),
      room as materialized (
        select count(*) <= ${QUEUE_DEPTH - Math.min(limit, QUEUE_DEPTH)} as is_left from ${table} t
        where ${isFlying} and t.run_token is null
      ),
      -- Thousands of rows: only read where there is something to choose.
      flying as materialized (
        select ${account.key} as account, t.run_token is null and not ${isRequested} as is_passed
        from ${table} t ${account.join}
        where ${isFlying} and ((select is_left from room)
          or exists (select from ${table} t where ${isRequested} and t.next_due_at <= now()))
      ),
      saturated as materialized (
        select account, count(*) filter (where not is_passed)
          >= ${ACCOUNT_WINDOW} as is_full_of_requests
        from flying group by account having count(*) >= ${ACCOUNT_WINDOW}
      ),
      requested as materialized ${page(isRequested, sql`is_full_of_requests`)},
      others as materialized ${page(hasRoom, sql`true`)},
      candidates as (select * from requested union all select * from others),
      ${ranking},
      ordered as (
        select id, row_number() over (order by is_requested desc, next_due_at) as position
        from ranked where id is not null and place <= ${ACCOUNT_WINDOW}
      ),
      chosen as (select id, position from ordered where position <= ${limit}),
      dispatched as (
        update ${table} t
        set dispatch_lease_until = now() + make_interval(secs => ${DISPATCH_LEASE_SECONDS})
        from chosen where t.id = chosen.id
        returning t.id, t.due_reason, t.due_requested_by, t.due_traceparent, t.next_due_at,
          chosen.position
      )
      ${dispatchResult}`;
}

function toDispatched(row: Record<string, unknown>): Dispatched {
  return {
    id: String(row.id),
    reason: row.due_reason as Reason,
    requestedBy: typeof row.due_requested_by === 'string' ? row.due_requested_by : undefined,
    traceparent: typeof row.due_traceparent === 'string' ? row.due_traceparent : undefined,
    isPatient: row.is_patient === true,
  };
}

/** Gives back what could not be queued, so that it does not wait for its dispatch lease. */
export async function undispatch(db: Database, kind: Kind, ids: readonly string[]): Promise<void> {
  await execute(
    db,
    sql`update ${tableNames[kind]} set dispatch_lease_until = null
      where id = any(${textArray(ids)}::uuid[]) and run_token is null`,
  );
}
