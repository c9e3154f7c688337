/**
 * Requests: wishes with an actor. Opening one and making its subject due is one statement; a run
 * answers it by setting `done_at` in its settlement.
 */
import { and, desc, eq, sql } from 'drizzle-orm';

import { isUuid } from '../domain/reference.ts';
import type { Kind, RunProgress } from '../domain/run.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { requests, runs } from './schema.ts';
import { wake } from './engine/wake.ts';
import { logicalRuns, toLogicalRun } from './logical-runs.ts';
import { execute, raise } from './statement.ts';
import { dueNow } from './engine/due.ts';

/** A pull is asked for at its source (`db/sources.ts`). */
export type RequestKind = Exclude<(typeof requests.$inferSelect)['kind'], 'pull'>;
export type RunRow = typeof runs.$inferSelect;

export interface NewRequest {
  readonly orgId: string;
  readonly kind: RequestKind;
  readonly subjectId: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly actor: string | null;
}

const queueOf: Readonly<Record<RequestKind, Kind>> = {
  validate: 'validate',
  sync: 'sync',
  plan: 'sync',
  check: 'sync',
  import: 'sync',
  remove: 'sync',
  rotate: 'rotate',
};

const tableOf = {
  validate: sql`keyferry.connections`,
  sync: sql`keyferry.syncs`,
  rotate: sql`keyferry.rotations`,
} as const;

const notFound = {
  validate: 'CONNECTION_NOT_FOUND',
  sync: 'SYNC_NOT_FOUND',
  rotate: 'KEY_ROTATION_NOT_FOUND',
} as const;

/** A check does not change what is wanted; every other request does. */
const lookingKinds: ReadonlySet<RequestKind> = new Set(['plan', 'check']);

export interface Progress {
  readonly isDone: boolean;
  /** True once a worker took the subject up after the request was made. */
  readonly isTaken: boolean;
  readonly run: RunRow | undefined;
  /** Of the run that is under way; undefined before its first write. */
  readonly progress?: RunProgress | undefined;
}

export type Requests = ReturnType<typeof createRequests>;

export function createRequests(db: Database) {
  return {
    /** Returns the request's id. */
    open: (request: NewRequest) => openRequest(db, request),
    progress: (requestId: string) => readProgress(db, requestId),
    /** Throws PAYLOAD_INVALID, also for another org's run. */
    run: (orgId: string, runId: string) => getRun(db, orgId, runId),
    /** Newest first. */
    runsOf: (orgId: string, subjectId: string, limit: number) => listRuns(db, { orgId, subjectId, limit }),
  };
}

/**
 * Writes the subject’s row and inserts the request. No fence: the row lock of the update puts it
 * before or after a settlement, which answers only the requests that its claim saw.
 */
async function openRequest(db: Database, request: NewRequest): Promise<string> {
  const queue = queueOf[request.kind];
  const wished = lookingKinds.has(request.kind) ? 0 : 1;
  const [row] = await db
    .execute<{ id: string }>(
      sql`
        with due as (
          update ${tableOf[queue]} t set
            wanted_revision = t.wanted_revision + ${wished},
            -- Dispatched again, as a job that goes before those of schedules.
            dispatch_lease_until = case
              when t.run_token is null and t.due_reason is distinct from 'requested' then null
              else t.dispatch_lease_until
            end,
            ${dueNow('requested', request.actor)}
          where t.id = ${request.subjectId} and t.org_id = ${request.orgId} returning t.id
        )
        insert into keyferry.requests (org_id, kind, subject_id, parameters, actor)
        select ${request.orgId}, ${request.kind}, due.id,
          ${JSON.stringify(request.parameters ?? {})}::jsonb, ${request.actor}
        from due returning id`,
    )
    .catch(raise);
  if (!row) throw new JobError(notFound[queue]);
  wake(db, queue);
  return row.id;
}

async function readProgress(db: Database, requestId: string): Promise<Progress> {
  const [request] = isUuid(requestId)
    ? await db.select().from(requests).where(eq(requests.id, requestId)).catch(raise)
    : [];
  if (!request) throw new JobError('PAYLOAD_INVALID', { message: `There is no request ${requestId}.` });
  if (request.doneAt && request.runId) {
    const run = await getRun(db, request.orgId, request.runId);
    // Of a cancelled request: its run is still on the way to the next safe point.
    return run.status === 'running'
      ? { isDone: false, isTaken: true, run: undefined }
      : { isDone: true, isTaken: true, run: await withSlices(db, run) };
  }
  const [latest] = await db
    .select({ progress: runs.progress })
    .from(runs)
    .where(
      and(
        eq(runs.subjectId, request.subjectId),
        sql`${runs.startedAt} >= ${request.createdAt.toISOString()}::timestamptz`,
      ),
    )
    .orderBy(desc(runs.startedAt))
    .limit(1)
    .catch(raise);
  const progress = latest?.progress ?? undefined;
  return { isDone: request.doneAt !== null, isTaken: latest !== undefined, run: undefined, progress };
}

/** With the calls of all its slices, from the first one on. */
async function withSlices(db: Database, run: RunRow): Promise<RunRow> {
  const [row] = await execute(db, logicalRuns([sql`r.id = ${run.id}`], 1));
  return row === undefined ? run : toLogicalRun(row);
}

async function getRun(db: Database, orgId: string, runId: string): Promise<RunRow> {
  const found = isUuid(runId)
    ? await db
        .select()
        .from(runs)
        .where(and(eq(runs.id, runId), eq(runs.orgId, orgId)))
        .catch(raise)
    : [];
  if (!found[0]) throw new JobError('PAYLOAD_INVALID', { message: `There is no run ${runId}.` });
  return found[0];
}

async function listRuns(
  db: Database,
  query: { orgId: string; subjectId: string; limit: number },
): Promise<readonly RunRow[]> {
  if (!isUuid(query.subjectId)) return [];
  return db
    .select()
    .from(runs)
    .where(and(eq(runs.subjectId, query.subjectId), eq(runs.orgId, query.orgId)))
    .orderBy(desc(runs.startedAt))
    .limit(query.limit)
    .catch(raise);
}
