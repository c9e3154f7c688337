/** Runs: what was done and how it ended, and waiting for the run that answers a request. */
import type { Context } from 'hono';

import { runKinds, runStatuses } from '../../domain/run.ts';
import { JobError, toJobError } from '../../errors.ts';
import type { LogicalRun } from '../../db/logical-runs.ts';
import { problem } from '../problem.ts';
import type { Api, ApiOptions } from './env.ts';
import { answers, common, createRoute, moment, toMoment, z } from './operation.ts';
import { allInOperations, inOperations, type ApiSubject } from './wording.ts';
import type { RunRecord } from '../../client/types/run.ts';

export const runShape = z
  .object({
    id: z.uuid(),
    kind: z.enum(runKinds),
    subjectId: z.uuid(),
    status: z.enum(runStatuses),
    attempt: z.number().int(),
    reason: z.string(),
    requestedBy: z.string().nullable(),
    startedAt: z.iso.datetime(),
    finishedAt: moment,
    errorCode: z.string().nullable(),
    errorMessage: z.string().nullable(),
    counts: z.record(z.string(), z.number()).nullable(),
    awsCalls: z
      .record(z.string(), z.number())
      .nullable()
      .describe('Calls sent to AWS, by operation; so far, while it runs. At least these of an abandoned run.'),
    repeats: z
      .number()
      .int()
      .nullable()
      .describe('Earlier scheduled runs that ended alike and that this one replaces; `awsCalls` counts theirs, too.'),
    progress: z
      .object({
        done: z.number().int(),
        total: z.number().int(),
        perSecond: z.number().nullable(),
        secondsLeft: z.number().int().nullable(),
      })
      .nullable()
      .describe('How far a long sync or removal has come; null before its first write'),
    result: z.unknown().describe('What the run found out: the plan of a plan. Never a value.'),
  })
  .openapi('Run');

const slice = z.object({ id: z.uuid(), startedAt: z.iso.datetime(), finishedAt: moment });

const listedRun = runShape
  .extend({ slices: z.array(slice).describe('The oldest first; empty for a run that was done in one') })
  .openapi('ListedRun');

function toListed(run: LogicalRun): z.infer<typeof listedRun> {
  const slices = run.slices.map(({ id, startedAt, finishedAt }) => ({
    ...{ id, startedAt: startedAt.toISOString(), finishedAt: toMoment(finishedAt) },
  }));
  return { ...toApiRun(run), slices };
}

/** Of a pull it is a folder, which has no path of its own. */
function subjectOf({ kind, subjectId: id }: RunRecord): ApiSubject | undefined {
  if (kind === 'pull') return undefined;
  if (kind === 'validate') return { kind: 'connection', id };
  return { kind: kind === 'rotate' ? 'rotation' : 'sync', id };
}

export function toApiRun(run: RunRecord): z.infer<typeof runShape> {
  const of = subjectOf(run);
  return {
    id: run.id,
    kind: run.kind,
    subjectId: run.subjectId,
    status: run.status,
    attempt: run.attempt,
    reason: run.reason,
    requestedBy: run.requestedBy,
    startedAt: run.startedAt.toISOString(),
    finishedAt: toMoment(run.finishedAt),
    errorCode: run.errorCode,
    errorMessage: run.errorMessage && inOperations(run.errorMessage, of),
    counts: run.counts === null ? null : { ...run.counts },
    awsCalls: run.awsCalls === null ? null : { ...run.awsCalls },
    repeats: run.repeats,
    progress: run.progress,
    result: allInOperations(run.result ?? null, of),
  };
}

/** What an action answers beside its subject. */
export const requested = {
  runRequestId: z.uuid().describe('The recorded request; a run answers it'),
  run: runShape.nullable().describe('Null while it is in progress: see `GET /api/v1/runs?subjectId=`'),
};

const NOT_YET = ['QUEUE_UNAVAILABLE', 'QUEUE_TIMEOUT'];

/** Waits at most this long; a longer run continues by itself. */
export async function waitForRun(
  c: Context,
  runRequestId: string,
  waitSeconds: number,
): Promise<{ runRequestId: string; run: z.infer<typeof runShape> | null }> {
  if (waitSeconds === 0) return { runRequestId, run: null };
  try {
    const timeoutMs = waitSeconds * 1_000;
    const run = await c
      .get('client')
      .runs.wait(runRequestId, { timeoutMs, untakenTimeoutMs: timeoutMs, signal: c.req.raw.signal });
    return { runRequestId, run: toApiRun(run) };
  } catch (error) {
    if (NOT_YET.includes(toJobError(error).code)) return { runRequestId, run: null };
    throw error;
  }
}

const tag = 'Runs';

export function addRuns(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common(
        {
          id: 'run.list',
          scope: 'read',
          summary: 'List runs, newest first; a run in slices is one, from its first slice on',
          tag,
        },
        options,
      ),
      method: 'get',
      path: '/api/v1/runs',
      request: {
        query: z.object({
          subjectId: z.uuid().optional(),
          kind: z.enum(runKinds).optional(),
          status: z.enum(runStatuses).optional(),
          limit: z.coerce.number().int().min(1).max(200).default(20),
        }),
      },
      responses: answers(z.object({ runs: z.array(listedRun) })),
    }),
    async (c) => c.json({ runs: (await listed(c, c.req.valid('query'))).map(toListed) }, 200),
  );
  addRun(api, options);
}

function addRun(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...common({ id: 'run.get', scope: 'read', summary: 'Get a run', tag }, options),
      method: 'get',
      path: '/api/v1/runs/{runId}',
      request: { params: z.object({ runId: z.uuid() }) },
      responses: answers(z.object({ run: runShape })),
    }),
    async (c) => {
      const { runId } = c.req.valid('param');
      const run = await findRun(c, runId);
      return run === undefined
        ? (problem(c, 404, `There is no run ${runId}.`) as never)
        : c.json({ run: toApiRun(run) }, 200);
    },
  );
}

async function findRun(c: Context, runId: string): Promise<RunRecord | undefined> {
  try {
    return await c.get('client').runs.get(runId);
  } catch (error) {
    if (error instanceof JobError && error.code === 'PAYLOAD_INVALID') return undefined;
    throw error;
  }
}

interface RunQuery {
  readonly subjectId?: string | undefined;
  readonly kind?: string | undefined;
  readonly status?: string | undefined;
  readonly limit: number;
}

function listed(c: Context, { subjectId: subject, ...filter }: RunQuery): Promise<readonly LogicalRun[]> {
  return c.get('client').history.runs({ subject, ...filter });
}
