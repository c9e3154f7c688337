/** How far a round has come, for who waits: measured over all its slices, so that the rate includes the waiting for AWS's quota. */
import { measureProgress } from '../../domain/progress.ts';
import type { SyncWork } from './work.ts';

/** Returns what the slice calls after each object that it has tried. `remaining`: the objects that the round still has to write or delete. */
export function trackProgress(work: SyncWork, remaining: number): (tried: number) => void {
  const { run } = work;
  const { writing = { total: remaining, startedAt: run.now().toISOString() } } = work.progress;
  work.progress = { ...work.progress, writing };
  // A change in between may have made it more than there was.
  const total = Math.max(writing.total, remaining);
  const before = total - remaining;
  return (tried) => {
    const elapsedMs = run.now().getTime() - Date.parse(writing.startedAt);
    run.noteProgress(measureProgress({ done: before + tried, total }, elapsedMs));
  };
}
