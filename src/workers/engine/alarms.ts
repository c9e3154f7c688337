/**
 * Calls back at times in the near future, so that what is due then does not wait for the next
 * regular tick.
 */
import type { Kind } from '../../domain/run.ts';

/** What is due later than this waits for the regular tick. */
const SOON_MS = 10_000;
/** Added to each time, so that the database's clock, which decides, is past it. */
const PAST_MS = 5;

export interface Alarms {
  /** Undefined: it is not due at all. */
  set(kind: Kind, inMs: number | undefined): void;
  stop(): void;
}

export function createAlarms(onAlarm: (kind: Kind) => void): Alarms {
  const timers = new Set<NodeJS.Timeout>();
  let isStopped = false;
  return {
    set(kind, inMs) {
      if (isStopped || inMs === undefined || inMs <= 0 || inMs > SOON_MS) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        onAlarm(kind);
      }, inMs + PAST_MS);
      timers.add(timer);
    },
    stop() {
      isStopped = true;
      timers.forEach(clearTimeout);
    },
  };
}
