/**
 * A failure that many parts of a process meet at once, such as an outage of a server: it is logged
 * once when it begins and once when it is over.
 */
import type { Log } from './log.ts';

export interface Alarm {
  readonly isRaised: boolean;
  /** Each failure; the first one is logged. */
  raise(error: unknown): void;
  /** Each success; the first one after a quiet time ends the alarm. */
  lower(): void;
}

export interface AlarmOptions {
  readonly log: Log;
  /** What the log says when it begins and when it is over. */
  readonly raised: string;
  readonly lowered: string;
  /** A server that alternates between failures and answers has one outage. */
  readonly quietMs: number;
  /** Monotonic. */
  nowMs?(): number;
}

export function createAlarm({ log, raised, lowered, quietMs, nowMs = () => performance.now() }: AlarmOptions): Alarm {
  let outage: { failedAtMs: number; failures: number; readonly sinceMs: number } | undefined;
  return {
    get isRaised() {
      return outage !== undefined;
    },
    raise(error) {
      const now = nowMs();
      if (outage) {
        outage = { ...outage, failedAtMs: now, failures: outage.failures + 1 };
        log.debug({ err: error }, raised);
        return;
      }
      outage = { sinceMs: now, failedAtMs: now, failures: 1 };
      log.error({ err: error }, raised);
    },
    lower() {
      const now = nowMs();
      if (!outage || now - outage.failedAtMs < quietMs) return;
      const { failures, sinceMs } = outage;
      outage = undefined;
      log.info({ failures, seconds: Math.round((now - sinceMs) / 1_000) }, lowered);
    },
  };
}
