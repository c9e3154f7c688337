/**
 * `sync remove`: deletes what this sync wrote, wherever it lies; with `deleteAfterRemove` the sync
 * itself goes last.
 */
import { comparedAtIn } from '../../domain/installation.ts';
import { listNames } from '../../domain/rotation/waits.ts';
import type { SyncRow } from '../../db/engine/subjects.ts';
import { cutText } from '../../domain/text.ts';
import type { Outcome } from '../../domain/run.ts';
import { objectsOf } from '../../domain/sync/deletion.ts';
import {
  isLater,
  isLeftBehind,
  isOwned,
  isSamePlace,
  type LedgerEntry,
  WHOLE_SECRET,
} from '../../domain/sync/ledger.ts';
import { summarize } from '../../domain/sync/summary.ts';
import { errorTable } from '../../errors.ts';
import { countsOf, endEarly, type SyncEnding } from './endings.ts';
import { compareWithAws, mustCompareWithAws } from './compare.ts';
import type { Destination } from './destinations/destination.ts';
import { openDestination } from './destinations/open.ts';
import { compareFormer } from './former-places.ts';
import { recoverInFlight } from './recovery.ts';
import { openRound, type Round, trackProgress } from './progress.ts';
import { removeEntries } from './removals.ts';
import { createSlice } from './slice.ts';
import type { SyncHead, SyncJob } from './job.ts';

export async function removeAll(head: SyncHead): Promise<SyncEnding> {
  const round = await openRound(head);
  const { job } = round;
  await recoverInFlight(job);
  const destination = openDestination(job, job.target.kind);
  const compared = await compareFirst(round, destination);
  await compareFormer(job);
  const undecided = job.ledger.all().filter((entry) => isOwned(entry) && isLater(entry.drift));
  if (undecided.length > 0) return refused(undecided, compared);
  const removable = job.ledger.all().filter((entry) => isRemovable(job, entry));
  const slice = createSlice(job.run, trackProgress(round, removable.length));
  const isComplete = await removeEntries(job, removable, slice);
  const performed = endEarly(round, { slice, isComplete, drift: 'unknown' }) ?? (await end(round));
  return { ...performed, changes: { ...performed.changes, ...compared } };
}

/**
 * In a new epoch the ledger may be older than AWS: no deletion before that is known, once for all
 * slices.
 */
async function compareFirst(round: Round, destination: Destination): Promise<Partial<SyncRow>> {
  const { installation, run } = round.job;
  if (!mustCompareWithAws(round.job)) return {};
  if (round.progress.isChecked !== true) await compareWithAws(round, destination);
  round.advance({ isChecked: true });
  return { comparedAt: comparedAtIn(installation.epochStartedAt, run.now()) };
}

/**
 * What keyferry wrote after the backup is deleted only once a person has decided which side counts.
 */
function refused(undecided: readonly LedgerEntry[], compared: Partial<SyncRow>): SyncEnding {
  const names = listNames([...new Set(undecided.map((entry) => entry.remoteName))]);
  const message = `Nothing was deleted: ${names} differ from what this database knows, which was restored or failed over. To keep what AWS holds, run the sync with \`acceptDestination: true\`; to write the folder’s values, run the sync with \`acceptSource: true\`; then remove again.`;
  return {
    outcome: { status: 'blocked', code: 'SYNC_DRIFTED', message: cutText(message, 500) },
    changes: { progress: null, drift: 'drifted', ...compared },
    leavesWish: true,
  };
}

function isRemovable(job: Pick<SyncJob, 'ledger' | 'roundId'>, entry: LedgerEntry): boolean {
  if (!isOwned(entry) || entry.observed.refusedIn === job.roundId) return false;
  // A JSON secret goes with its keys; one that holds none of them goes by itself.
  return entry.key !== WHOLE_SECRET || !job.ledger.all().some((one) => isOwned(one) && isKeyOf(entry, one));
}

function isKeyOf(whole: LedgerEntry, entry: LedgerEntry): boolean {
  return entry.key !== WHOLE_SECRET && entry.remoteName === whole.remoteName && isSamePlace(entry, whole);
}

async function end(round: Round): Promise<SyncEnding> {
  const { job } = round;
  const outcome = toOutcome(round);
  if (job.parameters.deleteAfterRemove === true && outcome.status === 'succeeded') {
    const ending = { counts: countsOf(round), awsCalls: job.run.scope.calls.counts };
    const isGone = await job.deps.entries.deleteSync({ syncId: job.sync.id, runId: job.run.id, ...ending });
    if (isGone) return { outcome, hasSettledItself: true };
  }
  return { outcome, changes: { progress: null, syncedRevision: null, syncedVersion: null, drift: 'unknown' } };
}

/** Succeeded only when nothing of this sync is left at AWS, as far as the ledger knows. */
function toOutcome({ job, progress }: Round): Outcome {
  const rows = job.ledger.all();
  const isRefusedNow = (entry: LedgerEntry) => entry.status === 'conflict' && entry.observed.refusedIn === job.roundId;
  const stays = rows.filter((entry) => isOwned(entry) || entry.inFlight !== null || isRefusedNow(entry));
  const left = rows.filter(isLeftBehind);
  const remaining = [...stays, ...left];
  const result = remaining.length > 0 ? { leftBehind: objectsOf(remaining) } : undefined;
  const verdict = summarize(stays, progress.changes, result);
  if (verdict.status === 'failed') return { ...verdict, status: 'partial' };
  if (verdict.status !== 'succeeded') return verdict;
  if (stays.length > 0) return { ...verdict, status: 'partial', ...told('SYNC_STILL_OWNED') };
  return left.length > 0 ? { ...verdict, status: 'partial', ...told('SYNC_LEFT_BEHIND') } : verdict;
}

function told(code: 'SYNC_STILL_OWNED' | 'SYNC_LEFT_BEHIND') {
  const { message, nextStep } = errorTable[code];
  return { code, message: `${message} ${nextStep}` };
}
