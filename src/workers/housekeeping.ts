/** Lets history go that is older than it is kept: every hour or so, in every worker process; the statement's guard lets one at a time through. */
import { jitteredMs } from '../domain/backoff.ts';
import { toJobError } from '../errors.ts';
import type { Log } from '../log.ts';

const EVERY_MS = 3_600_000;
const SPREAD = 0.5;
const MAX_BATCHES = 100;

export interface HousekeepingDependencies {
  deleteExpired(): Promise<{ readonly deleted: number; readonly mayHaveMore: boolean }>;
  readonly log: Log;
  random(): number;
}

/** Returns how to stop it. */
export function startHousekeeping(deps: HousekeepingDependencies): () => void {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function clean(): Promise<void> {
    try {
      let total = 0;
      for (let batch = 0; batch < MAX_BATCHES && !isStopped; batch += 1) {
        const { deleted, mayHaveMore } = await deps.deleteExpired();
        total += deleted;
        if (!mayHaveMore) break;
      }
      if (total > 0) deps.log.info({ rows: total }, 'expired history deleted');
    } catch (error) {
      deps.log.warn({ err: toJobError(error) }, 'expired history could not be deleted');
    }
    schedule();
  }

  function schedule(): void {
    if (isStopped) return;
    timer = setTimeout(() => void clean(), jitteredMs(EVERY_MS, SPREAD, deps.random()));
    timer.unref();
  }

  schedule();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
