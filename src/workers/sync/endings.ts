/**
 * How a slice ends early, the same for a round and a removal: it continues, is retried, or stops
 * with the reason that concerns the whole sync.
 */
import { snoozed } from '../../domain/snooze.ts';
import { noCounts, type RunCounts } from '../../domain/run.ts';
import { addChanges } from '../../domain/sync/summary.ts';
import type { SyncRow } from '../../db/engine/subjects.ts';
import type { SyncProgress } from '../../domain/sync/progress.ts';
import { errorTable, type JobError } from '../../errors.ts';
import type { Performed, Run } from '../engine/processor.ts';
import { isOfEntry } from './destinations/journal.ts';
import type { Slice } from './slice.ts';
import type { Round } from './progress.ts';

/** How a run ended; the processor adds its status columns and its next time. */
export type SyncEnding = Omit<Performed<'sync'>, 'changes' | 'dueAt'> & {
  /** Columns beyond those of the status. */
  readonly changes?: Partial<SyncRow>;
  /** AWS must be checked once more in a while: an abandoned call may still arrive there. */
  readonly hasRecovered?: boolean;
};

export interface SliceEnd {
  readonly slice: Slice;
  /** Everything planned was tried. */
  readonly isComplete: boolean;
  /** Goes into the row when the run ends here. */
  readonly drift: SyncRow['drift'];
}

/**
 * Adds what the slice changed to the run's progress. Undefined when the run is over and its verdict
 * is in the ledger.
 */
export function endEarly(round: Round, { slice, isComplete, drift }: SliceEnd): SyncEnding | undefined {
  const { run } = round.job;
  const { changes, deferredUntil, error, stoppedAt } = slice.result();
  round.advance({ changes: addChanges(round.progress.changes, changes) });
  if (run.isCancelled() && !isComplete) return cancelled(run, round.progress);
  if (error && error.disposition !== 'fail') return interrupted(round, error, stoppedAt);
  // An entry that must wait does not hold up the others.
  if (deferredUntil && (isComplete || error)) return toContinued(round, deferredUntil);
  if (error && !isOfEntry(error)) return refusedAsWhole(round, error, drift);
  // A run of refusals: the rest would fail the same way.
  return isComplete || error ? undefined : toContinued(round, run.now());
}

/**
 * A person cancelled it. What was written stays; the next run begins a new round and resolves what
 * is in flight.
 */
export function cancelled(run: Run<'sync'>, progress: SyncProgress | null): SyncEnding {
  const { message } = errorTable.SYNC_CANCELLED;
  const counts = { ...noCounts, ...progress?.changes };
  return { outcome: { status: 'cancelled', code: 'SYNC_CANCELLED', message, counts }, changes: { progress: null } };
}

/**
 * Calls that were under way continued after the error: the wait that it asks for began with the
 * error.
 */
function interrupted(round: Round, error: JobError, since = round.job.run.now()): SyncEnding {
  const { attempt, random } = round.job.run;
  const counts = countsOf(round);
  const progress = { ...round.progress, failedAttempt: attempt };
  if (error.disposition === 'retry') return { outcome: { status: 'retry', error, counts }, changes: { progress } };
  const outcome = snoozed(error, { now: () => since, random }, 1_000);
  return { outcome: { ...outcome, counts }, changes: { progress: round.progress } };
}

/** AWS refuses the connection itself, for example: the sync cannot do anything about it. */
function refusedAsWhole(round: Round, error: JobError, drift: SyncRow['drift']): SyncEnding {
  const { code, publicMessage: message } = error;
  const status = code.startsWith('CONNECTION_') ? 'blocked' : 'failed';
  return {
    outcome: { status, code, message, counts: countsOf(round) },
    changes: { progress: null, drift },
  };
}

export function toContinued(round: Round, at: Date): SyncEnding {
  return { outcome: { status: 'continued', at, counts: countsOf(round) }, changes: { progress: round.progress } };
}

export function countsOf({ progress }: Pick<Round, 'progress'>): RunCounts {
  return { ...noCounts, ...progress.changes };
}
