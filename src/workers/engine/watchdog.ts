/**
 * Detects a process that no longer gets jobs: jobs wait, slots are free, and nothing has started
 * for a while; or the database has not answered for longer than it lets any statement run, while a
 * fresh connection works. Both are half-open connections: a worker that waits on one for ever looks
 * idle. Only a new process helps, and the process manager starts one. An outage of the server
 * itself never ends the process.
 */
import type { Kind } from '../../domain/run.ts';
import type { Log } from '../../observe/log.ts';

export interface WatchdogTimes {
  /** Nothing started for this long while jobs wait: the process is considered deaf. */
  readonly silentMs: number;
  readonly lookEveryMs: number;
}

const DEFAULT_TIMES: WatchdogTimes = { silentMs: 60_000, lookEveryMs: 15_000 };

export interface WatchdogDependencies {
  readonly kinds: readonly Kind[];
  readonly concurrency: Readonly<Record<Kind, number>>;
  /**
   * Jobs that a free slot should take now; 0 when the queue is paused. Rejects when it does not
   * answer, which is no sign of deafness.
   */
  countWaiting(kind: Kind): Promise<number>;
  /** How long the database has owed an answer. */
  unansweredMs(): number;
  /**
   * Rejects unless a fresh connection can work: while the server itself is out, a new process would
   * not help.
   */
  checkAfresh(part: 'queue' | 'database'): Promise<void>;
  onDeaf(): void;
  readonly log: Log;
  readonly times?: WatchdogTimes;
}

export interface Watchdog {
  jobStarted(kind: Kind): void;
  jobEnded(kind: Kind): void;
  /** Jobs under way. */
  running(): Readonly<Partial<Record<Kind, number>>>;
  stop(): void;
}

export function startWatchdog(deps: WatchdogDependencies): Watchdog {
  const { silentMs, lookEveryMs } = deps.times ?? DEFAULT_TIMES;
  const active = new Map<Kind, number>();
  const startedAtMs = new Map<Kind, number>(deps.kinds.map((kind) => [kind, performance.now()]));
  /**
   * Queues that had waiting jobs at the previous check, too: a job that was just added is no sign.
   */
  const suspects = new Set<Kind>();

  const hasFreeSlot = (kind: Kind) => (active.get(kind) ?? 0) < deps.concurrency[kind];
  const isSilent = (kind: Kind) => performance.now() - (startedAtMs.get(kind) ?? 0) >= silentMs;

  const isFine = (part: 'queue' | 'database') =>
    deps.checkAfresh(part).then(
      () => true,
      () => false,
    );

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
    if (!(await isFine('queue'))) return;
    // Meanwhile a job may have started, or the queue may have been paused.
    if (!suspects.has(kind) || !isSilent(kind) || (await deps.countWaiting(kind).catch(() => 0)) === 0) return;
    deps.log.fatal(
      { queue: kind, waiting },
      'jobs wait, slots are free, and nothing starts: this process must be replaced',
    );
    deps.onDeaf();
  }

  async function lookAtDatabase(): Promise<void> {
    if (deps.unansweredMs() < silentMs || !(await isFine('database'))) return;
    deps.log.fatal('PostgreSQL has not responded for too long: this process must be replaced');
    deps.onDeaf();
  }

  const timer = setInterval(() => {
    void lookAtDatabase();
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
    running: () => Object.fromEntries(active),
    stop: () => {
      clearInterval(timer);
    },
  };
}
