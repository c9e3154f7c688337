/** The AWS calls of runs that are not settled: stored while they are under way, and after another run has taken over. */
import { sql } from 'drizzle-orm';

import type { Database } from '../client.ts';
import { execute } from './subjects.ts';

export interface RunCalls {
  readonly runId: string;
  readonly awsCalls: Readonly<Record<string, number>>;
}

/**
 * Returns: the runs that were passed over because somebody else has locked their rows.
 * Locks: the runs' rows, and waits for none. Fence: a settled run is left alone, because its settlement has stored all calls.
 */
export async function storeCalls(db: Database, given: readonly RunCalls[]): Promise<readonly string[]> {
  const rows = await execute(
    db,
    sql`
      with given as (
        select id, calls
        from jsonb_to_recordset(${JSON.stringify(given.map(toRecord))}::jsonb) as g(id uuid, calls jsonb)
      ),
      free as materialized (
        select found.id, given.calls
        from given, lateral (
          select r.id
          from keyferry.runs r
          where r.id = given.id and r.status in ('running', 'abandoned')
          for update skip locked
        ) found
      ),
      stored as (
        update keyferry.runs r
        set aws_calls = free.calls
        from free
        where r.id = free.id
      )
      select given.id
      from given
      join keyferry.runs r using (id)
      where r.status in ('running', 'abandoned') and not exists (select from free where free.id = given.id)`,
  );
  return rows.map((row) => String(row['id']));
}

const toRecord = ({ runId, awsCalls }: RunCalls) => ({ id: runId, calls: awsCalls });
