/**
 * Trials of new credentials that a person waits for: validations outside of the queue, in the
 * history of the connection like all others. A trial is recorded before its first call, as
 * abandoned; its end replaces that by the result. If the process dies, the record and the calls so
 * far stay.
 */
import { sql } from 'drizzle-orm';

import type { Database } from './client.ts';
import { storeCalls, type RunCalls } from './engine/run-calls.ts';
import { type ConnectionRow } from './engine/subjects.ts';
import { execute } from './statement.ts';

export interface TrialStart {
  readonly runId: string;
  readonly connection: Pick<ConnectionRow, 'id' | 'orgId'>;
  readonly requestedBy: string | null;
}

export interface TrialEnd extends RunCalls {
  readonly status: 'succeeded' | 'failed';
  readonly code: string | null;
  readonly message: string | null;
  readonly result: unknown;
}

export type Trials = ReturnType<typeof createTrials>;

export function createTrials(db: Database) {
  return {
    open: (start: TrialStart) => openTrial(db, start),
    end: (end: TrialEnd) => endTrial(db, end),
    storeCalls: (given: readonly RunCalls[]) => storeCalls(db, given),
  };
}

/** Inserts the run’s row, as it stays if the process dies. */
async function openTrial(db: Database, { runId, connection, requestedBy }: TrialStart): Promise<void> {
  await execute(
    db,
    sql`
      insert into keyferry.runs (
        id, kind, subject_id, org_id, attempt, reason, requested_by, status, finished_at,
        error_message
      )
      values (
        ${runId}, 'validate', ${connection.id}, ${connection.orgId}, 1, 'requested', ${requestedBy},
        'abandoned', now(),
        'The check of new credentials was not finished; nothing was changed.'
      )`,
  );
}

/** Writes the run’s row. No fence: one process has it. */
async function endTrial(db: Database, end: TrialEnd): Promise<void> {
  await execute(
    db,
    sql`
      update keyferry.runs
      set status = ${end.status},
        finished_at = now(),
        error_code = ${end.code},
        error_message = ${end.message},
        aws_calls = ${JSON.stringify(end.awsCalls)}::jsonb,
        result = ${JSON.stringify(end.result)}::jsonb
      where id = ${end.runId}`,
  );
}
