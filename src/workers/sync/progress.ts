/**
 * How far a round has come: what the run adds as it goes, and what is stored in the row between two
 * slices.
 */
import { measureProgress } from '../../domain/progress.ts';
import type { SyncProgress } from '../../domain/sync/progress.ts';
import { openJob, type Remembered, startProgress, type SyncHead, type SyncJob } from './job.ts';

/** One run's part of a round. Besides the ledger, its progress is all that changes in a run. */
export interface Round {
  readonly job: SyncJob;
  /** As it is now. */
  readonly progress: SyncProgress;
  advance(step: Partial<SyncProgress>): void;
}

export async function openRound(head: SyncHead, remembered?: Remembered): Promise<Round> {
  const progress = startProgress(head);
  return createRound(await openJob(head, { roundId: progress.round, remembered }), progress);
}

export function createRound(job: SyncJob, start: SyncProgress): Round {
  let progress = start;
  return {
    job,
    get progress() {
      return progress;
    },
    advance(step) {
      progress = { ...progress, ...step };
    },
  };
}

/**
 * Returns what the slice calls after each object that it has tried. `remaining`: the objects that
 * the round still has to write or delete. Measured over all slices, so that the rate includes the
 * waiting for AWS's quota.
 */
export function trackProgress(round: Round, remaining: number): (tried: number) => void {
  const { run } = round.job;
  const { writing = { total: remaining, startedAt: run.now().toISOString() } } = round.progress;
  round.advance({ writing });
  // A change in between may have made it more than there was.
  const total = Math.max(writing.total, remaining);
  const before = total - remaining;
  return (tried) => {
    const elapsedMs = run.now().getTime() - Date.parse(writing.startedAt);
    run.noteProgress(measureProgress({ done: before + tried, total }, elapsedMs));
  };
}
