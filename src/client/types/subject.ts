/** What connections, syncs and rotations have in common as callers see them. */

/** A connection, a sync or a rotation: what a worker keeps as it is wanted. */
export interface Subject {
  /** A UUID; never changes. */
  readonly id: string;
  /** The org that it belongs to. */
  readonly orgId: string;
  /** Unique among those of its sort in the org's project. */
  readonly name: string;
  /** At most 256 characters; null without one. */
  readonly description: string | null;
  /** Null: it belongs to the whole org. */
  readonly projectId: string | null;
  /** Grows with every change of its settings: what `ifVersion` is compared with. */
  readonly version: number;
  /** Code of what is wrong, as in docs/errors.md; null when nothing is. */
  readonly statusCode: string | null;
  /** What is wrong and what to do about it; at most 256 characters. */
  readonly statusMessage: string | null;
  /** Since when the last status besides pending and running holds. */
  readonly statusSince: Date;
  /** Its status needs a person. */
  readonly isTroubled: boolean | null;
  /** When a worker takes it up next; null while it is blocked or paused. */
  readonly nextDueAt: Date | null;
  /** A job or a run of it is under way. */
  readonly isInFlight: boolean | null;
  /** Attempts spent on what is wanted now; 0 after a success. */
  readonly attempt: number;
  /** Runs ever begun, those that died included. */
  readonly claims: number;
  /** Grows with every wish: what is wanted is done once `doneRevision` has reached it. */
  readonly wantedRevision: number;
  /** The `wantedRevision` that the last successful run began with. */
  readonly doneRevision: number;
  /** What `nextDueAt` was when the last run began. */
  readonly claimedDueAt: Date | null;
  /** When it was created. */
  readonly createdAt: Date;
  /** When its row was last written, by a person or by a run. */
  readonly updatedAt: Date;
}

/** How an update treats what others changed in between. */
export interface UpdateOptions {
  /**
   * Refuses the change with PAYLOAD_STALE unless the object still has this version (or one of
   * these).
   */
  readonly ifVersion?: number | readonly number[];
}
