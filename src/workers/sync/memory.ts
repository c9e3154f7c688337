/**
 * Ledger and source of syncs between two slices. Only what the same worker left is used again, and
 * only if no other run came in between: otherwise everything is read again. Losing it costs time,
 * nothing else.
 */
import type { Run } from '../engine/processor.ts';
import type { Remembered, SyncJob } from './job.ts';

export interface SyncMemory {
  keep(job: Pick<SyncJob, 'run' | 'sync' | 'folder' | 'ledger' | 'desired'>): void;
  /** Undefined when nothing was kept, or it no longer fits. */
  take(run: Run<'sync'>, folderRevision: number): Remembered | undefined;
}

/** Rows of all syncs together; some 2 KB each. */
const MAX_ROWS = 20_000;

interface Kept extends Remembered {
  readonly run: Run<'sync'>;
  readonly folderRevision: number;
}

/**
 * Whether no other run claimed the sync in between, not even one that died: it may have written to
 * the ledger.
 */
function isNext(kept: Kept, run: Run<'sync'>): boolean {
  const [before, now] = [kept.run.subject, run.subject];
  return now.claims === before.claims + 1 && now.version === before.version && now.folderId === before.folderId;
}

export function createSyncMemory(): SyncMemory {
  const kept = new Map<string, Kept>();
  const rows = () => [...kept.values()].reduce((sum, one) => sum + one.entries.length + one.desired.length, 0);
  return {
    keep({ run, sync, folder, ledger, desired }) {
      const entries = ledger.all();
      kept.delete(sync.id);
      if (entries.length + desired.length > MAX_ROWS * 2) return;
      kept.set(sync.id, { run, folderRevision: folder.revision, entries, desired });
      while (rows() > MAX_ROWS * 2) kept.delete(kept.keys().next().value ?? '');
    },
    take(run, folderRevision) {
      const found = kept.get(run.subject.id);
      kept.delete(run.subject.id);
      return found && isNext(found, run) && found.folderRevision === folderRevision ? found : undefined;
    },
  };
}
