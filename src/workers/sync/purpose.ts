/** What a run of a sync is for: to write, or to look for drift first or only. */
import type { Run } from '../engine/processor.ts';
import type { SyncHead } from './job.ts';

/** What the round is for. */
export interface Purpose {
  readonly isCheck: boolean;
  /** False: the drift check only reports. */
  readonly mayWrite: boolean;
  /** True: nothing may change at AWS, not even to finish a write whose answer was lost. */
  readonly isGuarded?: boolean;
}

/**
 * A manual or paused sync writes only for a request to sync. Whatever else makes it due leads to a
 * drift check that only reports.
 */
export function purposeOf({ run, sync }: Pick<SyncHead, 'run' | 'sync'>): Purpose {
  if (run.requestKind !== undefined) {
    const isCheck = run.requestKind !== 'sync';
    return { isCheck, mayWrite: !isCheck };
  }
  const isAutomatic = sync.isAutoSyncEnabled && sync.pausedAt === null;
  return { isCheck: isScheduled(run) || !isAutomatic, mayWrite: isAutomatic };
}

/**
 * Whoever asks for a sync through the CLI, the API or the library expects it to repair drift that
 * no check has seen yet. A run that a job or a change started does not check.
 */
export function looksFirst({ requestKind, isDirect }: Run<'sync'>): boolean {
  return requestKind === 'sync' && isDirect;
}

export function isScheduled({ reason, subject }: Run<'sync'>): boolean {
  return reason === 'scheduled' && subject.wantedRevision === subject.doneRevision;
}
