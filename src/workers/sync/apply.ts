/**
 * What every way of carrying out a plan shares: which entries are written now, which wait, which
 * only change their row.
 */
import {
  conflicting,
  conflictMessage,
  deferred,
  drifted,
  failed,
  inOrder,
  newEntry,
  problemMessage,
  waitsUntil,
} from '../../domain/sync/entry.ts';
import type { LedgerEntry } from '../../domain/sync/ledger.ts';
import type { Plan, PlannedEntry } from '../../domain/sync/plan.ts';
import { isWritten } from '../../domain/unasked-writes.ts';
import { refusedNow } from './destinations/journal.ts';
import type { Slice } from './slice.ts';
import type { Journal, RowOrigin, SyncJob } from './job.ts';

/** True when the row must wait: the slice notes how long. */
export function skipWaiting(
  { job, slice }: { readonly job: Pick<SyncJob, 'run'>; readonly slice: Slice },
  entry: LedgerEntry | undefined,
): boolean {
  const until = entry && waitsUntil(entry, job.run.now());
  if (until) slice.note({ kind: 'deferred', until });
  return until !== undefined;
}

export function isWrite({ action }: PlannedEntry): boolean {
  return action === 'create' || action === 'update' || action === 'adopt' || action === 'restore';
}

/** What was refused in this round is not tried again by its later slices. */
export function isSettledInRound(job: Pick<SyncJob, 'roundId'>, { entry }: PlannedEntry): boolean {
  return entry !== undefined && entry.inFlight === null && entry.observed.refusedIn === job.roundId;
}

/** Conflicts and violations of the plan, and revisions that need no write: ledger only. */
export async function noteUnwritten(job: Journal & RowOrigin, plan: Plan): Promise<void> {
  const refused = plan.entries
    .filter((one) => one.action === 'invalid' || one.action === 'conflict')
    .map((one) => toRefused(job, one));
  const touched = plan.unchanged.flatMap((one) => toTouched(job, one) ?? []);
  await job.ledger.storeAll([...refused.map((entry) => refusedNow(job, entry)), ...touched]);
}

function toRefused(job: Pick<SyncJob, 'run'> & RowOrigin, planned: PlannedEntry): LedgerEntry {
  const entry = planned.entry ?? makeEntry(job, planned);
  const { desired, drift } = planned;
  const now = job.run.now();
  if (planned.action === 'invalid') {
    const problem = desired?.problem ?? { code: 'SYNC_ENTRY_INVALID' as const, message: planned.reason };
    return failed(entry, { code: problem.code, message: problemMessage(entry, problem) }, now);
  }
  if (drift && drift !== 'foreign') return drifted(entry, drift, now);
  return conflicting(entry, conflictMessage(entry, planned.reason), now);
}

/**
 * An unchanged entry whose revision, drift or error is out of date; undefined when there is nothing
 * to note.
 */
function toTouched(
  job: Pick<SyncJob, 'run' | 'folder'>,
  { entry, desired, drift }: PlannedEntry,
): LedgerEntry | undefined {
  if (!entry || !desired) return undefined;
  if (drift) return entry.drift === drift ? undefined : drifted(entry, drift, job.run.now());
  const isCurrent = entry.syncedRevision === desired.revision && entry.folderId === job.folder.id;
  if (isCurrent && entry.errorCode === null && entry.drift === null) return undefined;
  const current = { syncedRevision: desired.revision, folderId: job.folder.id };
  return entry.status === 'skipped' ? { ...entry, ...current } : { ...inOrder(entry), ...current };
}

export function makeEntry(job: RowOrigin, planned: Pick<PlannedEntry, 'remoteName' | 'key' | 'desired'>): LedgerEntry {
  const origin = {
    id: crypto.randomUUID(),
    syncId: job.sync.id,
    connectionId: job.connection.id,
    folderId: job.folder.id,
    place: job.place,
  };
  const settings = planned.desired?.settings ?? { keyId: null, tags: {} };
  return newEntry(origin, { remoteName: planned.remoteName, key: planned.key, settings });
}

export async function storeDeferred(job: Pick<SyncJob, 'ledger'>, entry: LedgerEntry, until: Date): Promise<void> {
  await job.ledger.store(deferred(job.ledger.get(entry.id) ?? entry, until));
}

/** For the count of writes that nobody asked for. */
export function noteRewrite(
  job: Pick<SyncJob, 'run' | 'folder'>,
  entry: LedgerEntry,
  desired: Parameters<typeof isWritten>[1],
): void {
  if (isWritten(entry, desired, job.folder.id)) job.run.scope.calls.recordRewrite();
}
