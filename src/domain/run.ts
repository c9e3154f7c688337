/**
 * What a run is: its kinds, its reasons, and the outcomes a processor may return. Outcomes are
 * values; only the run-job pipeline knows how they end a BullMQ job. Never any I/O here.
 */
import type { JobError } from '../errors.ts';

/** The three queues; each kind has one table of subjects. */
export const kinds = ['validate', 'sync', 'rotate'] as const;
export type Kind = (typeof kinds)[number];

export function isKind(text: string): text is Kind {
  return (kinds as readonly string[]).includes(text);
}

/** A `pull` comes through the queue `sync`, and is recorded when it ends. */
export const runKinds = ['validate', 'sync', 'plan', 'import', 'remove', 'rotate', 'pull'] as const;
export type RunKind = (typeof runKinds)[number];

/** What the runs of each queue are for. */
interface RunKindsOfQueues {
  readonly validate: 'validate';
  readonly sync: 'sync' | 'plan' | 'import' | 'remove';
  readonly rotate: 'rotate';
}
export type RunKindOf<K extends Kind> = RunKindsOfQueues[K];

export const reasons = ['requested', 'scheduled', 'created', 'changed', 'recovered'] as const;
export type Reason = (typeof reasons)[number];

export const runStatuses = [
  ...(['running', 'continued', 'succeeded', 'partial', 'failed', 'blocked', 'cancelled', 'abandoned'] as const),
] as const;
export type RunStatus = (typeof runStatuses)[number];

/** How far a run that writes many objects has come, summed over its slices. */
export interface RunProgress {
  /** Objects that were tried: written, found as wanted, or refused. */
  readonly done: number;
  readonly total: number;
  /** Objects a second since the first; null while it is too early to say. */
  readonly perSecond: number | null;
  /** At that rate, which includes the waiting for AWS's quota. */
  readonly secondsLeft: number | null;
}

/** A slice of a run that gave up its slot and continued later. */
export interface RunSlice {
  readonly id: string;
  readonly startedAt: Date;
  /** Null while it runs. */
  readonly finishedAt: Date | null;
}

/** Unfinished work: a run in progress, or one that waits between two slices. */
export function isUnderWay({ status, kind }: { readonly status: RunStatus; readonly kind: RunKind }): boolean {
  return status === 'running' || (status === 'continued' && kind !== 'rotate');
}

export interface RunCounts {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
  readonly adopted: number;
  readonly conflicts: number;
  readonly failed: number;
}

export const noCounts: RunCounts = {
  created: 0,
  updated: 0,
  deleted: 0,
  unchanged: 0,
  adopted: 0,
  conflicts: 0,
  failed: 0,
};

/**
 * How a run ended.
 * - `continued` gives up the slot and is dispatched again at `at`, without spending an attempt.
 * - `retry` spends an attempt; `at` is chosen by the backoff unless the error carries
 *   `retryAfterMs`.
 * - `failed` and `blocked` are verdicts; they are not retried. `blocked` waits until what blocks it
 *   is lifted.
 * - `cancelled`: a person stopped it; what it did until then stays.
 */
export type Outcome =
  | { readonly status: 'succeeded'; readonly counts?: RunCounts; readonly result?: unknown }
  | {
      readonly status: 'partial';
      readonly code: string;
      readonly message: string;
      readonly counts?: RunCounts;
      readonly result?: unknown;
    }
  | {
      readonly status: 'failed' | 'blocked' | 'cancelled';
      readonly code: string;
      readonly message: string;
      readonly counts?: RunCounts;
      readonly result?: unknown;
    }
  | {
      readonly status: 'continued';
      readonly at: Date;
      /**
       * What was asked for has happened although the work continues (a rotation that reached its
       * quiet phase).
       */
      readonly answersRequest?: boolean;
      /**
       * What it waits for if that does not concern the subject, whose status then stays as it was.
       */
      readonly waitsFor?: { readonly code: string; readonly message: string };
      readonly counts?: RunCounts;
      readonly result?: unknown;
    }
  | { readonly status: 'retry'; readonly error: JobError; readonly counts?: RunCounts };

/**
 * Whether a run neither changed anything nor was asked for: only that it happened is worth keeping,
 * so such runs in a row become one. For syncs the counts decide, for rotations the calls; the
 * result of a validation is in its connection.
 */
export function isQuiet(
  outcome: Outcome,
  run: { readonly kind: Kind; readonly awsCalls: Readonly<Record<string, number>>; readonly isAskedFor: boolean },
): boolean {
  if (run.isAskedFor || outcome.status === 'retry') return false;
  if (run.kind === 'rotate') return Object.keys(run.awsCalls).every((call) => /\.(Get|List|AssumeRole)/.test(call));
  const { unchanged: _, ...changes } = outcome.counts ?? noCounts;
  return Object.values(changes).every((count) => count === 0);
}
