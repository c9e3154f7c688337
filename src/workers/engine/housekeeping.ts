/**
 * Deletes history past its retention period every hour or so, and repairs invalid states every ten
 * minutes or so. Runs in every worker process; the statements' guards let one at a time through.
 */
import type { Repaired } from '../../db/invariants.ts';
import { jitteredMs } from '../../domain/backoff.ts';
import { toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';

const EVERY_MS = 3_600_000;
/** It reads every subject once. */
const REPAIR_EVERY_MS = 600_000;
const SPREAD = 0.5;
const MAX_BATCHES = 100;

export interface HousekeepingDependencies {
  deleteExpired(): Promise<{ readonly deleted: number; readonly mayHaveMore: boolean }>;
  repairInvariants(): Promise<Repaired>;
  /** Called with what was found, for metrics; all 0 is how it should be. */
  onRepaired?(repaired: Repaired): void;
  readonly log: Log;
  random(): number;
}

/** Returns how to stop it. */
export function startHousekeeping(deps: HousekeepingDependencies): () => void {
  const stops = [
    repeat(deps, EVERY_MS, (isStopped) => clean(deps, isStopped)),
    repeat(deps, REPAIR_EVERY_MS, () => repair(deps)),
  ];
  return () => {
    stops.forEach((stop) => {
      stop();
    });
  };
}

function repeat(
  { random }: HousekeepingDependencies,
  everyMs: number,
  action: (isStopped: () => boolean) => Promise<void>,
): () => void {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const schedule = (): void => {
    if (isStopped) return;
    timer = setTimeout(() => void action(() => isStopped).then(schedule), jitteredMs(everyMs, SPREAD, random()));
    timer.unref();
  };
  schedule();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

async function clean(deps: HousekeepingDependencies, isStopped: () => boolean): Promise<void> {
  try {
    let total = 0;
    for (let batch = 0; batch < MAX_BATCHES && !isStopped(); batch += 1) {
      const { deleted, mayHaveMore } = await deps.deleteExpired();
      total += deleted;
      if (!mayHaveMore) break;
    }
    if (total > 0) deps.log.info({ rows: total }, 'expired history deleted');
  } catch (error) {
    deps.log.warn({ err: toJobError(error) }, 'expired history could not be deleted');
  }
}

async function repair(deps: HousekeepingDependencies): Promise<void> {
  try {
    const repaired = await deps.repairInvariants();
    deps.onRepaired?.(repaired);
    if (Object.values(repaired).some((count) => count > 0))
      deps.log.error({ repaired }, 'forgotten work found and made due: this is a defect of keyferry, please report it');
  } catch (error) {
    deps.log.warn({ err: toJobError(error) }, 'invariants could not be checked');
  }
}
