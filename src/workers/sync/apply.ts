/**
 * Carries out a plan, one slice of it: writes with bounded concurrency, then deletes what has its replacement in place. One bad entry stops nothing
 * else; what concerns the whole account (throttling, a network that is down) ends the slice.
 */
import type { DesiredEntry } from '../../domain/sync/desired.ts';
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
import { isOwned, type LedgerEntry } from '../../domain/sync/ledger.ts';
import { findChange, type Plan, type PlannedEntry } from '../../domain/sync/plan.ts';
import { isWritten } from '../../domain/unasked-writes.ts';
import { toJobError } from '../../errors.ts';
import { type Destination, refusedNow, settleThrown, type WriteResult } from './destinations/destination.ts';
import { forEachPooled } from '../../concurrency/pool.ts';
import type { Slice } from './slice.ts';
import { createValueReader, type ValueReader } from './values.ts';
import type { SyncWork } from './work.ts';

interface Applying {
  readonly work: SyncWork;
  readonly destination: Destination;
  readonly slice: Slice;
  readonly values: ValueReader;
}

/** Returns false when the slice ended before the writes did. A write that must wait holds up no other. */
export async function applyWrites(
  context: { work: SyncWork; destination: Destination; slice: Slice },
  planned: readonly PlannedEntry[],
): Promise<boolean> {
  const { work, destination, slice } = context;
  const due = planned.filter((one) => isWrite(one) && !isSettledInRound(work, one));
  const writes = due.filter((one) => !skipWaiting(context, one.entry));
  const values = createValueReader(
    work,
    writes.flatMap((one) => (one.desired ? [one.desired] : [])),
  );
  destination.expect?.(writes.filter((one) => one.entry && isOwned(one.entry)).map((one) => one.remoteName));
  const options = { concurrency: destination.concurrency, mayStart: () => slice.isOpen() };
  const written = await forEachPooled(writes, options, (planned) => writeOne({ ...context, values }, planned));
  return written.isComplete;
}

/** True when the row must wait: the slice notes how long. */
export function skipWaiting(
  { work, slice }: { readonly work: SyncWork; readonly slice: Slice },
  entry: LedgerEntry | undefined,
): boolean {
  const until = entry && waitsUntil(entry, work.run.now());
  if (until) slice.note({ kind: 'deferred', until });
  return until !== undefined;
}

export function isWrite({ action }: PlannedEntry): boolean {
  return action === 'create' || action === 'update' || action === 'adopt' || action === 'restore';
}

/** What was refused in this round is not tried again by its later slices. */
export function isSettledInRound(work: SyncWork, { entry }: PlannedEntry): boolean {
  return entry !== undefined && entry.inFlight === null && entry.observed.refusedIn === work.progress.round;
}

/** Conflicts and violations of the plan, and revisions that need no write: ledger only. */
export async function noteUnwritten(work: SyncWork, plan: Plan): Promise<void> {
  const refused = plan.entries
    .filter((one) => one.action === 'invalid' || one.action === 'conflict')
    .map((one) => toRefused(work, one));
  const touched = plan.unchanged.flatMap((one) => toTouched(work, one) ?? []);
  await work.ledger.storeAll([...refused.map((entry) => refusedNow(work, entry)), ...touched]);
}

function toRefused(work: SyncWork, planned: PlannedEntry): LedgerEntry {
  const entry = planned.entry ?? makeEntry(work, planned);
  const { desired, drift } = planned;
  const now = work.run.now();
  if (planned.action === 'invalid') {
    const problem = desired?.problem ?? { code: 'SYNC_ENTRY_INVALID' as const, message: planned.reason };
    return failed(entry, { code: problem.code, message: problemMessage(entry, problem) }, now);
  }
  if (drift && drift !== 'foreign') return drifted(entry, drift, now);
  return conflicting(entry, conflictMessage(entry, planned.reason), now);
}

