/**
 * How a pull ends: the source's row, the run of the history and the requests that it answers. A
 * pull that changes its folder settles in the statement that writes, so that a worker which dies
 * leaves both or neither; any other settles alone.
 */
import { sql, type SQL } from 'drizzle-orm';

import { PULL_LEASE_SECONDS } from '../domain/lease.ts';
import { noCounts } from '../domain/run.ts';
import { pauseSeconds } from '../domain/sources.ts';
import type { JobError } from '../errors.ts';
import type { sources } from './schema.ts';

export const PULL_LEASE = sql`make_interval(secs => ${PULL_LEASE_SECONDS})`;

/** A pull under way: every write of it is bound to its lease. */
export interface PullLease {
  readonly source: typeof sources.$inferSelect;
  readonly leaseToken: string;
  /** Of the BullMQ job that brought it. */
  readonly jobId?: string | undefined;
}

export interface Pulled {
  readonly status: 'succeeded';
  readonly etag: string | null;
  /** The folder's, as the pull leaves it. */
  readonly revision: number;
  /** Keys of the source that a rotation manages. */
  readonly skippedKeys: readonly string[];
  /** Of the folder's secrets. */
  readonly changes: { readonly set: number; readonly removed: number };
}

export type PullOutcome = Pulled | { readonly status: 'blocked' | 'failed'; readonly error: JobError };

/**
 * CTEs `settled` (a row if the lease still holds), `recorded` and `answered`. `source` reads from
 * the alias `s` and may be bound to more by `under`. A request that came during the pull makes the
 * source due again. A failed pull keeps what the last good one left.
 */
export function settledPull(lease: PullLease, outcome: PullOutcome, under = { from: sql``, where: sql`true` }): SQL {
  const { source, leaseToken } = lease;
  const error = outcome.status === 'succeeded' ? undefined : outcome.error;
  const failures = outcome.status === 'failed' ? source.failures + 1 : 0;
  return sql`settled as (
          update keyferry.sources s set
            status_since = case when s.status = ${outcome.status} then s.status_since
              else now() end,
            status = ${outcome.status},
            status_code = ${error?.code ?? null},
            status_message = ${error?.publicMessage ?? null},
            failures = ${failures},
            answered = ${source.asked},
            confirmed_deletions = case when s.asked = ${source.asked} then null
              else s.confirmed_deletions end,
            next_due_at = case
              when s.asked = ${source.asked}
                then now() + make_interval(secs => ${pauseSeconds(source.everySeconds, failures)})
              else now()
            end,
            lease_token = null,
            lease_until = null
            ${outcome.status === 'succeeded' ? pulledColumns(outcome) : sql``}
          ${under.from}
          where s.folder_id = ${source.folderId} and s.lease_token = ${leaseToken}
            and ${under.where}
          returning s.folder_id, s.org_id, s.asked = ${source.asked} as is_answer
        ),
        ${recordedPull(lease, outcome)},
        answered as (
          update keyferry.requests r set
            done_at = now(),
            run_id = ${leaseToken}::uuid
          from settled
          where r.subject_id = settled.folder_id and r.kind = 'pull' and r.done_at is null
            and settled.is_answer
        )`;
}

/** A CTE: the run of the history, unless nobody asked and all is as after the last pull. */
function recordedPull({ source, leaseToken, jobId }: PullLease, outcome: PullOutcome): SQL {
  const error = outcome.status === 'succeeded' ? undefined : outcome.error;
  const { set, removed } = outcome.status === 'succeeded' ? outcome.changes : { set: 0, removed: 0 };
  const isAsked = source.asked > source.answered;
  const isAsBefore = source.status === outcome.status && source.statusCode === (error?.code ?? null);
  const isTold = isAsked || set + removed > 0 || !isAsBefore;
  // Confirmed deletions, and all before them, no longer count towards the brake.
  const result = {
    credentialsRevision: source.targetRevision,
    ...(source.confirmedDeletions === null ? {} : { confirmedDeletions: source.confirmedDeletions }),
  };
  return sql`recorded as (
          insert into keyferry.runs (
            id, kind, subject_id, org_id, job_id, attempt, reason, requested_by, status, started_at,
            finished_at,
            error_code, error_message, counts, result
          )
          select ${leaseToken}::uuid, 'pull', settled.folder_id, settled.org_id, ${jobId ?? null},
            ${source.failures},
            ${isAsked ? 'requested' : 'scheduled'}, (
              select r.actor from keyferry.requests r
              where r.subject_id = settled.folder_id and r.kind = 'pull' and r.done_at is null
              order by r.created_at desc limit 1
            ),
            ${outcome.status},
            least(${source.leaseUntil?.toISOString() ?? null}::timestamptz - ${PULL_LEASE}, now()),
            now(),
            ${error?.code ?? null}, ${error?.publicMessage ?? null},
            ${JSON.stringify({ ...noCounts, updated: set, deleted: removed })}::jsonb,
            ${JSON.stringify(result)}::jsonb
          from settled where ${isTold}
        )`;
}

function pulledColumns({ etag, revision, skippedKeys }: Pulled): SQL {
  return sql`,
            etag = ${etag},
            pulled_revision = ${revision},
            last_pulled_at = now(),
            skipped_keys = ${JSON.stringify(skippedKeys)}::jsonb`;
}
