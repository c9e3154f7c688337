/**
 * No write unasked: a sync run changes AWS only for a wish on record. This states the rule a second time, apart from the code
 * that decides what a run does, so that a defect there is counted instead of staying unseen. Pure.
 */
import { isMutation } from './call-log.ts';
import type { RunKind } from './run.ts';

/** A run as it was claimed. */
export interface ClaimedSync {
  readonly kind: RunKind;
  /** Of the open request that the run answers, if there is one. */
  readonly requestKind: string | undefined;
  readonly subject: {
    readonly isAutoSyncEnabled: boolean;
    readonly pausedAt: Date | null;
  };
}

/** How many calls of the run changed something at AWS, or tried to, without a wish on record. */
export function countUnaskedWrites(run: ClaimedSync, calls: Readonly<Record<string, number>>): number {
  if (hasWish(run)) return 0;
  return Object.entries(calls).reduce((sum, [call, count]) => sum + (isMutation(operationOf(call)) ? count : 0), 0);
}

/**
 * A request to sync or to remove, or whatever makes an automatic sync due. That includes its schedule without repair: a check may
 * find that an object is not ours any more, which leaves a secret to be written again.
 */
function hasWish(run: ClaimedSync): boolean {
  const { requestKind, subject } = run;
  if (requestKind !== undefined) return requestKind === 'sync' || requestKind === 'remove';
  return run.kind === 'sync' && subject.isAutoSyncEnabled && subject.pausedAt === null;
}

function operationOf(call: string): string {
  return call.slice(call.indexOf('.') + 1);
}
