/**
 * One run of a sync, as far as a slice goes:
 *
 *   head (rows) → nothing to do? → work (ledger, source) → recover what was in flight → import (first sync) → check (drift)
 *     → survey values → plan → brake → permissions → writes → deletions → summary
 *
 * A run that ends early leaves its place in `progress` and in the ledger; the next one takes the same way and finds most of it done.
 */
import { comparedAtIn } from '../../domain/installation.ts';
import { noCounts } from '../../domain/run.ts';
import { isOwned, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import type { Plan } from '../../domain/sync/plan.ts';
import { summarize } from '../../domain/sync/summary.ts';
import { cutText } from '../../domain/text.ts';
import type { SyncRow } from '../../db/engine/subjects.ts';
import type { Run } from '../engine/processor.ts';
import { isSettledInRound, isWrite, noteUnwritten } from './apply.ts';
import { checkDrift, clearFailedWholes, lookFirst, toCheckResult } from './check.ts';
import { compareWithAws, mustCompareWithAws } from './compare.ts';
import type { Destination } from './destinations/destination.ts';
import { endEarly, type SyncEnding, toContinued } from './endings.ts';
import { settleHeld } from './held-names.ts';
import { importSecrets } from './import.ts';
import { shortenImport } from '../../domain/sync/import-result.ts';
import { type PermissionCache, type Permissions, probePermissions } from './permissions.ts';
import { openDestination } from './destinations/open.ts';
import { findPlanBlock, makePlan, noteConfirmed, surveyDesired } from './planning.ts';
import type { SyncMemory } from './memory.ts';
import { recoverInFlight } from './recovery.ts';
import { trackProgress } from './progress.ts';
import { removeGone } from './removals.ts';
import { confirmReplicas } from './replicas.ts';
import { createSlice, type Slice } from './slice.ts';
import { openWork, type SyncHead, type SyncWork } from './work.ts';

/** What the round is for. */
export interface Purpose {
  readonly isCheck: boolean;
  /** False: the drift check only reports. */
  readonly mayWrite: boolean;
  /** True: nothing may change at AWS, not even to finish a write whose answer was lost. */
  readonly isGuarded?: boolean;
}

/** A manual or paused sync writes only for a request to sync. Whatever else makes it due leads to a drift check that only reports. */
export function purposeOf({ run, sync }: Pick<SyncHead, 'run' | 'sync'>): Purpose {
  if (run.requestKind !== undefined) {
    const isCheck = run.requestKind !== 'sync';
    return { isCheck, mayWrite: !isCheck };
  }
  const isAutomatic = sync.isAutoSyncEnabled && sync.pausedAt === null;
  return { isCheck: isScheduled(run) || !isAutomatic, mayWrite: isAutomatic };
}

/**
 * Whoever asks for a sync through the CLI, the API or the library expects it to repair drift that no check has seen
 * yet. A run that the queue or a change wakes does not look.
 */
function looksFirst({ requestKind, isDirect }: Run<'sync'>): boolean {
  return requestKind === 'sync' && isDirect;
}

function isScheduled({ reason, subject }: Run<'sync'>): boolean {
  return reason === 'scheduled' && subject.wantedRevision === subject.doneRevision;
}

/** What a run that need not look at anything found, by revisions alone; undefined for every other run. */
export function unchanged(run: Run<'sync'>): SyncEnding | undefined {
  const isWish = run.kind === 'sync' && run.requestKind !== 'check' && !looksFirst(run) && !isScheduled(run);
  if (!isWish || run.unchangedEntries === undefined) return undefined;
  return {
    outcome: { status: 'succeeded', counts: { ...noCounts, unchanged: run.unchangedEntries } },
    changes: { lastSyncedAt: run.now() },
  };
}

export interface RoundTools {
  readonly permissions: PermissionCache;
  readonly memory: SyncMemory;
}

export async function performRound(head: SyncHead, purpose: Purpose, tools: RoundTools): Promise<SyncEnding> {
  let work = await openWork(head, tools.memory.take(head.run, head.folder.revision));
  if (purpose.isGuarded !== true && (await recoverInFlight(work)))
    work.progress = { ...work.progress, hasRecovered: true };
  const destination = openDestination(work, work.target.kind);
  const mustCompare = purpose.isGuarded !== true && mustCompareWithAws(work);
  const mustLook = purpose.isCheck || mustCompare || looksFirst(work.run);
  if (mustLook && work.progress.isChecked !== true) {
    if (mustCompare) await compareWithAws(work, destination);
    else await (purpose.isCheck ? checkDrift(work, destination, purpose) : lookFirst(work, destination));
    work.progress = { ...work.progress, isChecked: true };
  }
  const compared = mustCompare ? { comparedAt: comparedAtIn(work.installation.epochStartedAt, work.run.now()) } : {};
  if (purpose.isCheck && !purpose.mayWrite) {
    const checked = await endRound(work, { isCheck: true });
    return { ...checked, changes: { ...checked.changes, ...compared }, leavesWish: true };
  }
  work = await importFirst(work, head);
  const performed = await carryOut(work, {
    destination: openDestination(work, work.target.kind),
    purpose,
    cache: tools.permissions,
  });
  if (performed.outcome.status === 'continued') tools.memory.keep(work);
  return { ...performed, changes: { ...performed.changes, ...compared } };
}

/** The first run may import what the destination holds; no later run repeats it, however the first one ended. */
async function importFirst(work: SyncWork, head: SyncHead): Promise<SyncWork> {
  const { initialSyncBehavior } = work.options;
  const { lastSyncedAt, initialImportAt } = work.sync;
  if (lastSyncedAt !== null || initialImportAt !== null || initialSyncBehavior === 'overwrite-destination') return work;
  const imported = await importSecrets(work, {
    behavior: initialSyncBehavior === 'import-prioritize-source' ? 'prioritize-source' : 'prioritize-destination',
    isInitial: true,
  });
  const folder = await work.deps.source.folder(work.sync);
  const progress = { ...work.progress, revision: folder.revision, initialImport: shortenImport(imported) };
  return { ...(await openWork({ ...head, folder })), progress };
}

interface Carrying {
  readonly destination: Destination;
  readonly purpose: Purpose;
  readonly cache: PermissionCache;
}

async function carryOut(work: SyncWork, { destination, purpose, cache }: Carrying): Promise<SyncEnding> {
  const desired = work.progress.isSurveyed === true ? work.desired : await surveyDesired(work);
  work.progress = { ...work.progress, isSurveyed: true };
  const plan = makePlan(work, desired);
  const block = work.progress.isConfirmed === true ? undefined : findPlanBlock(work, plan);
  if (block) return blocked(work, { code: block.code, message: block.message }, { deletions: block.deletions });
  if (plan.entries.some((one) => one.action === 'delete')) work.progress = { ...work.progress, isConfirmed: true };
  const permissions = await findPermissions(work, plan, cache);
  if (permissions.missing.length > 0) return missingPermissions(work, permissions);
  await noteUnwritten(work, plan);
  const slice = createSlice(work.run, trackProgress(work, countRemaining(work, plan)));
  const isComplete = await applyPlan(work, { plan, destination, slice, permissions });
  return endEarly(work, { slice, isComplete, drift: driftOf(work) }) ?? endRound(work, purpose);
}

function countRemaining(work: SyncWork, plan: Plan): number {
  return plan.entries.filter((one) => (isWrite(one) || one.action === 'delete') && !isSettledInRound(work, one)).length;
}

const noPermissions: Permissions = { missing: [], statements: [], canPromote: false };

async function findPermissions(work: SyncWork, plan: Plan, cache: PermissionCache): Promise<Permissions> {
  const writes = plan.entries.some((one) => isWrite(one) || one.action === 'delete');
  return writes ? probePermissions(work, cache) : noPermissions;
}

interface Applying {
  readonly plan: Plan;
  readonly destination: Destination;
  readonly slice: Slice;
  readonly permissions: Permissions;
}

/** Returns false when the slice ended before the plan did. */
async function applyPlan(work: SyncWork, { plan, destination, slice, permissions }: Applying): Promise<boolean> {
  const { canPromote } = permissions;
  const { isComplete, deletions, held } = await destination.apply(plan, { slice, canPromote });
  return isComplete && (await removeGone(work, deletions, slice)) && settleHeld(work, held, slice);
}

function blocked(
  work: SyncWork,
  why: { readonly code: string; readonly message: string },
  result: unknown,
): SyncEnding {
  return { outcome: { status: 'blocked', ...why, result }, changes: { progress: null, drift: driftOf(work) } };
}

function missingPermissions(work: SyncWork, { missing, statements }: Permissions): SyncEnding {
  const message = `The connection lacks ${missing.join(', ')}; nothing was written. Add to its policy: ${JSON.stringify(statements)}`;
  return blocked(work, { code: 'AWS_ACCESS_DENIED', message: cutText(message, 2_000) }, { missing, statements });
}

const MAX_REPLICA_LOOKS = 8;
const REPLICATION_MS = 15_000;

/** The round is over: what stands in the ledger is the verdict. */
async function endRound(work: SyncWork, { isCheck }: Pick<Purpose, 'isCheck'>): Promise<SyncEnding> {
  const secondLookAt = findSecondLook(work);
  if (secondLookAt) return toContinued(work, secondLookAt);
  if (await confirmReplicas(work)) {
    const { replicaLooks = 0 } = work.progress;
    work.progress = { ...work.progress, replicaLooks: replicaLooks + 1 };
    // What takes longer is looked at by the next drift check.
    if (replicaLooks < MAX_REPLICA_LOOKS) return toContinued(work, new Date(work.run.now().getTime() + REPLICATION_MS));
  }
  if (driftOf(work) === 'none' && hasSeenAll(work) && isEverythingWritten(work)) await clearFailedWholes(work);
  await noteConfirmed(work);
  await tidy(work);
  const now = work.run.now();
  const outcome = summarize(work.ledger.all(), work.progress.changes, toResult(work, { isCheck }));
  const isInPlace = outcome.status === 'succeeded' && isEverythingWritten(work);
  const isRefused = outcome.status === 'failed' || outcome.status === 'blocked';
  return {
    outcome,
    hasRecovered: work.progress.hasRecovered === true,
    changes: {
      progress: null,
      drift: driftOf(work),
      ...(isCheck ? { lastCheckedAt: now } : {}),
      ...(isInPlace ? { syncedRevision: work.folder.revision, syncedVersion: work.sync.version } : {}),
      ...(isRefused || (isCheck && !isInPlace) ? {} : { lastSyncedAt: now }),
    },
  };
}

/** A run that a person asks for waits once, for at most a minute, until it can tell a deletion from a read that lags. */
function findSecondLook(work: SyncWork): Date | undefined {
  const { decidedAt, hasWaitedForReads } = work.progress;
  if (!looksFirst(work.run) || decidedAt === undefined || hasWaitedForReads === true) return undefined;
  work.progress = { ...work.progress, isChecked: false, hasWaitedForReads: true };
  return new Date(decidedAt);
}

/** A check that only reports may find a source that is ahead. */
function isEverythingWritten(work: SyncWork): boolean {
  const rows = new Map(work.ledger.all().map((entry) => [`${entry.remoteName}\n${entry.key}`, entry]));
  return work.desired.every(
    (desired) => rows.get(`${desired.remoteName}\n${desired.key}`)?.syncedRevision === desired.revision,
  );
}

function toResult(work: SyncWork, { isCheck }: { isCheck: boolean }): unknown {
  const leftBehind = work.ledger
    .all()
    .filter(
      (entry) =>
        entry.status === 'skipped' && entry.remoteVersion !== null && !entry.isClaim && entry.checkedAt !== null,
    );
  const names = leftBehind.map(({ remoteName, region, accountId }) => ({ remoteName, region, accountId }));
  const { isLookDenied, notLookedAt = 0, initialImport } = work.progress;
  const result = {
    ...initialImport,
    ...(notLookedAt > 0 ? { notLookedAt } : {}),
    ...(isLookDenied === true ? { isLookDenied } : {}),
    ...(isCheck ? toCheckResult(work) : {}),
    ...(names.length > 0 ? { leftBehind: names } : {}),
  };
  return Object.keys(result).length > 0 ? result : undefined;
}

function hasSeenAll({ progress }: SyncWork): boolean {
  return progress.isChecked === true && (progress.notLookedAt ?? 0) === 0 && progress.isLookDenied !== true;
}

function driftOf(work: SyncWork): SyncRow['drift'] {
  if (work.ledger.all().some((entry) => entry.drift !== null && entry.deletedAt === null)) return 'drifted';
  if (work.progress.isLookDenied === true) return 'unknown';
  const isKnown = hasSeenAll(work) || work.sync.drift !== 'unknown' || work.sync.syncedRevision === null;
  return isKnown ? 'none' : 'unknown';
}

/** Deleted secrets can be restored for 30 days; after that nothing needs their rows. */
const FORGET_AFTER_MS = 31 * 86_400_000;

/** Rows that say nothing any more: refusals and imports of names that are no longer wanted, deletions of long ago. */
async function tidy(work: SyncWork): Promise<void> {
  const wanted = new Set(work.desired.map((desired) => `${desired.remoteName}\n${desired.key}`));
  const now = work.run.now().getTime();
  const isStale = (entry: LedgerEntry) => {
    if (entry.deletedAt) return now - entry.deletedAt.getTime() > FORGET_AFTER_MS;
    // A skipped row that was looked at is what stays behind somewhere; it goes on being told.
    const isImported = entry.status === 'skipped' && entry.checkedAt === null;
    const isRefused = entry.status === 'failed' || entry.status === 'conflict';
    return (
      (isRefused || isImported) &&
      // What this round was refused is reported once, though nobody wants the name any more.
      entry.observed.refusedIn !== work.progress.round &&
      entry.key !== WHOLE_SECRET &&
      !isOwned(entry) &&
      !entry.inFlight &&
      !wanted.has(`${entry.remoteName}\n${entry.key}`)
    );
  };
  await work.ledger.forget(work.ledger.all().filter(isStale));
}
