/**
 * How many writes of a sync may be under way at once. Few while a quota makes them wait: each of
 * them holds an intent in the ledger and a place in the call budget's line. More once so many end
 * within a second that even the last one waits no longer than before.
 */
export interface WritePace {
  noteEnd(): void;
  concurrency(): number;
}

const WINDOW_MS = 1_000;
/**
 * So many ends of each write under way, within the window, are a fast pace; AWS's burst of new
 * parameters alone is not.
 */
const FAST = 4;
const FASTER = 4;

export function createWritePace(least: number, nowMs: () => number): WritePace {
  /** The moments of the last ends, as many as are counted. */
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
