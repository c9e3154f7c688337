/** What a sync that gave its place back remembers until it goes on. Pure. */
import { noCounts, type RunCounts } from './run.ts';

export interface SyncProgress {
  /** The folder's revision and the sync's version that the work began with; when either has moved on, the work begins anew. */
  readonly revision: number;
  readonly version: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Summed over the slices, so that the last run tells the whole. */
  readonly counts: RunCounts;
  /** Every value was checked against AWS's rules. */
  readonly isSurveyed?: boolean;
  /** The deletions of this plan were confirmed. */
  readonly isConfirmed?: boolean;
  /** Permissions were probed and are there. */
  readonly isProbed?: boolean;
  /** The initial import is done. */
  readonly isImported?: boolean;
  /** Since when a drift check looks at the entries. */
  readonly checkingSince?: string;
}

export interface ProgressBasis {
  readonly revision: number;
  readonly version: number;
}

/** The remembered progress where it still fits, else a new beginning. */
export function continueProgress(saved: SyncProgress | null, basis: ProgressBasis, now: Date): SyncProgress {
  if (saved?.revision === basis.revision && saved.version === basis.version) return saved;
  // An import that was done stays done, whatever it or anybody else changed in the folder since.
  const kept = saved?.isImported === true ? { isImported: true } : {};
  return { revision: basis.revision, version: basis.version, startedAt: now.toISOString(), counts: noCounts, ...kept };
}

export function addCounts(a: RunCounts, b: RunCounts): RunCounts {
  return {
    created: a.created + b.created,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
    unchanged: Math.max(a.unchanged, b.unchanged),
    adopted: a.adopted + b.adopted,
    conflicts: a.conflicts + b.conflicts,
    failed: a.failed + b.failed,
  };
}
