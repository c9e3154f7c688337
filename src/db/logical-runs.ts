/**
 * Runs as people count them. A sync that gives up its slot after each slice is one run to them,
 * however many rows of the history it took. Only for reading: each slice keeps its row. The phases
 * of a rotation are not slices.
 */
import { sql, type SQL } from 'drizzle-orm';

import { parseMoment } from './moment.ts';
import { parsedJson, textOrNull } from './read.ts';
import { fromRow } from './rows.ts';
import { runs } from './schema.ts';
import { finalProgress } from '../domain/progress.ts';
import type { RunSlice } from '../domain/run.ts';

type RunHistoryRow = typeof runs.$inferSelect;

/**
 * The last slice, from the start of the first one on, with the calls of all; its counts and its
 * progress are those of all already.
 */
export type LogicalRun = RunHistoryRow & {
  /** Null once the subject is deleted. */
  readonly subjectName: string | null;
  /** The oldest first; empty for a run that was done in one. */
  readonly slices: readonly RunSlice[];
};

/**
 * Rows: the newest `limit` logical runs, by the start of their last slice, for `toLogicalRun`: the
 * same ones come first whatever the limit. `where` is about `r`, a row of `keyferry.runs`. Locks:
 * none.
 */
export function logicalRuns(where: readonly SQL[], limit: number): SQL {
  const conditions = sql.join([isLastSlice, ...where], sql` and `);
  return sql`
      with r as materialized (
        select * from keyferry.runs r where ${conditions} order by r.started_at desc limit ${limit}
      )
      select r.*, coalesce(c.name, s.name, t.name,
        f.project_id || '/' || f.environment || f.secret_path) as _name, earlier.slices as _slices,
        ${isOrphaned} as _is_orphaned
      from r
      left join keyferry.connections c on c.id = r.subject_id
      left join keyferry.syncs s on s.id = r.subject_id
      left join keyferry.rotations t on t.id = r.subject_id
      left join keyferry.folders f on f.id = r.subject_id,
      lateral (${earlierSlices}) earlier
      order by r.started_at desc`;
}

const isLastSlice = sql`(
          r.status <> 'continued' or r.kind = 'rotate' or not exists (
            select from keyferry.runs later
            where later.subject_id = r.subject_id and later.kind = r.kind
              and later.started_at > r.started_at
          )
        )`;

/** Those since the run before that came to an end. */
const earlierSlices = sql`
        select jsonb_agg(
          jsonb_build_object(
            'id', one.id,
            'startedAt', one.started_at,
            'finishedAt', one.finished_at,
            'awsCalls', one.aws_calls,
            'progress', one.progress
          ) order by one.started_at
        ) as slices
        from keyferry.runs one
        where r.kind <> 'rotate'
          and one.subject_id = r.subject_id
          and one.kind = r.kind
          and one.status = 'continued'
          and one.started_at < r.started_at
          and one.started_at > coalesce((
            select ended.started_at from keyferry.runs ended
            where ended.subject_id = r.subject_id
              and ended.kind = r.kind
              and ended.status <> 'continued'
              and ended.started_at < r.started_at
            order by ended.started_at desc
            limit 1
          ), '-infinity')`;

/** It counts as running, and nobody renews its lease. Pulls have theirs at the source. */
const isOrphaned = sql`coalesce(
        r.status = 'running'
        and r.kind <> 'pull'
        and coalesce(c.run_lease_until, s.run_lease_until, t.run_lease_until) < now(),
        false
      )`;

const ORPHANED =
  'Its worker does not answer: it died, or cannot reach PostgreSQL. The next worker that is free continues the work.';

interface StoredSlice {
  readonly id: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly awsCalls: RunHistoryRow['awsCalls'];
  readonly progress: RunHistoryRow['progress'];
}

export function toLogicalRun(row: Record<string, unknown>): LogicalRun {
  const run = withEarlier(row);
  if (row['_is_orphaned'] !== true) return run;
  // Its rate and remaining time are no longer updated.
  const progress = run.progress === null ? null : { ...run.progress, perSecond: null, secondsLeft: null };
  return { ...run, progress, errorMessage: ORPHANED };
}

function withEarlier(row: Record<string, unknown>): LogicalRun {
  const stored = fromRow(runs, row);
  const run = { ...stored, progress: finalProgress(stored, stored.progress) };
  const subjectName = textOrNull(row['_name']);
  const earlier = (parsedJson(row['_slices']) ?? []) as readonly StoredSlice[];
  const [first] = earlier;
  if (first === undefined) return { ...run, subjectName, slices: [] };
  const { id, startedAt, finishedAt } = run;
  return {
    ...run,
    subjectName,
    startedAt: parseMoment(first.startedAt),
    awsCalls: addCalls([...earlier.map((one) => one.awsCalls), run.awsCalls]),
    // A slice that has just begun has written nothing yet.
    progress: run.progress ?? (run.status === 'running' ? (earlier.at(-1)?.progress ?? null) : null),
    slices: [...earlier.map(toSlice), { id, startedAt, finishedAt }],
  };
}

function toSlice({ id, startedAt, finishedAt }: StoredSlice): RunSlice {
  return { id, startedAt: parseMoment(startedAt), finishedAt: finishedAt === null ? null : parseMoment(finishedAt) };
}

function addCalls(all: readonly RunHistoryRow['awsCalls'][]): Readonly<Record<string, number>> {
  const sum: Record<string, number> = {};
  for (const calls of all)
    for (const [name, count] of Object.entries(calls ?? {})) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
