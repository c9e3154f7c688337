/**
 * How a BullMQ job ends: completed with ids and a status, or failed with the clean reason that Bull
 * Board shows. Nothing else leaves the process.
 */
import { UnrecoverableError } from 'bullmq';

import type { Kind, Outcome } from '../../domain/run.ts';
import { type JobError, toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import type { Run } from './processor.ts';

/** What the job returns to BullMQ: ids and a status, nothing else. */
export type JobResult =
  | { readonly status: string; readonly runId?: string }
  /** Of a job of another program: the request that stands for it. */
  | { readonly requestId: string };

/** Ends the job: completed, or failed with the clean reason that Bull Board shows. */
export function endJob(log: Log, run: Run<Kind>, outcome: Outcome): JobResult {
  switch (outcome.status) {
    case 'succeeded':
    case 'partial':
    case 'continued':
    case 'cancelled':
      logEnd(log, run, outcome.status);
      return { runId: run.id, status: outcome.status };
    case 'failed':
    case 'blocked':
      run.log.info({ status: outcome.status, code: outcome.code, message: outcome.message }, 'run ended');
      throw cleanError(outcome.code, outcome.message);
    case 'retry':
      throw cleanError(outcome.error.code, outcome.error.publicMessage);
  }
}

/** Runs without a call to AWS log at debug: there may be thousands of them a second. */
function logEnd(log: Log, run: Run<Kind>, status: string): void {
  const { counts: awsCalls } = run.scope.calls;
  const level = status === 'succeeded' && Object.keys(awsCalls).length === 0 ? 'debug' : 'info';
  if (log.isLevelEnabled(level)) run.log[level]({ status, awsCalls }, 'run ended');
}

/** Of a run whose outcome is a failure, stored and logged elsewhere. */
export class ReportedError extends UnrecoverableError {
  readonly code: string;

  constructor(code: string, text: string) {
    super(`${code}: ${text}`);
    this.code = code;
    this.name = 'UnrecoverableError';
    this.stack = this.message;
  }
}

/** BullMQ stores message and stack as they are, so both hold the public sentence only. */
export function cleanError(code: string, text: string): UnrecoverableError {
  return new ReportedError(code, text);
}

/** Whether a job failed because another run has the lease. */
export function isLeaseLost(error: Error): boolean {
  return error instanceof ReportedError && error.code === 'LEASE_LOST';
}

export interface QueueErrorDependencies {
  readonly log: Log;
  noticeOutage?(error: JobError): boolean;
}

export function toQueueError({ log, noticeOutage }: QueueErrorDependencies, error: unknown): UnrecoverableError {
  if (error instanceof ReportedError) return error;
  const jobError = toJobError(error);
  const isOfProducer = jobError.code === 'PAYLOAD_INVALID' || jobError.code === 'PAYLOAD_REQUEST_MISSING';
  // A lost lease is not a failure of the work: the run that took over continues it.
  if (!isOfProducer && noticeOutage?.(jobError) !== true)
    log.error({ err: jobError }, 'job ended without a settlement');
  return cleanError(jobError.code, jobError.publicMessage);
}
