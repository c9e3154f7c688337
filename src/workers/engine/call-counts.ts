/**
 * Stores the AWS calls of runs while they are under way: a worker that is killed loses the count of its last tenth of a second, no more. All runs of a
 * process share one statement, which no run waits for. A run that settles sooner costs none.
 */
import type { RunCalls } from '../../db/engine/run-calls.ts';
import { createCallLog, type CallLog } from '../../domain/call-log.ts';

export interface CallCounts {
  /** The call log of a run that begins. */
  open(runId: string): CallLog;
  /** The settlement has stored the run's calls. */
  settled(runId: string): void;
  /** The run is over. Calls that nothing has stored yet are stored now. */
  ended(runId: string): void;
  /** Stores what is left, if the database answers. */
  close(): Promise<void>;
}

interface OpenRun {
  readonly calls: CallLog;
  isStored: boolean;
  isOver: boolean;
}

export interface CallCountsInput {
  /** Returns the runs that it passed over because their rows are locked. */
  store(given: readonly RunCalls[]): Promise<readonly string[]>;
  readonly everyMs?: number;
}

export const STORE_EVERY_MS = 100;
/** The database does not answer. */
const RETRY_EVERY_MS = 1_000;

export function createCallCounts({ store, everyMs = STORE_EVERY_MS }: CallCountsInput): CallCounts {
  const runs = new Map<string, OpenRun>();
  let timer: NodeJS.Timeout | undefined;
  let storing: Promise<void> | undefined;

  function schedule(delayMs: number): void {
    timer ??= setTimeout(() => {
      storing = storeAll(runs, store).then((isReached) => {
        [timer, storing] = [undefined, undefined];
        if (unstored(runs).length > 0) schedule(isReached ? everyMs : RETRY_EVERY_MS);
      });
    }, delayMs).unref();
  }

  return {
    open(runId) {
      const calls = createCallLog(() => {
        run.isStored = false;
        schedule(everyMs);
      });
      const run: OpenRun = { calls, isStored: true, isOver: false };
      runs.set(runId, run);
      return calls;
    },
    settled: (runId) => runs.delete(runId),
    ended(runId) {
      const run = runs.get(runId);
      if (run?.isStored === true) runs.delete(runId);
      else if (run) run.isOver = true;
    },
    async close() {
      await storing;
      clearTimeout(timer);
      await storeAll(runs, store);
    },
  };
}

const unstored = (runs: ReadonlyMap<string, OpenRun>) => [...runs].filter(([, run]) => !run.isStored);

/** Returns false if the database does not answer. */
async function storeAll(runs: Map<string, OpenRun>, store: CallCountsInput['store']): Promise<boolean> {
  const batch = unstored(runs);
  if (batch.length === 0) return true;
  for (const [, run] of batch) run.isStored = true;
  try {
    const passedOver = new Set(await store(batch.map(([runId, { calls }]) => ({ runId, awsCalls: calls.counts }))));
    for (const [runId, run] of batch) {
      if (passedOver.has(runId)) run.isStored = false;
      else if (run.isOver && run.isStored) runs.delete(runId);
    }
    return true;
  } catch {
    for (const [, run] of batch) run.isStored = false;
    return false;
  }
}
