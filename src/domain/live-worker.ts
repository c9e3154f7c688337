/**
 * Worker processes as they report themselves, so that people can see whether any is running.
 * Decides nothing about work. Pure.
 */
import type { Kind } from './run.ts';

export interface WorkerReport {
  /** Host and process id. */
  readonly name: string;
  readonly version: string;
  readonly queues: readonly Kind[];
  /** Jobs under way, by queue. */
  readonly running: Readonly<Partial<Record<Kind, number>>>;
}

/** Times are the database's. */
export interface LiveWorker extends WorkerReport {
  readonly startedAt: Date;
  readonly seenAt: Date;
  /** Set by a worker that ended in order. */
  readonly stoppedAt: Date | null;
}

export const REPORT_EVERY_MS = 10_000;
/** Four reports are missing: the worker was killed, or cannot reach the database. */
const SILENT_AFTER_MS = 45_000;
/**
 * Each worker counts once a minute for the installation's guard, also one of a release that does
 * not report itself.
 */
const UNCOUNTED_AFTER_MS = 150_000;

export type WorkerState = 'running' | 'silent' | 'stopped';

export function stateOfWorker({ seenAt, stoppedAt }: LiveWorker, now: Date): WorkerState {
  if (stoppedAt !== null) return 'stopped';
  return now.getTime() - seenAt.getTime() < SILENT_AFTER_MS ? 'running' : 'silent';
}

export interface Workers {
  readonly areRunning: boolean;
  /** When any of them was last there; null before the first. */
  readonly lastSeenAt: Date | null;
  /** Those of the last hour, the latest start first. */
  readonly workers: readonly LiveWorker[];
}

/** `countedAt`: when a worker last counted for the guard, which a guarded one does not. */
export function summarizeWorkers(workers: readonly LiveWorker[], countedAt: Date | null, now: Date): Workers {
  const seen = [...workers.map(({ seenAt }) => seenAt), ...(countedAt === null ? [] : [countedAt])];
  const lastSeenAt = seen.reduce<Date | null>((last, one) => (last === null || one > last ? one : last), null);
  const isCounted =
    countedAt !== null &&
    now.getTime() - countedAt.getTime() < UNCOUNTED_AFTER_MS &&
    !workers.some((one) => isGoneSince(one, countedAt, now));
  const areRunning = workers.some((one) => stateOfWorker(one, now) === 'running') || isCounted;
  return { areRunning, lastSeenAt, workers };
}

/** The worker may be the one that counted then, and it has ended or fallen silent afterwards. */
function isGoneSince(worker: LiveWorker, countedAt: Date, now: Date): boolean {
  const { seenAt, stoppedAt } = worker;
  if (stateOfWorker(worker, now) === 'running') return false;
  return (stoppedAt?.getTime() ?? seenAt.getTime() + REPORT_EVERY_MS) >= countedAt.getTime();
}

/** `sync 3, validate 1`; `nothing` at rest. */
export function describeRunning({ queues, running }: Pick<WorkerReport, 'queues' | 'running'>): string {
  const busy = queues.filter((kind) => (running[kind] ?? 0) > 0);
  return busy.length === 0 ? 'nothing' : busy.map((kind) => `${kind} ${String(running[kind] ?? 0)}`).join(', ');
}
