/**
 * One `pull` job of the queue `sync`: parse → admit → claim → pull → report. A job that keyferry
 * dispatched reads the source; any other is recorded as a wish, and the next dispatch reads it.
 * PostgreSQL decides when the source is read again: a job is one attempt.
 */
import type { Job } from 'bullmq';

import type { PullOutcome } from '../../db/pull-settlement.ts';
import type { ClaimedSource } from '../../db/pull-claims.ts';
import type { Sources } from '../../db/sources.ts';
import { defined } from '../../domain/defined.ts';
import { PULL_LEASE_SECONDS } from '../../domain/lease.ts';
import { JobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { parsePayload } from '../../queues/payload.ts';
import { askedBy, isFirstDelivery, holdForDatabase } from '../engine/admit.ts';
import { cleanError, type JobResult, toQueueError } from '../engine/job-result.ts';
import type { RunReport } from '../engine/run-report.ts';
import type { Pull } from './pull.ts';

export interface PullJobDependencies {
  readonly sources: Pick<Sources, 'claim' | 'recordWish'>;
  readonly pull: Pull;
  /** While the database may be older than the state of AWS. */
  isGuarded(): boolean;
}

export interface PullJobHooks {
  readonly log: Log;
  onRun(report: RunReport): void;
  noticeOutage?(error: JobError): boolean;
}

export type RunPull = (hooks: PullJobHooks, job: Job, signal?: AbortSignal) => Promise<JobResult>;

export function createRunPull(deps: PullJobDependencies): RunPull {
  return async (hooks, job, signal) => {
    try {
      const payload = parsePayload('sync', job.name, job.data);
      const folderId = payload.subjectId;
      const held = { ...hooks, signal };
      if (!isFirstDelivery(job, payload))
        return await record(held, () => deps.sources.recordWish({ folderId, ...askedBy(job, payload) }), folderId);
      // The dispatch lease runs out, and whoever is not guarded reads it.
      if (deps.isGuarded()) return { status: 'stale' };
      const claimed = await whileDown(held, () => deps.sources.claim({ folderId, jobId: job.id }));
      // A repeated delivery, or another worker reads it.
      if (!claimed) return { status: 'stale' };
      return await runClaimed(deps, hooks, claimed);
    } catch (error) {
      throw toQueueError(hooks, error);
    }
  };
}

type Held = PullJobHooks & { readonly signal: AbortSignal | undefined };

/** A failed job would lose the wish of another program, which exists nowhere else yet. */
function whileDown<T>({ signal, log, noticeOutage }: Held, use: () => Promise<T>): Promise<T> {
  return holdForDatabase({ log, ...defined({ noticeOutage }) }, use, signal);
}

async function record(held: Held, recordWish: () => Promise<string | undefined>, folderId: string): Promise<JobResult> {
  const requestId = await whileDown(held, recordWish);
  if (requestId !== undefined) return { requestId };
  throw new JobError('PAYLOAD_INVALID', { message: `There is no folder with a source with the id ${folderId}.` });
}

async function runClaimed(
  { pull }: PullJobDependencies,
  { onRun }: PullJobHooks,
  claimed: ClaimedSource,
): Promise<JobResult> {
  const startedAtMs = performance.now();
  const outcome = await pull(claimed);
  if (outcome === undefined) throw new JobError('LEASE_LOST');
  onRun(toReport(claimed, outcome, startedAtMs));
  if (outcome.status !== 'succeeded') throw cleanError(outcome.error.code, outcome.error.publicMessage);
  return { runId: claimed.leaseToken, status: outcome.status };
}

function toReport({ source }: ClaimedSource, { status }: PullOutcome, startedAtMs: number): RunReport {
  const { leaseUntil, nextDueAt } = source;
  const takenAtMs = leaseUntil === null ? undefined : leaseUntil.getTime() - PULL_LEASE_SECONDS * 1_000;
  return {
    kind: 'sync',
    runKind: 'pull',
    status,
    durationSeconds: (performance.now() - startedAtMs) / 1_000,
    waitSeconds: takenAtMs === undefined ? undefined : Math.max(0, (takenAtMs - nextDueAt.getTime()) / 1_000),
    awsCalls: {},
    dueInMs: undefined,
  };
}
