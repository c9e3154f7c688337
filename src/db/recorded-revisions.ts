/**
 * The newest revision of stored credentials that a run was recorded with. A row and its ciphertext
 * are bound to each other, so an older pair that was put back past keyferry decrypts as it always
 * did: the history shows that there was a newer one, as long as it is kept.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Kind } from '../domain/run.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { execute } from './statement.ts';

/** In the result of a run. */
const FIELD = 'credentialsRevision';

/** The runs read for one subject; most leave the same revision. */
const RUNS_READ = 200;

/** An expression: 0 when none is on record. */
export function newestRecorded(kind: Kind | 'pull', subjectId: SQL): SQL {
  return sql`(
        select coalesce(max(case when jsonb_typeof(recent.revision) = 'number'
          then recent.revision::int end), 0)
        from (
          select r.result -> ${FIELD} as revision from keyferry.runs r
          where r.subject_id = ${subjectId} and r.kind = ${kind}
          order by r.started_at desc limit ${RUNS_READ}
        ) recent
      )`;
}

export async function newestOfConnections(db: Database, ids: readonly string[]): Promise<readonly number[]> {
  const rows = await execute(
    db,
    sql`
      select ${newestRecorded('validate', sql`wanted.id`)} as newest
      from jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb) with ordinality as given (text,
        place),
        lateral (select given.text::uuid as id) wanted
      order by given.place`,
  );
  return rows.map((row) => Number(row.newest));
}

/**
 * Throws SECRET_UNDECRYPTABLE when `revision` is older than the newest on record. `remedy`: a
 * sentence.
 */
export function requireNewest(
  what: string,
  { revision, newest }: { readonly revision: number; readonly newest: number },
  remedy: string,
): void {
  if (revision >= newest) return;
  throw new JobError('SECRET_UNDECRYPTABLE', {
    message: `The stored ${what} are of revision ${String(revision)}, but revision ${String(newest)} was in use: the row was changed outside keyferry. ${remedy}`,
  });
}
