/**
 * Notices a process that has gone deaf: jobs wait, slots are free, and nothing has started for a while; or the database has not answered for longer than
 * it lets any statement run. Both are connections that are dead and do not know it: a worker that waits on one for ever looks idle. Only a new process
 * helps, and whoever runs this one starts another.
 */
import type { Kind } from '../domain/run.ts';
import type { Log } from '../log.ts';

export interface WatchdogTimes {
  /** Nothing started for this long while jobs wait: deaf. */
  readonly silentMs: number;
  readonly lookEveryMs: number;
}

const DEFAULT_TIMES: WatchdogTimes = { silentMs: 60_000, lookEveryMs: 15_000 };

export interface WatchdogDependencies {
  readonly kinds: readonly Kind[];
  readonly concurrency: Readonly<Record<Kind, number>>;
  /** Jobs that a free slot should take now; 0 when the queue is paused. Rejects when it does not answer, which is no sign of deafness. */
  countWaiting(kind: Kind): Promise<number>;
  /** How long the database has owed an answer. */
  unansweredMs(): number;
  onDeaf(): void;
  readonly log: Log;
  readonly times?: WatchdogTimes;
}

export interface Watchdog {
  jobStarted(kind: Kind): void;
  jobEnded(kind: Kind): void;
  stop(): void;
}

export function startWatchdog(deps: WatchdogDependencies): Watchdog {
  const { silentMs, lookEveryMs } = deps.times ?? DEFAULT_TIMES;
  const active = new Map<Kind, number>();
  const startedAtMs = new Map<Kind, number>(deps.kinds.map((kind) => [kind, performance.now()]));
  /** Queues that had waiting jobs at the last look, too: a job that was added this instant is no sign. */
  const suspects = new Set<Kind>();

  const hasFreeSlot = (kind: Kind) => (active.get(kind) ?? 0) < deps.concurrency[kind];
  const isSilent = (kind: Kind) => performance.now() - (startedAtMs.get(kind) ?? 0) >= silentMs;

  async function look(kind: Kind): Promise<void> {
    const waiting = hasFreeSlot(kind) && isSilent(kind) ? await deps.countWaiting(kind).catch(() => 0) : 0;
    if (waiting === 0 || !isSilent(kind)) {
      suspects.delete(kind);
      return;
    }
    if (!suspects.has(kind)) {
      suspects.add(kind);
      return;
    }
    deps.log.fatal(
      { queue: kind, waiting },
      'jobs wait, slots are free, and nothing starts: this process must be replaced',
    );
    deps.onDeaf();
  }

  function lookAtDatabase(): void {
    if (deps.unansweredMs() < silentMs) return;
    deps.log.fatal('PostgreSQL owes an answer for too long: this process must be replaced');
    deps.onDeaf();
  }

  const timer = setInterval(() => {
    lookAtDatabase();
    deps.kinds.forEach((kind) => void look(kind));
  }, lookEveryMs);
  timer.unref();
  return {
    jobStarted(kind) {
      active.set(kind, (active.get(kind) ?? 0) + 1);
      startedAtMs.set(kind, performance.now());
    },
    jobEnded(kind) {
      active.set(kind, (active.get(kind) ?? 1) - 1);
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}
