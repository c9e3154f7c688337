/**
 * How many writes of a sync may run concurrently. Few while a quota makes them wait: each holds an
 * intent in the ledger and a place in the call budget's line. More once writes end fast enough that
 * even the last one waits no longer than before.
 */
export interface WritePace {
  noteEnd(): void;
  concurrency(): number;
}

const WINDOW_MS = 1_000;
/**
 * Completions per concurrent write within the window that count as a fast pace; AWS's burst of new
 * parameters alone does not reach it.
 */
const FAST = 4;
const FASTER = 4;

export function createWritePace(least: number, nowMs: () => number): WritePace {
  /** The times of the last completions, as many as are counted. */
  const ends: number[] = [];
  return {
    noteEnd() {
      ends.push(nowMs());
      if (ends.length > FAST * least) ends.shift();
    },
    concurrency() {
      const [first] = ends;
      const isFast = ends.length === FAST * least && first !== undefined && nowMs() - first < WINDOW_MS;
      return isFast ? FASTER * least : least;
    },
  };
}
