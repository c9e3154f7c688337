/**
 * What runs that are not settled have done so far: stored while they are under way, and after
 * another run has taken over. The answer says whether a person has cancelled them, and whether
 * another subject waits for their slot.
 */
import { sql } from 'drizzle-orm';

import type { RunProgress } from '../../domain/run.ts';
import type { Database } from '../client.ts';
import { execute } from '../statement.ts';

export interface RunCalls {
  readonly runId: string;
  readonly awsCalls: Readonly<Record<string, number>>;
  readonly progress?: RunProgress | undefined;
  /** What it has found out so far; its settlement stores the whole. */
  readonly result?: unknown;
}

export interface StoredCalls {
  /** Runs whose rows another transaction has locked: nothing was stored for them. */
  readonly passedOver: readonly string[];
  /** Runs that are to stop. */
  readonly cancelled: readonly string[];
  /**
   * Runs whose slot is wanted: by another sync or source that is due, or by a new wish for their
   * own sync.
   */
  readonly awaited: readonly string[];
}

/**
 * Returns: the runs that were passed over, those that are cancelled, and those that are awaited.
 * Locks: the runs' rows, and waits for none. Fence: a settled run is left alone, because its
 * settlement has stored all calls.
 */
export async function storeCalls(db: Database, given: readonly RunCalls[]): Promise<StoredCalls> {
  const rows = await execute(
    db,
    sql`
      with given as (
        select id, calls, progress, result
        from jsonb_to_recordset(${JSON.stringify(given.map(toRecord))}::jsonb)
          as g(id uuid, calls jsonb, progress jsonb, result jsonb)
      ),
      free as materialized (
        select found.id, given.calls, given.progress, given.result
        from given, lateral (
          select r.id
          from keyferry.runs r
          where r.id = given.id and r.status in ('running', 'abandoned')
          for update skip locked
        ) found
      ),
      stored as (
        update keyferry.runs r
        set aws_calls = free.calls,
          progress = coalesce(free.progress, r.progress),
          result = coalesce(free.result, r.result)
        from free
        where r.id = free.id
      ),
      queue as materialized (
        select exists (
            select from keyferry.syncs o
            where o.next_due_at <= now()
              and (o.run_lease_until is null or o.run_lease_until < now())
          ) or exists (
            select from keyferry.sources o
            where o.next_due_at <= now()
              and (o.lease_token is null or o.lease_until < now())
          ) as is_waiting
      )
      select given.id, s.cancelled_run_id = r.id as is_cancelled,
        not exists (select from free where free.id = given.id) as is_passed_over,
        queue.is_waiting
          or s.paused_at is not null
          or s.next_due_at is distinct from s.claimed_due_at as is_awaited
      from given
      cross join queue
      join keyferry.runs r using (id)
      left join keyferry.syncs s on s.id = r.subject_id
      where r.status in ('running', 'abandoned')`,
  );
  const those = (column: string) => rows.filter((row) => row[column] === true).map((row) => String(row['id']));
  return { passedOver: those('is_passed_over'), cancelled: those('is_cancelled'), awaited: those('is_awaited') };
}

const toRecord = ({ runId, awsCalls: calls, progress, result }: RunCalls) => ({ id: runId, calls, progress, result });
