/** What was asked for, and what was done. */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, text, unique, uuid } from 'drizzle-orm/pg-core';

import type { RunCounts, RunKind, RunProgress, RunStatus } from '../../domain/run.ts';
import { moment } from '../moment.ts';
import { created, keyferry } from './columns.ts';

export const requests = keyferry.table(
  'requests',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    kind: text('kind')
      .$type<'validate' | 'sync' | 'plan' | 'check' | 'import' | 'remove' | 'rotate' | 'pull'>()
      .notNull(),
    subjectId: uuid('subject_id').notNull(),
    parameters: jsonb('parameters').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    actor: text('actor'),
    reason: text('reason').notNull().default('requested'),
    // Of an outside job: a redelivery finds its own row and starts nothing twice.
    sourceQueue: text('source_queue'),
    sourceJobId: text('source_job_id'),
    sourceTimestamp: bigint('source_timestamp', { mode: 'number' }),
    createdAt: created(),
    doneAt: moment('done_at'),
    runId: uuid('run_id'),
    status: text('status')
      .$type<'open' | 'answered' | 'cancelled'>()
      .notNull()
      .generatedAlwaysAs(
        sql`case when done_at is null then 'open' when run_id is null then 'cancelled'
          else 'answered' end`,
      ),
  },
  (t) => [
    unique('requests_source').on(t.sourceQueue, t.sourceJobId, t.sourceTimestamp),
    index('requests_open')
      .on(t.subjectId, t.createdAt)
      .where(sql`${t.doneAt} is null`),
    index('requests_answered')
      .on(t.doneAt)
      .where(sql`${t.doneAt} is not null`),
  ],
);

export const runs = keyferry.table(
  'runs',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    kind: text('kind').$type<RunKind>().notNull(),
    subjectId: uuid('subject_id').notNull(),
    orgId: text('org_id').notNull(),
    jobId: text('job_id'),
    attempt: integer('attempt').notNull(),
    reason: text('reason').notNull(),
    requestedBy: text('requested_by'),
    status: text('status').$type<RunStatus>().notNull(),
    startedAt: moment('started_at')
      .notNull()
      .default(sql`now()`),
    finishedAt: moment('finished_at'),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    counts: jsonb('counts').$type<RunCounts>(),
    /**
     * Stored while the run is under way; of a run that replaced others like it, the calls of all.
     */
    awsCalls: jsonb('aws_calls').$type<Readonly<Record<string, number>>>(),
    /** How far a long sync has come, stored while it writes. */
    progress: jsonb('progress').$type<RunProgress>(),
    /**
     * What the run found out, for whoever asked: a plan, a list of what is left behind. Never a
     * value.
     */
    result: jsonb('result').$type<unknown>(),
    /**
     * Null: the run did or said something. Else it found everything as before, and stands for this
     * many earlier runs that did, too.
     */
    repeats: integer('repeats'),
    /** When the first of the runs that it stands for began. */
    firstStartedAt: moment('first_started_at'),
  },
  (t) => [
    index('runs_by_subject').on(t.subjectId, t.startedAt),
    index('runs_running')
      .on(t.subjectId)
      .where(sql`${t.status} = 'running'`),
    index('runs_by_start').on(t.startedAt),
    // Few rows: the last import and removal of a sync are shown with it, however long its history
    // is.
    index('runs_imports_and_removals')
      .on(t.subjectId, t.startedAt)
      .where(sql`${t.kind} in ('import', 'remove')`),
  ],
);
