/**
 * Finds what is due and queues it: every 2 to 5 seconds, and at once when PostgreSQL notifies or a
 * run ends while more is waiting. Any number of processes may tick; the statement's guard lets one
 * at a time through. A crash between claim and queue costs the dispatch lease, nothing else.
 */
import type { Queue } from 'bullmq';

import type { Dispatch } from '../../db/engine/dispatch.ts';
import type { WorkStore } from '../../db/engine/work.ts';
import { jitteredMs } from '../../domain/backoff.ts';
import type { Kind } from '../../domain/run.ts';
import { type JobError, toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { enqueue } from '../../queues/enqueue.ts';
import { createAlarms } from './alarms.ts';

const BATCH = 500;
/** Batches of one round; what is left is dispatched as soon as a run ends, or by the next round. */
const MAX_BATCHES = 20;
const EVERY_MS = 3_000;
const SPREAD = 0.2;
/**
 * Wake-ups within this time after a dispatch become one dispatch; the first one after it does not
 * wait.
 */
const GATHER_MS = 5;
/**
 * Pause before the next dispatch while the queue is full: workers have enough to do for longer, and
 * a dispatch would find no room.
 */
const FULL_QUEUE_MS = 100;

export interface TickDependencies {
  readonly work: WorkStore;
  readonly kinds: readonly Kind[];
  queue(kind: Kind): Queue;
  readonly log: Log;
  random(): number;
  /** Called for every successful dispatch, for metrics. */
  onTick?(kind: Kind, dispatched: number): void;
  /** Called when a round of dispatches has ended well. */
  roundEnded?(kind: Kind): unknown;
  /** Returns whether the error is an outage, which is logged there. */
  noticeOutage?(error: JobError): boolean;
}

export interface Tick {
  start(): void;
  /** Dispatches due rows of this kind now. */
  wake(kind: Kind): void;
  /**
   * Dispatches again if the last dispatch left something behind, and when the run's subject is due,
   * if that is soon.
   */
  runEnded(kind: Kind, dueInMs?: number): void;
  /** Resolves when no dispatch is under way any more. */
  stop(): Promise<void>;
  /**
   * How long the oldest unanswered statement has taken: the database ends every statement of a
   * living connection well within a minute.
   */
  pendingMs(): number;
  /**
   * When each kind was last dispatched successfully, in milliseconds of the monotonic clock; for
   * readiness.
   */
  readonly lastSuccessMs: ReadonlyMap<Kind, number>;
}

export function createTick(deps: TickDependencies): Tick {
  const last = new Map<Kind, Pick<Dispatch, 'hasBacklog' | 'isQueueFull'>>();
  const lastSuccessMs = new Map<Kind, number>();
  const { timed, pendingMs, tookMs } = withTimes(deps);
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function look(kind: Kind): Promise<void> {
    if (isStopped) return;
    try {
      const { hasBacklog, isQueueFull } = await dispatchAll(timed, kind, () => isStopped);
      last.set(kind, { hasBacklog, isQueueFull });
      lastSuccessMs.set(kind, performance.now());
      deps.roundEnded?.(kind);
    } catch (raw) {
      const error = toJobError(raw);
      if (deps.noticeOutage?.(error) !== true) deps.log.warn({ err: error, queue: kind }, 'tick failed');
    }
  }

  const rounds = createRounds(look, (kind) => {
    runEnded(kind);
  });
  const run = (kind: Kind): void => {
    if (!isStopped) rounds.run(kind);
  };
  const wakeUps = createWakeUps(run);
  // While thousands wait, polling is expensive: it is capped at about 20 % of wall time, however
  // many runs end meanwhile. A round of several batches takes longer than its jobs keep workers
  // busy.
  const lookSoon = (kind: Kind): void => {
    const restMs = last.get(kind)?.isQueueFull === true ? FULL_QUEUE_MS : GATHER_MS;
    wakeUps.add(kind, Math.max(restMs, 4 * tookMs(kind)));
  };
  const alarms = createAlarms(lookSoon);

  function runRepeatedly(): void {
    deps.kinds.forEach(run);
    timer = setTimeout(runRepeatedly, jitteredMs(EVERY_MS, SPREAD, deps.random()));
  }

  function runEnded(kind: Kind, dueInMs?: number): void {
    alarms.set(kind, dueInMs);
    if (!rounds.noteEnd(kind) && !isStopped && last.get(kind)?.hasBacklog === true) lookSoon(kind);
  }

  async function stop(): Promise<void> {
    isStopped = true;
    clearTimeout(timer);
    alarms.stop();
    wakeUps.clear();
    await rounds.settled();
  }

  return {
    lastSuccessMs,
    pendingMs,
    start: runRepeatedly,
    wake(kind) {
      if (!isStopped && deps.kinds.includes(kind)) wakeUps.add(kind, Math.max(0, GATHER_MS - rounds.restedMs(kind)));
    },
    runEnded,
    stop,
  };
}

interface Rounds {
  /** One at a time of each kind; a request during one starts another right after it. */
  run(kind: Kind): void;
  /** A run ended. True during a round, which may have read the rows before: `onEnds` follows it. */
  noteEnd(kind: Kind): boolean;
  restedMs(kind: Kind): number;
  settled(): Promise<unknown>;
}

/**
 * The states of one kind:
 *
 *   idle ── run ──► looking ──────── the look ends ──────► idle
 *                   │     ▲                                a run ended meanwhile: `onEnds`
 *                   run   the look ends: the next begins
 *                   ▼     │
 *                   again ┘
 *
 * Once stopped, no state starts another dispatch; `settled` resolves when the last one has ended.
 */
function createRounds(look: (kind: Kind) => Promise<void>, onEnds: (kind: Kind) => void): Rounds {
  const active = new Map<Kind, Promise<void>>();
  const endedAtMs = new Map<Kind, number>();
  const again = new Set<Kind>();
  const endedMeanwhile = new Set<Kind>();

  function run(kind: Kind): void {
    if (active.has(kind)) {
      again.add(kind);
      return;
    }
    const round = look(kind).finally(() => {
      active.delete(kind);
      endedAtMs.set(kind, performance.now());
      const hadEnds = endedMeanwhile.delete(kind);
      if (again.delete(kind)) run(kind);
      else if (hadEnds) onEnds(kind);
    });
    active.set(kind, round);
  }

  return {
    run,
    noteEnd(kind) {
      if (active.has(kind)) endedMeanwhile.add(kind);
      return active.has(kind);
    },
    restedMs: (kind) => performance.now() - (endedAtMs.get(kind) ?? 0),
    settled: () => Promise.all(active.values()),
  };
}

interface Times {
  readonly timed: TickDependencies;
  pendingMs(): number;
  /** Of the last statement. */
  tookMs(kind: Kind): number;
}

/** A round may take minutes when much is due: only a single unanswered statement is a bad sign. */
function withTimes(deps: TickDependencies): Times {
  const askedAtMs = new Map<Kind, number>();
  const tookMs = new Map<Kind, number>();
  const dispatchDue: WorkStore['dispatchDue'] = (kind, limit) => {
    const sinceMs = performance.now();
    askedAtMs.set(kind, sinceMs);
    return deps.work.dispatchDue(kind, limit).finally(() => {
      askedAtMs.delete(kind);
      tookMs.set(kind, performance.now() - sinceMs);
    });
  };
  return {
    timed: { ...deps, work: { ...deps.work, dispatchDue } },
    pendingMs: () => Math.max(0, ...[...askedAtMs.values()].map((askedMs) => performance.now() - askedMs)),
    tookMs: (kind) => tookMs.get(kind) ?? 0,
  };
}

/** Wake-ups of one kind within a while become one. */
function createWakeUps(run: (kind: Kind) => void): { add(kind: Kind, delayMs: number): void; clear(): void } {
  const timers = new Map<Kind, NodeJS.Timeout>();
  return {
    add(kind, delayMs) {
      if (timers.has(kind)) return;
      const wakeUp = () => {
        timers.delete(kind);
        run(kind);
      };
      timers.set(kind, setTimeout(wakeUp, delayMs));
    },
    clear: () => {
      timers.forEach(clearTimeout);
    },
  };
}

async function dispatchAll(deps: TickDependencies, kind: Kind, isStopped: () => boolean): Promise<Dispatch> {
  let dispatch = await dispatchOnce(deps, kind);
  // The process that held the guard may have read the rows just before this one became due.
  if (!dispatch.hadGuard) dispatch = await dispatchOnce(deps, kind);
  for (let batch = 1; dispatch.subjects.length === BATCH && batch < MAX_BATCHES && !isStopped(); batch += 1)
    dispatch = await dispatchOnce(deps, kind);
  return dispatch;
}

async function dispatchOnce(deps: TickDependencies, kind: Kind): Promise<Dispatch> {
  const dispatch = await deps.work.dispatchDue(kind, BATCH);
  try {
    await enqueue(deps.queue(kind), kind, dispatch.subjects);
  } catch (error) {
    await deps.work.undispatch(
      kind,
      dispatch.subjects.map((subject) => subject.id),
    );
    throw error;
  }
  deps.onTick?.(kind, dispatch.subjects.length);
  return dispatch;
}