/** An unchanged entry whose revision, drift or error is out of date; undefined when there is nothing to note. */
function toTouched(work: SyncWork, { entry, desired, drift }: PlannedEntry): LedgerEntry | undefined {
  if (!entry || !desired) return undefined;
  if (drift) return entry.drift === drift ? undefined : drifted(entry, drift, work.run.now());
  const isCurrent = entry.syncedRevision === desired.revision && entry.folderId === work.folder.id;
  if (isCurrent && entry.errorCode === null && entry.drift === null) return undefined;
  const current = { syncedRevision: desired.revision, folderId: work.folder.id };
  return entry.status === 'skipped' ? { ...entry, ...current } : { ...inOrder(entry), ...current };
}

export function makeEntry(work: SyncWork, planned: Pick<PlannedEntry, 'remoteName' | 'key' | 'desired'>): LedgerEntry {
  const origin = {
    id: crypto.randomUUID(),
    syncId: work.sync.id,
    connectionId: work.connection.id,
    folderId: work.folder.id,
    place: work.place,
  };
  const settings = planned.desired?.settings ?? { keyId: null, tags: {} };
  return newEntry(origin, { remoteName: planned.remoteName, key: planned.key, settings });
}

async function writeOne(applying: Applying, planned: PlannedEntry): Promise<void> {
  const { work, slice } = applying;
  const { desired } = planned;
  if (!desired) return;
  // Before anything is awaited: other lanes look at the count.
  slice.countWrite();
  const entry = (planned.entry && work.ledger.get(planned.entry.id)) ?? makeEntry(work, planned);
  try {
    const result = await writeEntry(applying, { planned, desired, entry });
    if (result.kind === 'unchanged' || result.kind === 'invalid' || result.kind === 'deferred') slice.uncountWrite();
    if (result.kind === 'deferred') await storeDeferred(work, entry, result.until);
    slice.note(result);
  } catch (raw) {
    slice.note(await settleThrown(work, [work.ledger.get(entry.id) ?? entry], toJobError(raw)));
  }
}

export async function storeDeferred(work: SyncWork, entry: LedgerEntry, until: Date): Promise<void> {
  await work.ledger.store(deferred(work.ledger.get(entry.id) ?? entry, until));
}

interface Writing {
  readonly planned: PlannedEntry;
  readonly desired: DesiredEntry;
  readonly entry: LedgerEntry;
}

async function writeEntry(
  { work, destination, values }: Applying,
  { planned, desired, entry }: Writing,
): Promise<WriteResult> {
  const read = await values.take(desired);
  // It has left the source since: the change that took it made the sync due again.
  if (!read) return { kind: 'unchanged' };
  if (read.problem) {
    const { code } = read.problem;
    await work.ledger.store(
      refusedNow(work, failed(entry, { code, message: problemMessage(entry, read.problem) }, work.run.now())),
    );
    return { kind: 'invalid' };
  }
  const known = { ...desired, revision: read.revision, fingerprint: read.fingerprint };
  if (
    isOwned(entry) &&
    entry.drift === null &&
    planned.drift === undefined &&
    findChange(known, entry, work.planOptions) === undefined
  ) {
    await work.ledger.store({ ...inOrder(entry), syncedRevision: read.revision, folderId: work.folder.id });
    return { kind: 'unchanged' };
  }
  const task = { ...read, desired: known, planned, entry: { ...entry, connectionId: work.connection.id } };
  const result = await destination.write(task);
  if (isChange(result)) noteRewrite(work, entry, known);
  return result;
}

function isChange({ kind }: WriteResult): boolean {
  return kind === 'created' || kind === 'updated' || kind === 'adopted';
}

/** For the count of writes that nobody asked for. */
export function noteRewrite(work: SyncWork, entry: LedgerEntry, desired: Parameters<typeof isWritten>[1]): void {
  if (isWritten(entry, desired, work.folder.id)) work.run.scope.calls.recordRewrite();
}
