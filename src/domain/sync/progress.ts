/** What a sync remembers between two slices. Pure. */
import type { RunKind } from '../run.ts';
import type { ImportResult } from './import-result.ts';
import { type ChangeCounts, noChanges } from './summary.ts';

export interface SyncProgress {
  /** The round: the id of its first run. What was refused in a round is not tried again by it. */
  readonly round: string;
  /**
   * The folder's revision and the sync's version that the round began with; when either has
   * changed, a new round begins.
   */
  readonly revision: number;
  readonly version: number;
  /** Summed over the slices, so that the last run reports the total. */
  readonly changes: ChangeCounts;
  /**
   * How many objects the round had to write or delete when it began to, and when that was (ISO
   * 8601).
   */
  readonly writing?: { readonly total: number; readonly startedAt: string };
  /** Every value was checked against AWS's rules. */
  readonly isSurveyed?: boolean;
  /** How often this round waited for replicas to become complete. */
  readonly replicaLooks?: number;
  /** The deletions of this plan were confirmed. */
  readonly isConfirmed?: boolean;
  /** The drift check of this round is done. */
  readonly isChecked?: boolean;
  /** The drift check found the owner of every parameter. */
  readonly hasSeenOwners?: boolean;
  /** The attempt that failed; a first attempt after it is a new wish, not a retry. */
  readonly failedAttempt?: number;
  /** AWS denied the check of a run that a person asked for; the run continues by the ledger. */
  readonly isLookDenied?: boolean;
  /**
   * How many objects the check left out, because AWS's lists may not show them yet, or could not
   * decide about.
   */
  readonly notLookedAt?: number;
  /**
   * When a second check can decide about those that the first could not; undefined when there are
   * none.
   */
  readonly decidedAt?: string | undefined;
  /** What the initial import of this round did. */
  readonly initialImport?: ImportResult;
  /** The run has waited until `decidedAt`; it does so once. */
  readonly hasWaitedForReads?: boolean;
  /** It is the progress of a removal, which no other run continues. */
  readonly isRemoval?: boolean;
  /** Something was found in flight: AWS is checked once more a while later. */
  readonly hasRecovered?: boolean;
}

export interface ProgressBasis {
  readonly revision: number;
  readonly version: number;
}

/** The remembered progress where it still fits, else a new round. */
export function continueProgress(
  saved: SyncProgress | null,
  basis: ProgressBasis,
  run: { readonly id: string; readonly attempt: number; readonly kind: RunKind },
): SyncProgress {
  const isRemoval = run.kind === 'remove';
  const isGivenUp = saved?.failedAttempt !== undefined && run.attempt <= saved.failedAttempt;
  const isSame = saved?.revision === basis.revision && saved.version === basis.version;
  if (!isGivenUp && isSame && (saved.isRemoval ?? false) === isRemoval) return saved;
  return { revision: basis.revision, version: basis.version, round: run.id, changes: noChanges, isRemoval };
}
