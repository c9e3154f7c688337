/**
 * No write unasked: a sync run changes AWS only for a wish on record, and writes again what is
 * already written only where drift may be repaired. This states the rule a second time,
 * independently of the code that decides what a run does, so that a defect there is counted instead
 * of going unnoticed. Pure.
 */
import { type CallLog, isMutation } from './call-log.ts';
import type { RunKind } from './run.ts';
import type { DesiredEntry } from './sync/desired.ts';
import { isOwned, type LedgerEntry, settingsText } from './sync/ledger.ts';

/** A run as it was claimed. */
export interface ClaimedSync {
  readonly kind: RunKind;
  /** Of the open request that the run answers, if there is one. */
  readonly requestKind: string | undefined;
  readonly subject: {
    readonly isAutoSyncEnabled: boolean;
    readonly pausedAt: Date | null;
    /** `drift` is absent in rows that are older than the option, which detect. */
    readonly syncOptions: { readonly drift?: 'detect' | 'repair' };
  };
}

/**
 * Without a wish on record: how many calls changed something at AWS, or tried to. With one: how
 * many objects were written again although the folder holds nothing new for them and drift is only
 * to be reported.
 */
export function countUnaskedWrites(run: ClaimedSync, calls: Pick<CallLog, 'counts' | 'rewrites'>): number {
  if (hasWish(run)) return mayRewrite(run) ? 0 : calls.rewrites;
  const mutations = Object.entries(calls.counts).filter(([call]) => isMutation(operationOf(call)));
  return mutations.reduce((sum, [, count]) => sum + count, 0);
}

/** A request to sync or to remove, or whatever makes an automatic sync due. */
function hasWish(run: ClaimedSync): boolean {
  const { requestKind, subject } = run;
  if (requestKind !== undefined) return requestKind === 'sync' || requestKind === 'remove';
  return run.kind === 'sync' && subject.isAutoSyncEnabled && subject.pausedAt === null;
}

/** A person who asks for a sync means its result. */
function mayRewrite({ requestKind, subject }: ClaimedSync): boolean {
  return requestKind !== undefined || subject.syncOptions.drift === 'repair';
}

/**
 * Whether the row says that this very revision is written, with these settings: only somebody
 * else's change could be overwritten.
 */
export function isWritten(
  entry: LedgerEntry,
  desired: Pick<DesiredEntry, 'revision' | 'settings'>,
  folderId: string,
): boolean {
  const isInOrder = entry.errorCode === null || entry.errorCode === 'SYNC_DRIFTED';
  return (
    isOwned(entry) &&
    isInOrder &&
    entry.inFlight === null &&
    entry.folderId === folderId &&
    entry.syncedRevision === desired.revision &&
    settingsText(entry.settings) === settingsText(desired.settings)
  );
}

function operationOf(call: string): string {
  return call.slice(call.indexOf('.') + 1);
}
