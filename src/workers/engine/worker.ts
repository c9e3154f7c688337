/**
 * A worker process's life: one BullMQ worker per queue, the tick, the wake-ups, and an orderly end.
 * It knows nothing of what the jobs do.
 */
import { setTimeout } from 'node:timers/promises';

import type { Worker } from 'bullmq';

import type { WorkStore } from '../../db/engine/work.ts';
import { defined } from '../../domain/defined.ts';
import type { Kind } from '../../domain/run.ts';
import { JobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import type { QueueBackend } from '../../queues/backend.ts';
import { createCallCounts, type CallCounts } from './call-counts.ts';
import type { RunPull } from '../pull/run-pull.ts';
import type { Processor } from './processor.ts';
import { orHandBack } from './hand-back.ts';
import { createHotLoops, type HotLoops } from './hot-loops.ts';
import { isLeaseLost } from './job-result.ts';
import { createOutages, type Outages } from './outages.ts';
import { runJob } from './run-job.ts';
import type { RunReport } from './run-report.ts';
import { startHousekeeping, type HousekeepingDependencies } from './housekeeping.ts';
import { createTick, type Tick } from './tick.ts';
import { startWatchdog, type Watchdog, type WatchdogTimes } from './watchdog.ts';

export interface WorkerDependencies {
  readonly backend: QueueBackend;
  readonly work: WorkStore;
  readonly kinds: readonly Kind[];
  readonly concurrency: Readonly<Record<Kind, number>>;
  readonly processors: { readonly [K in Kind]: Processor<K> };
  /** Takes the `pull` jobs of the queue `sync`. */
  readonly runPull?: RunPull | undefined;
  /** Calls back on every NOTIFY; returns how to stop listening. */
  listen(onDue: (kind: string) => void): Promise<() => Promise<void>>;
  /** Over a fresh connection; rejects unless the database can be written. */
  checkDatabase(): Promise<void>;
  readonly deleteExpired: HousekeepingDependencies['deleteExpired'];
  readonly repairInvariants: HousekeepingDependencies['repairInvariants'];
  onRepaired?: HousekeepingDependencies['onRepaired'];
  /** Throws DB_GUARDED while nothing may be changed at AWS. */
  requireUnguarded?(): void;
  readonly watchdogTimes?: WatchdogTimes;
  /** How long a server must have worked until its outage counts as over. */
  readonly outageQuietMs?: number;
  readonly name: string;
  readonly log: Log;
  random(): number;
  onRun(report: RunReport): void;
  onTick?(kind: Kind, dispatched: number): void;
  onLeaseLost?(kind: Kind): void;
  onUnaskedWrites?(count: number): void;
  onHotLoop?(kind: Kind): void;
}

export interface WorkerProcess {
  /** False once it was asked to stop, when its tick has stopped, or a queue delivers nothing. */
  isReady(): boolean;
  /** Jobs under way, by queue. */
  running(): Readonly<Partial<Record<Kind, number>>>;
  /** Resolves when only a new process helps: a queue delivers nothing although jobs wait. */
  readonly mustBeReplaced: Promise<void>;
  /**
   * Ends within `deadlineMs`: running jobs reach their next safe point, the rest is left to the
   * leases.
   */
  stop(deadlineMs?: number): Promise<void>;
}

const STOP_DEADLINE_MS = 25_000;
const CANCEL_GRACE_MS = 3_000;
/**
 * A tick that succeeded longer ago than this means that the database or the event loop is stuck.
 */
const STALE_TICK_MS = 60_000;

export async function startWorker(deps: WorkerDependencies): Promise<WorkerProcess> {
  let isStopping = false;
  let isDeaf = false;
  const { promise: mustBeReplaced, resolve: demandReplacement } = deferred();
  const watchdog: Watchdog = startWatchdog({
    ...deps,
    ...defined({ times: deps.watchdogTimes }),
    countWaiting: (kind) => countWaiting(deps.backend, kind),
    unansweredMs: () => tick.pendingMs(),
    checkAfresh: (part) => (part === 'queue' ? deps.backend.checkAfresh() : deps.checkDatabase()),
    onDeaf() {
      isDeaf = true;
      demandReplacement();
    },
  });
  const stopHousekeeping = startHousekeeping(deps);
  const outages = createOutages({ ...deps, quietMs: deps.outageQuietMs });
  const tick = createTick({ ...deps, queue: (kind) => deps.backend.queue(kind), ...outages });
  const hotLoops = createHotLoops();
  const callCounts = createCallCounts({ store: (given) => deps.work.storeCalls(given) });
  const workers = deps.kinds.map((kind) =>
    startQueueWorker(deps, kind, {
      hotLoops,
      callCounts,
      outages,
      isStopping: () => isStopping,
      watchdog,
      onRun(report) {
        deps.onRun(report);
        tick.runEnded(report.kind, report.dueInMs);
      },
    }),
  );
  const startedAtMs = performance.now();
  const stopListening = await listenOrPoll(deps, (kind) => {
    tick.wake(kind);
  });
  tick.start();
  return {
    mustBeReplaced,
    running: watchdog.running,
    isReady() {
      const newest = Math.min(...deps.kinds.map((kind) => tick.lastSuccessMs.get(kind) ?? startedAtMs));
      return !isStopping && !isDeaf && performance.now() - newest < STALE_TICK_MS;
    },
    async stop(deadlineMs = STOP_DEADLINE_MS) {
      if (isStopping) return;
      isStopping = true;
      watchdog.stop();
      stopHousekeeping();
      await stopInOrder({ tick, stopListening, workers, callCounts, log: deps.log }, deadlineMs);
    },
  };
}

interface Stopping {
  readonly tick: Pick<Tick, 'stop'>;
  stopListening(): Promise<void>;
  readonly workers: readonly Worker[];
  readonly callCounts: Pick<CallCounts, 'close'>;
  readonly log: Log;
}

/** First what brings work, then the jobs, then what they report to. */
async function stopInOrder(parts: Stopping, deadlineMs: number): Promise<void> {
  await inTime(parts.tick.stop());
  await inTime(parts.stopListening());
  await closeWorkers(parts.workers, deadlineMs, parts.log);
  await inTime(parts.callCounts.close());
}

/** NOTIFY only saves waiting for the next tick: without it the worker still does everything. */
async function listenOrPoll(deps: WorkerDependencies, wake: (kind: Kind) => void): Promise<() => Promise<void>> {
  try {
    return await deps.listen((kind) => {
      const known = deps.kinds.find((one) => one === kind);
      if (known) wake(known);
    });
  } catch (error) {
    deps.log.warn({ err: error }, 'cannot listen for wake-ups; polling only');
    return () => Promise.resolve();
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

/** A paused queue waits because somebody wants it to. */
async function countWaiting(backend: QueueBackend, kind: Kind): Promise<number> {
  const queue = backend.queue(kind);
  if (await queue.isPaused()) return 0;
  return queue.getJobCountByTypes('waiting', 'prioritized');
}

interface RunHooks {
  readonly watchdog: Watchdog;
  readonly hotLoops: HotLoops;
  readonly callCounts: CallCounts;
  readonly outages: Outages;
  isStopping(): boolean;
  onRun(report: RunReport): void;
}

function startQueueWorker(deps: WorkerDependencies, kind: Kind, hooks: RunHooks): Worker {
  const jobDeps = jobDependencies(deps, kind, hooks);
  const worker = deps.backend.worker(
    kind,
    async (job, token, signal) => {
      hooks.watchdog.jobStarted(kind);
      try {
        const runPull = kind === 'sync' && job.name === 'pull' ? deps.runPull : undefined;
        return await orHandBack({ job, token, signal }, () => (runPull ?? runJob)(jobDeps, job, signal));
      } finally {
        hooks.watchdog.jobEnded(kind);
      }
    },
    {
      concurrency: deps.concurrency[kind],
      name: deps.name,
    },
  );
  worker.on('error', logErrors(deps.log, kind, hooks.outages));
  worker.on('stalled', (jobId) => {
    deps.log.warn({ queue: kind, jobId }, 'job stalled; it is delivered again');
  });
  worker.on('failed', (_job, error) => {
    if (isLeaseLost(error)) deps.onLeaseLost?.(kind);
  });
  worker.on('lockRenewalFailed', (jobIds: string[]) => {
    jobIds.forEach((jobId) => worker.cancelJob(jobId, 'lock lost'));
  });
  void worker.run().catch((error: unknown) => {
    deps.log.error({ err: error, queue: kind }, 'queue worker ended');
  });
  return worker;
}

function jobDependencies(deps: WorkerDependencies, kind: Kind, hooks: RunHooks) {
  // The pairing of a kind with its own processor is kept by the type of `processors`; TypeScript
  // cannot follow it through a variable.
  const processor = deps.processors[kind] as Processor<Kind>;
  // A validation only tries what it may do, on objects that cannot exist.
  const requireUnguarded = kind === 'validate' ? undefined : deps.requireUnguarded;
  return { ...deps, ...hooks, noticeOutage: hooks.outages.noticeOutage, processor, requireUnguarded };
}

const ERROR_LOG_EVERY_MS = 10_000;

/** A Redis that is down or full makes thousands of error events a second, and one alarm. */
function logErrors(log: Log, kind: Kind, outages: Outages): (error: Error) => void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return (error) => {
    suppressed += 1;
    if (performance.now() - loggedAtMs < ERROR_LOG_EVERY_MS) return;
    const errors = suppressed;
    loggedAtMs = performance.now();
    suppressed = 0;
    void outages.queueFailed(error).then((isOut) => {
      if (isOut) return;
      log.warn({ err: new JobError('QUEUE_UNAVAILABLE', { cause: error }), queue: kind, errors }, 'queue error');
    });
  };
}

/** Whatever waits for a server that is gone is not awaited. */
const inTime = (end: Promise<unknown>) => Promise.race([end, setTimeout(1_000, undefined, { ref: false })]);

/**
 * Waits for running jobs by pausing, then closes by force: a `close()` that waits for Redis never
 * returns while Redis is down, and cannot be turned into a forced one afterwards.
 */
async function closeWorkers(workers: readonly Worker[], deadlineMs: number, log: Log): Promise<void> {
  const drained = Promise.allSettled(workers.map((worker) => worker.pause())).then(() => true);
  const wait = (ms: number) => setTimeout(ms, false, { ref: false });
  if (!(await Promise.race([drained, wait(Math.max(0, deadlineMs - CANCEL_GRACE_MS))]))) {
    log.warn('running jobs did not end in time; cancelling them');
    workers.forEach((worker) => {
      worker.cancelAllJobs('shutdown');
    });
    await Promise.race([drained, wait(CANCEL_GRACE_MS)]);
  }
  await inTime(Promise.allSettled(workers.map((worker) => worker.close(true))));
}
