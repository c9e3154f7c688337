/** `client.runs`: what workers did, and how to wait for it. */
import type { RunCounts, RunKind, RunProgress, RunSlice, RunStatus } from '../../domain/run.ts';

/** One run: history and audit. */
export interface RunRecord {
  /** A UUID. */
  readonly id: string;
  /** What the run was for. */
  readonly kind: RunKind;
  /** Id of its connection, sync or rotation; of a pull, the folder's. */
  readonly subjectId: string;
  /** The org that its subject belongs to. */
  readonly orgId: string;
  /** Id of its job in the queue; null without one. */
  readonly jobId: string | null;
  /** The first is 1. */
  readonly attempt: number;
  /** `requested`, `scheduled`, `created`, `changed` or `recovered`. */
  readonly reason: string;
  /** Who asked; null when nobody did. */
  readonly requestedBy: string | null;
  /** `continued`: it gave up its slot, and another run continues its work. */
  readonly status: RunStatus;
  /** When it began. */
  readonly startedAt: Date;
  /** Null while it runs. */
  readonly finishedAt: Date | null;
  /** As in docs/errors.md; null after a success. */
  readonly errorCode: string | null;
  /** What went wrong and what to do about it; never a value. */
  readonly errorMessage: string | null;
  /** Objects by what became of them; null while it runs, and where nothing is counted. */
  readonly counts: RunCounts | null;
  /**
   * Calls by operation, such as `ssm.PutParameter`: so far, of an abandoned run at least these. A
   * run that replaced `repeats` earlier ones like it counts theirs, too.
   */
  readonly awsCalls: Readonly<Record<string, number>> | null;
  /** How far a long sync has come; null before its first write. */
  readonly progress: RunProgress | null;
  /**
   * What the run found out, for whoever asked: a plan, a list of what is left behind. Never a
   * value.
   */
  readonly result: unknown;
  /**
   * Null: the run did or said something. Else it found everything as before, and stands for this
   * many earlier runs that did, too.
   */
  readonly repeats: number | null;
  /** When the first of the runs that it stands for began. */
  readonly firstStartedAt: Date | null;
}

/** A run as people count them: its slices are one, with the counts and the calls of all. */
export interface ListedRun extends RunRecord {
  /** Null once the subject is deleted. */
  readonly subjectName: string | null;
  /** The oldest first; empty for a run that was done in one. */
  readonly slices: readonly RunSlice[];
}

/** How long to wait for a run, and what to hear meanwhile. */
export interface WaitOptions {
  /**
   * Gives up with QUEUE_TIMEOUT after this long; the request stays recorded and is done later.
   * Default: 30 minutes.
   */
  readonly timeoutMs?: number;
  /**
   * Gives up with QUEUE_TIMEOUT when no worker took the request within this long. Default: 2
   * minutes.
   */
  readonly untakenTimeoutMs?: number;
  /** Stops the waiting, not the run. */
  readonly signal?: AbortSignal;
  /** Called once when no worker has taken the request for a few seconds. */
  onUntaken?(): void;
  /** Called with how far a long run has come, whenever that changes. */
  onProgress?(progress: RunProgress): void;
}

/** Runs of the org. */
export interface RunsClient {
  /** Throws PAYLOAD_INVALID when the org has no such run. */
  get(runId: string): Promise<RunRecord>;
  /** Newest first, each slice a run; `limit` is 20 by default. */
  list(subjectId: string, limit?: number): Promise<readonly RunRecord[]>;
  /**
   * Waits for the run that answers a request. It also resolves with a run that failed: see its
   * `status`. Throws QUEUE_TIMEOUT, QUEUE_REQUEST_CANCELLED.
   */
  wait(requestId: string, options?: WaitOptions): Promise<RunRecord>;
}
