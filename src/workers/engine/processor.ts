/**
 * What a processor is: it does the work of one run and says how it ended. It never touches BullMQ,
 * leases or the run's row.
 */
import type { CallScope } from '../../aws/session.ts';
import type { SubjectRows } from '../../db/engine/subjects.ts';
import type { Kind, Outcome, Reason, RunKindOf, RunProgress } from '../../domain/run.ts';
import type { Log } from '../../observe/log.ts';

/** One run in progress, handed to a processor. */
export interface Run<K extends Kind> {
  readonly id: string;
  /** What is asked for: `sync`, `plan`, `import` or `remove` on the sync queue. */
  readonly kind: RunKindOf<K>;
  /**
   * The kind of the open request that this run answers (`check` is a sync run), if there is one.
   */
  readonly requestKind: string | undefined;
  /**
   * A person or application asked for it through the CLI, the API or the library, not by a queued
   * job.
   */
  readonly isDirect: boolean;
  /** The subject's row as it was claimed. */
  readonly subject: SubjectRows[K];
  /** The subject's status before the claim. */
  readonly statusBefore: string;
  /**
   * Of a sync of which nothing changed since its last success, by revisions alone: how many entries
   * it has. Else undefined.
   */
  readonly unchangedEntries: number | undefined;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly reason: Reason;
  /** Parameters of the requests that this run answers, merged. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Signal, call counter and lease guard of this run: pass it to `AwsAccess.session`. */
  readonly scope: CallScope;
  readonly log: Log;
  /** True soon after a person cancelled the run: it ends before its next write. */
  isCancelled(): boolean;
  /**
   * True soon after another subject began to wait for this run's slot: the run gives it up after
   * its share of the work.
   */
  isAwaited(): boolean;
  /** Shows others how far the run has come. */
  noteProgress(progress: RunProgress): void;
  /** Shows others what the run has found out so far; the outcome's result replaces it. */
  noteResult(result: unknown): void;
  /** The database's clock; the worker's own decides nothing. */
  now(): Date;
  /** In [0, 1). */
  random(): number;
}

/** How a run ended, and what that means for its subject. */
export interface Performed<K extends Kind> {
  readonly outcome: Outcome;
  /** Columns of the subject to write with the settlement. */
  readonly changes: Partial<SubjectRows[K]>;
  /**
   * When the subject is due again by its schedule; null while it waits for something else. The
   * pipeline decides it for `continued`, which names its own time, and for `retry`, whose time is
   * the backoff's.
   */
  readonly dueAt: Date | null;
  /** What is wanted of the subject is still to be done: a plan only reads. */
  readonly leavesWish?: boolean;
  /** Decided by the claim alone: nothing was read, and nothing written. */
  readonly isUnchanged?: boolean;
  /** The processor has settled the run itself, together with the deletion of its subject. */
  readonly hasSettledItself?: boolean;
}

export interface Processor<K extends Kind> {
  readonly kind: K;
  /**
   * Expected refusals are outcomes. Whatever it throws is classified by the pipeline: retry, snooze
   * or fail by the code's disposition.
   */
  perform(run: Run<K>): Promise<Performed<K>>;
  /**
   * What an outcome means that `perform` did not return: it threw, its attempts are spent, or its
   * runs died.
   */
  conclude(outcome: Outcome, run: Run<K>): Performed<K>;
}
