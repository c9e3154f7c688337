/**
 * The pipeline of one job: parse → admit → claim → perform → settle → report. One BullMQ job is one
 * attempt; this is the only place that knows how it ends. It never decides what a run does (the
 * processor) nor when the next attempt is (PostgreSQL, by the settlement).
 */
import type { Job } from 'bullmq';

import { defined } from '../../domain/defined.ts';
import { backoffMs, retryPolicies } from '../../domain/backoff.ts';
import { snoozed } from '../../domain/snooze.ts';
import type { Kind, Outcome } from '../../domain/run.ts';
import type { Claim } from '../../db/engine/claim.ts';
import type { WorkStore } from '../../db/engine/work.ts';
import { JobError, toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { parsePayload } from '../../queues/payload.ts';
import { annotate, inSpan } from '../../observe/trace.ts';
import { admit, holdForDatabase } from './admit.ts';
import type { CallCounts } from './call-counts.ts';
import { slowHotLoop, type HotLoopDependencies } from './hot-loops.ts';
import { endJob, toQueueError, type JobResult } from './job-result.ts';
import { holdLease, type Lease, type LeaseInput } from './lease.ts';
import { thisMoment, type Moment } from './moment.ts';
import type { Performed, Processor, Run } from './processor.ts';
import { type RunReport, toReport } from './run-report.ts';
import { noteUnaskedWrites } from './unasked-writes.ts';

export interface JobDependencies<K extends Kind>
  extends Pick<LeaseInput, 'isStopping' | 'requireUnguarded'>, HotLoopDependencies {
  readonly work: WorkStore;
  readonly processor: Processor<K>;
  readonly callCounts: CallCounts;
  readonly log: Log;
  random(): number;
  /** Called with every settled run, for metrics and the tick. */
  onRun(report: RunReport): void;
  /** Writes of a run that nobody asked for: always a defect. */
  onUnaskedWrites?(count: number): void;
  /**
   * Given each error that a run or a job ends with; returns whether it is an outage, which is
   * logged there.
   */
  noticeOutage?(error: JobError): boolean;
}

export async function runJob<K extends Kind>(
  deps: JobDependencies<K>,
  job: Job,
  signal?: AbortSignal,
): Promise<JobResult> {
  try {
    const payload = parsePayload(deps.processor.kind, job.name, job.data);
    const requestId = await holdForDatabase(deps, () => admit(deps, job, payload), signal);
    if (requestId !== undefined) return { requestId };
    const { claim, claimedAt } = await holdForDatabase(deps, () => take(deps, payload.subjectId, job.id), signal);
    // A repeated delivery, or another run holds the lease: that run, or the row's due time, takes
    // care of the rest.
    if (!claim) return { status: 'stale' };
    return await runClaimed(deps, claim, { claimedAt, signal, now: clockFrom(claim.claimedAt) });
  } catch (error) {
    throw toQueueError(deps, error);
  }
}

async function take<K extends Kind>(deps: JobDependencies<K>, subjectId: string, jobId: string | undefined) {
  const claimedAt = thisMoment();
  const claim = await deps.work.claim(deps.processor.kind, { subjectId, runId: crypto.randomUUID(), jobId });
  return { claim, claimedAt };
}

interface Started {
  readonly claimedAt: Moment;
  readonly signal: AbortSignal | undefined;
  readonly now: () => Date;
}

/**
 * The clock of a run: the database's at the claim, plus the time that has passed since its answer.
 * The clocks of two workers may differ by days; what is due, quiet or held must not depend on which
 * one takes the job.
 */
function clockFrom(claimedAt: Date): () => Date {
  const answeredAtMs = performance.now();
  return () => new Date(claimedAt.getTime() + performance.now() - answeredAtMs);
}

async function runClaimed<K extends Kind>(
  deps: JobDependencies<K>,
  claim: Claim<K>,
  started: Started,
): Promise<JobResult> {
  const { kind } = deps.processor;
  const lease = holdLease({
    renew: () => deps.work.renew(kind, claim.subject.id, claim.runId),
    claimedAt: started.claimedAt,
    isStopping: deps.isStopping,
    requireUnguarded: deps.requireUnguarded,
    now: thisMoment,
  });
  started.signal?.addEventListener(
    'abort',
    () => {
      lease.abort(new JobError('LEASE_LOST'));
    },
    { once: true },
  );
  try {
    const run = toRun(deps, claim, { lease, now: started.now });
    return await inSpan({ name: `run ${run.kind}`, attributes: spanAttributes(run) }, async () => {
      const performed = await perform(deps, run).finally(() => {
        noteUnaskedWrites(deps, run);
      });
      return settle(deps, { claim, run, performed, startedAtMs: started.claimedAt.monotonicMs });
    });
  } finally {
    lease.end();
    deps.callCounts.ended(claim.runId);
  }
}

function spanAttributes({ id, subject, attempt, reason }: Run<Kind>) {
  return {
    'keyferry.run.id': id,
    'keyferry.subject.id': subject.id,
    'keyferry.run.attempt': attempt,
    'keyferry.run.reason': reason,
  };
}

function toRun<K extends Kind>(
  deps: JobDependencies<K>,
  claim: Claim<K>,
  { lease, now }: { readonly lease: Lease; readonly now: () => Date },
): Run<K> {
  const { subject } = claim;
  let log: Log | undefined;
  const { calls, isCancelled, isAwaited, noteProgress, noteResult } = deps.callCounts.open(claim.runId);
  return {
    id: claim.runId,
    kind: claim.runKind,
    requestKind: claim.requestKind,
    isDirect: claim.isDirect,
    subject,
    statusBefore: claim.statusBefore,
    unchangedEntries: claim.unchangedEntries,
    attempt: subject.attempt,
    reason: claim.reason,
    parameters: claim.parameters,
    scope: {
      signal: lease.signal,
      calls,
      beforeMutation: lease.beforeMutation,
      subjectId: subject.id,
    },
    // Most runs log one line or none: their logger is made when it is needed.
    get log() {
      return (log ??= deps.log.child({
        runId: claim.runId,
        kind: claim.runKind,
        subjectId: subject.id,
        orgId: subject.orgId,
        attempt: subject.attempt,
      }));
    },
    isCancelled,
    isAwaited,
    noteProgress,
    noteResult,
    now,
    random: deps.random,
  };
}

async function perform<K extends Kind>(deps: JobDependencies<K>, run: Run<K>): Promise<Performed<K>> {
  const { maxAttempts } = retryPolicies[deps.processor.kind];
  if (run.attempt > maxAttempts) {
    // Its runs ended without an answer: the worker died each time. No further attempt is made.
    const message = `${String(maxAttempts)} runs ended without an answer.`;
    return deps.processor.conclude({ status: 'failed', code: 'LEASE_LOST', message }, run);
  }
  try {
    return await deps.processor.perform(run);
  } catch (error) {
    const jobError = toJobError(error);
    deps.noticeOutage?.(jobError);
    return deps.processor.conclude(toOutcome(run, jobError), run);
  }
}

/** What an error means for the run, by its disposition. */
function toOutcome(run: Run<Kind>, error: JobError): Outcome {
  if (error.code === 'LEASE_LOST') throw error;
  if (error.disposition === 'fail') run.log.warn({ err: error }, 'run failed');
  else if (error.disposition === 'retry') run.log.error({ err: error }, 'run failed, to be retried');
  switch (error.disposition) {
    case 'fail':
      return { status: 'failed', code: error.code, message: error.publicMessage };
    case 'snooze':
      return snoozed(error, run);
    case 'retry':
      return { status: 'retry', error };
  }
}

interface Settling<K extends Kind> {
  readonly claim: Claim<K>;
  readonly run: Run<K>;
  readonly performed: Performed<K>;
  readonly startedAtMs: number;
}

async function settle<K extends Kind>(deps: JobDependencies<K>, settling: Settling<K>): Promise<JobResult> {
  const { claim, run } = settling;
  const { attempt, ...performed } = spendAttempt(deps, run, settling.performed);
  const { outcome, changes, dueAt: nextDueAt } = performed;
  const settlement = {
    kind: deps.processor.kind,
    subjectId: claim.subject.id,
    runId: claim.runId,
    outcome,
    changes,
    servedRevision: performed.leavesWish === true ? claim.subject.doneRevision : claim.subject.wantedRevision,
    attempt,
    nextDueAt,
    requestIds: claim.requestIds,
    awsCalls: run.scope.calls.counts,
    isUnchanged: performed.isUnchanged,
  };
  const slowedUntil = slowHotLoop(deps, run, settlement);
  const write = () =>
    performed.hasSettledItself === true ? Promise.resolve(true) : deps.work.settle({ ...settlement, slowedUntil });
  const isSettled = await holdForDatabase(deps, write, run.scope.signal);
  if (!isSettled) throw new JobError('LEASE_LOST');
  deps.callCounts.settled(run.id);
  const { kind } = deps.processor;
  deps.onRun(toReport(settling, { kind, outcome, nextDueAt: slowedUntil ?? nextDueAt }));
  annotate({ 'keyferry.run.status': outcome.status, 'error.type': codeOf(outcome) });
  return endJob(deps.log, run, outcome);
}

/**
 * The one retry mechanism: an outcome `retry` becomes the next due time, or a failure when the
 * attempts are spent.
 */
function spendAttempt<K extends Kind>(
  deps: JobDependencies<K>,
  run: Run<K>,
  performed: Performed<K>,
): Performed<K> & { readonly attempt: number } {
  const policy = retryPolicies[deps.processor.kind];
  const { outcome } = performed;
  if (outcome.status === 'continued') return { ...performed, dueAt: outcome.at, attempt: Math.max(0, run.attempt - 1) };
  if (outcome.status !== 'retry') return { ...performed, attempt: 0 };
  if (run.attempt >= policy.maxAttempts) {
    const { error } = outcome;
    const message = `${error.publicMessage} (${String(policy.maxAttempts)} attempts)`;
    const failed: Outcome = {
      status: 'failed',
      code: error.code,
      message,
      ...defined({ counts: outcome.counts }),
    };
    const concluded = deps.processor.conclude(failed, run);
    return { ...performed, ...concluded, changes: { ...performed.changes, ...concluded.changes }, attempt: 0 };
  }
  const delayMs = backoffMs(policy, { attempt: run.attempt, retryAfterMs: outcome.error.retryAfterMs }, deps.random());
  return { ...performed, dueAt: new Date(run.now().getTime() + delayMs), attempt: run.attempt };
}

function codeOf(outcome: Outcome): string | undefined {
  if (outcome.status === 'retry') return outcome.error.code;
  return 'code' in outcome ? outcome.code : undefined;
}
