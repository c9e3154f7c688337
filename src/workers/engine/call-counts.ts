/**
 * Stores the AWS calls, the progress and the findings of runs while they are under way: a worker
 * that is killed loses those of its last tenth of a second, no more. All runs of a process share
 * one statement, which no run waits for; its answer names those that a person cancelled, and those
 * whose slot another subject waits for. A run that settles sooner costs no statement.
 */
import type { RunCalls, StoredCalls } from '../../db/engine/run-calls.ts';
import { createCallLog, type CallLog } from '../../domain/call-log.ts';
import type { RunProgress } from '../../domain/run.ts';

/** What a run records about itself, and what it learns in return. */
export interface RunNotes {
  readonly calls: CallLog;
  noteProgress(progress: RunProgress): void;
  /** What it has found out so far, as the result of its settlement. */
  noteResult(result: unknown): void;
  /** True soon after a person cancelled it: it stops before its next write. */
  isCancelled(): boolean;
  /** Whether another subject waits for its slot, as of the last answer. */
  isAwaited(): boolean;
}

export interface CallCounts {
  /** The record of a run that begins. */
  open(runId: string): RunNotes;
  /** The settlement has stored the run's calls. */
  settled(runId: string): void;
  /** The run is over. Calls that nothing has stored yet are stored now. */
  ended(runId: string): void;
  /** Stores what is left, if the database answers. */
  close(): Promise<void>;
}

interface OpenRun {
  readonly calls: CallLog;
  progress: RunProgress | undefined;
  result: unknown;
  isStored: boolean;
  isOver: boolean;
  isCancelled: boolean;
  isAwaited: boolean;
}

export interface CallCountsInput {
  store(given: readonly RunCalls[]): Promise<StoredCalls>;
  readonly everyMs?: number;
}

const STORE_EVERY_MS = 100;
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
      const note = () => {
        run.isStored = false;
        schedule(everyMs);
      };
      const calls = createCallLog(note);
      const nothing = { progress: undefined, result: undefined };
      const run: OpenRun = { calls, ...nothing, isStored: true, isOver: false, isCancelled: false, isAwaited: false };
      runs.set(runId, run);
      return {
        calls,
        noteProgress: (progress) => {
          run.progress = progress;
          note();
        },
        noteResult: (result) => {
          run.result = result;
          note();
        },
        isCancelled: () => run.isCancelled,
        isAwaited: () => run.isAwaited,
      };
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
    const stored = await store(
      batch.map(([runId, { calls, progress, result }]) => ({ runId, awsCalls: calls.counts, progress, result })),
    );
    for (const [runId, run] of batch) {
      if (stored.cancelled.includes(runId)) run.isCancelled = true;
      run.isAwaited = stored.awaited.includes(runId);
      if (stored.passedOver.includes(runId)) run.isStored = false;
      else if (run.isOver && run.isStored) runs.delete(runId);
    }
    return true;
  } catch {
    for (const [, run] of batch) run.isStored = false;
    return false;
  }
}
