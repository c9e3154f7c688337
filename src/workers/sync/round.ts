/**
 * One run of a sync, as far as a slice goes:
 *
 *   head (rows) → nothing to do? → job (ledger, source) → recover what was in flight
 *     → import (first sync) → check (drift) → survey values → plan → brake → permissions
 *     → writes → deletions → summary
 *
 * A run that ends early leaves its place in `progress` and in the ledger; the next one takes the
 * same way and finds most of it done.
 */
import { comparedAtIn } from '../../domain/installation.ts';
import { noCounts } from '../../domain/run.ts';
import { objectsOf } from '../../domain/sync/deletion.ts';
import { isLeftBehind, isOwned, type LedgerEntry, stateOf, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { nameKey, type Plan } from '../../domain/sync/plan.ts';
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
import { createRound, openRound, type Round, trackProgress } from './progress.ts';
import { isScheduled, looksFirst, type Purpose } from './purpose.ts';
import { removeGone } from './removals.ts';
import { confirmReplicas } from './replicas.ts';
import { createSlice, type Slice } from './slice.ts';
import { openJob, type SyncHead, type SyncJob } from './job.ts';

/**
 * The outcome of a run that has nothing to do by revisions alone; undefined for every other run.
 */
export function unchanged(run: Run<'sync'>): SyncEnding | undefined {
  const isWish = run.kind === 'sync' && run.requestKind !== 'check' && !looksFirst(run) && !isScheduled(run);
  if (!isWish || run.unchangedEntries === undefined) return undefined;
  return {
    outcome: { status: 'succeeded', counts: { ...noCounts, unchanged: run.unchangedEntries } },
    changes: { lastSyncedAt: run.now() },
    isUnchanged: true,
  };
}

export interface RoundTools {
  readonly permissions: PermissionCache;
  readonly memory: SyncMemory;
}

export async function performRound(head: SyncHead, purpose: Purpose, tools: RoundTools): Promise<SyncEnding> {
  const opened = await openRound(head, tools.memory.take(head.run, head.folder.revision));
  if (purpose.isGuarded !== true && (await recoverInFlight(opened.job))) opened.advance({ hasRecovered: true });
  const compared = await lookAtAws(opened, purpose);
  if (purpose.isCheck && !purpose.mayWrite) {
    const checked = await endRound(opened, { isCheck: true });
    return { ...checked, changes: { ...checked.changes, ...compared }, leavesWish: true };
  }
  const round = await importFirst(opened, head);
  const performed = await carryOut(round, {
    destination: openDestination(round.job, round.job.target.kind),
    purpose,
    cache: tools.permissions,
  });
  if (performed.outcome.status === 'continued') tools.memory.keep(round.job);
  return { ...performed, changes: { ...performed.changes, ...compared } };
}

/**
 * Once a round: the comparison of a new epoch, a drift check, or the check of a run that a person
 * asked for.
 */
async function lookAtAws(round: Round, purpose: Purpose): Promise<Partial<SyncRow>> {
  const { job } = round;
  const mustCompare = purpose.isGuarded !== true && mustCompareWithAws(job);
  const mustLook = purpose.isCheck || mustCompare || looksFirst(job.run);
  if (mustLook && round.progress.isChecked !== true) {
    const destination = openDestination(job, job.target.kind);
    if (mustCompare) await compareWithAws(round, destination);
    else await (purpose.isCheck ? checkDrift(round, destination, purpose) : lookFirst(round, destination));
    round.advance({ isChecked: true });
  }
  return mustCompare ? { comparedAt: comparedAtIn(job.installation.epochStartedAt, job.run.now()) } : {};
}

/**
 * The first run may import what the destination holds; no later run repeats it, however the first
 * one ended.
 */
async function importFirst(round: Round, head: SyncHead): Promise<Round> {
  const { job } = round;
  const { initialSyncBehavior } = job.options;
  const { lastSyncedAt, initialImportAt } = job.sync;
  if (lastSyncedAt !== null || initialImportAt !== null || initialSyncBehavior === 'overwrite-destination')
    return round;
  const imported = await importSecrets(job, {
    behavior: initialSyncBehavior === 'import-prioritize-source' ? 'prioritize-source' : 'prioritize-destination',
    isInitial: true,
  });
  const folder = await job.deps.source.folder(job.sync);
  round.advance({ revision: folder.revision, initialImport: shortenImport(imported) });
  return createRound(await openJob({ ...head, folder }, { roundId: job.roundId }), round.progress);
}

interface Carrying {
  readonly destination: Destination;
  readonly purpose: Purpose;
  readonly cache: PermissionCache;
}

async function carryOut(round: Round, { destination, purpose, cache }: Carrying): Promise<SyncEnding> {
  const { job } = round;
  const desired = round.progress.isSurveyed === true ? job.desired : await surveyDesired(job);
  round.advance({ isSurveyed: true });
  const plan = makePlan(job, desired);
  const block = round.progress.isConfirmed === true ? undefined : findPlanBlock(job, plan);
  if (block) return blocked(round, { code: block.code, message: block.message }, { deletions: block.deletions });
  if (plan.entries.some((one) => one.action === 'delete')) round.advance({ isConfirmed: true });
  const permissions = await findPermissions(job, plan, cache);
  if (permissions.missing.length > 0) return missingPermissions(round, permissions);
  await noteUnwritten(job, plan);
  const slice = createSlice(job.run, trackProgress(round, countRemaining(job, plan)));
  const isComplete = await applyPlan(job, { plan, destination, slice, permissions });
  return endEarly(round, { slice, isComplete, drift: driftOf(round) }) ?? endRound(round, purpose);
}

function countRemaining(job: Pick<SyncJob, 'roundId'>, plan: Plan): number {
  return plan.entries.filter((one) => (isWrite(one) || one.action === 'delete') && !isSettledInRound(job, one)).length;
}

const noPermissions: Permissions = { missing: [], statements: [], canPromote: false };

async function findPermissions(job: SyncJob, plan: Plan, cache: PermissionCache): Promise<Permissions> {
  const writes = plan.entries.some((one) => isWrite(one) || one.action === 'delete');
  return writes ? probePermissions(job, cache) : noPermissions;
}

interface Applying {
  readonly plan: Plan;
  readonly destination: Destination;
  readonly slice: Slice;
  readonly permissions: Permissions;
}

/** Returns false when the slice ended before the plan did. */
async function applyPlan(job: SyncJob, { plan, destination, slice, permissions }: Applying): Promise<boolean> {
  const { canPromote } = permissions;
  const { isComplete, deletions, held } = await destination.apply(plan, { slice, canPromote });
  return isComplete && (await removeGone(job, deletions, slice)) && settleHeld(job, held, slice);
}

function blocked(round: Round, why: { readonly code: string; readonly message: string }, result: unknown): SyncEnding {
  return { outcome: { status: 'blocked', ...why, result }, changes: { progress: null, drift: driftOf(round) } };
}

function missingPermissions(round: Round, { missing, statements }: Permissions): SyncEnding {
  const message = `The connection lacks ${missing.join(', ')}; nothing was written. Validate it (\`keyferry connection validate ${round.job.connection.name}\`): its checks have the statements to add.`;
  return blocked(round, { code: 'AWS_ACCESS_DENIED', message: cutText(message, 500) }, { missing, statements });
}

const MAX_REPLICA_LOOKS = 8;
const REPLICATION_MS = 15_000;

/** The round is over: the ledger is the verdict. */
async function endRound(round: Round, { isCheck }: Pick<Purpose, 'isCheck'>): Promise<SyncEnding> {
  const { job } = round;
  const secondLookAt = findSecondLook(round);
  if (secondLookAt) return toContinued(round, secondLookAt);
  if (await confirmReplicas(job)) {
    const { replicaLooks = 0 } = round.progress;
    round.advance({ replicaLooks: replicaLooks + 1 });
    // What takes longer is left to the next drift check.
    if (replicaLooks < MAX_REPLICA_LOOKS) return toContinued(round, new Date(job.run.now().getTime() + REPLICATION_MS));
  }
  if (driftOf(round) === 'none' && hasSeenAll(round) && isEverythingWritten(job)) await clearFailedWholes(job);
  await noteConfirmed(job);
  await tidy(job);
  const now = job.run.now();
  const outcome = summarize(job.ledger.all(), round.progress.changes, toResult(round, { isCheck }));
  const isInPlace = outcome.status === 'succeeded' && isEverythingWritten(job);
  const isRefused = outcome.status === 'failed' || outcome.status === 'blocked';
  return {
    outcome,
    hasRecovered: round.progress.hasRecovered === true,
    changes: {
      progress: null,
      drift: driftOf(round),
      ...(isCheck ? { lastCheckedAt: now } : {}),
      ...(isInPlace ? { syncedRevision: job.folder.revision, syncedVersion: job.sync.version } : {}),
      ...(isRefused || (isCheck && !isInPlace) ? {} : { lastSyncedAt: now }),
    },
  };
}

/**
 * A run that a person asks for waits once, for at most a minute, until it can distinguish a
 * deletion from a lagging read.
 */
function findSecondLook(round: Round): Date | undefined {
  const { decidedAt, hasWaitedForReads } = round.progress;
  if (!looksFirst(round.job.run) || decidedAt === undefined || hasWaitedForReads === true) return undefined;
  round.advance({ isChecked: false, hasWaitedForReads: true });
  return new Date(decidedAt);
}

/** A check that only reports may find a source that is ahead. */
function isEverythingWritten(job: Pick<SyncJob, 'ledger' | 'desired'>): boolean {
  const rows = new Map(job.ledger.all().map((entry) => [nameKey(entry), entry]));
  return job.desired.every((desired) => rows.get(nameKey(desired))?.syncedRevision === desired.revision);
}

function toResult(round: Round, { isCheck }: { isCheck: boolean }): unknown {
  const leftBehind = objectsOf(round.job.ledger.all().filter(isLeftBehind));
  const { isLookDenied, notLookedAt = 0, initialImport } = round.progress;
  const result = {
    ...initialImport,
    ...(notLookedAt > 0 ? { notLookedAt } : {}),
    ...(isLookDenied === true ? { isLookDenied } : {}),
    ...(isCheck ? toCheckResult(round) : {}),
    ...(leftBehind.length > 0 ? { leftBehind } : {}),
  };
  return Object.keys(result).length > 0 ? result : undefined;
}

function hasSeenAll({ progress }: Pick<Round, 'progress'>): boolean {
  return progress.isChecked === true && (progress.notLookedAt ?? 0) === 0 && progress.isLookDenied !== true;
}

function driftOf(round: Round): SyncRow['drift'] {
  const { job, progress } = round;
  if (job.ledger.all().some((entry) => entry.drift !== null && entry.deletedAt === null)) return 'drifted';
  if (progress.isLookDenied === true) return 'unknown';
  const isKnown = hasSeenAll(round) || job.sync.drift !== 'unknown' || job.sync.syncedRevision === null;
  return isKnown ? 'none' : 'unknown';
}

/** Deleted secrets can be restored for 30 days; after that nothing needs their rows. */
const FORGET_AFTER_MS = 31 * 86_400_000;

/**
 * Rows that are no longer needed: refusals and imports of names that are no longer wanted,
 * deletions of long ago.
 */
async function tidy(job: Pick<SyncJob, 'ledger' | 'desired' | 'run' | 'roundId'>): Promise<void> {
  const wanted = new Set(job.desired.map(nameKey));
  const now = job.run.now().getTime();
  const isStale = (entry: LedgerEntry) => {
    if (entry.deletedAt) return now - entry.deletedAt.getTime() > FORGET_AFTER_MS;
    const isImported = stateOf(entry) === 'imported';
    const isRefused = entry.status === 'failed' || entry.status === 'conflict';
    return (
      (isRefused || isImported) &&
      // A refusal in this round is reported once, even if the name is no longer wanted.
      entry.observed.refusedIn !== job.roundId &&
      entry.key !== WHOLE_SECRET &&
      !isOwned(entry) &&
      !entry.inFlight &&
      !wanted.has(nameKey(entry))
    );
  };
  await job.ledger.forget(job.ledger.all().filter(isStale));
}
