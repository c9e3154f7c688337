/**
 * The drift check: are the owned objects still as they were written? Versions and tags only; no
 * value is read, nothing is written at AWS.
 */
import { drifted, inOrder } from '../../domain/sync/entry.ts';
import { READ_LAG_MS } from '../../domain/sync/inventory.ts';
import { describeDrift } from '../../domain/sync/plan.ts';
import { type DriftKind, isOwned, type LedgerEntry, staysLater, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { toJobError } from '../../errors.ts';
import type { Destination, DriftFinding } from './destinations/destination.ts';
import { isHere, type SyncJob } from './job.ts';
import type { Round } from './progress.ts';

export interface CheckResult {
  readonly checked: number;
  readonly drift: readonly {
    readonly key: string;
    readonly remoteName: string;
    readonly kind: DriftKind;
    readonly detail: string;
  }[];
  /**
   * Since when the tags of every parameter have been read at least once; null while some never
   * were.
   */
  readonly tagsCheckedSince: string | null;
  /** Objects written in the last minutes that this check left out; absent when it left out none. */
  readonly notLookedAt?: number;
}

/**
 * A run that writes afterwards tries conflicting entries anyway; only a check finds out whether
 * they still conflict.
 */
export async function checkDrift(
  round: Round,
  destination: Destination,
  { isCheck, except }: { readonly isCheck: boolean; readonly except?: ReadonlySet<LedgerEntry> },
): Promise<void> {
  const { job } = round;
  const entries = job.ledger
    .all()
    .filter((entry) => isHere(job, entry) && isCheckable(entry) && (isCheck || isOwned(entry)))
    .filter((entry) => except?.has(entry) !== true);
  if (entries.length === 0) return;
  const all = await destination.check(entries);
  const findings = all.filter((finding) => finding.isUndecided !== true);
  const looked = new Set(findings.map(({ entry }) => entry.id));
  const notLookedAt = entries.filter((entry) => entry.key !== WHOLE_SECRET && !looked.has(entry.id)).length;
  const now = job.run.now();
  const hasSeenOwners = findings.every((finding) => finding.isIdentified === true || !isOwned(finding.entry));
  round.advance({ notLookedAt, decidedAt: decidedAt(all), hasSeenOwners });
  await job.ledger.storeAll(findings.flatMap((finding) => toStored(finding, now, job.roundId) ?? []));
}

/** When another check can distinguish drift from a lagging read. */
function decidedAt(findings: readonly DriftFinding[]): string | undefined {
  const writtenMs = findings.flatMap(({ entry, isUndecided }) =>
    isUndecided === true && entry.writtenAt !== null ? [entry.writtenAt.getTime()] : [],
  );
  return writtenMs.length > 0 ? new Date(Math.max(...writtenMs) + READ_LAG_MS + 1).toISOString() : undefined;
}

/**
 * The check of a run that a person asked for. A role may be allowed to write but not to read: then
 * the run continues by the ledger, and its result says so.
 */
export async function lookFirst(round: Round, destination: Destination): Promise<void> {
  try {
    await checkDrift(round, destination, { isCheck: false });
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code !== 'AWS_ACCESS_DENIED') throw error;
    round.advance({ isLookDenied: true });
  }
}

/** What is owned, and conflicts, which may have been cleared away. */
function isCheckable(entry: LedgerEntry): boolean {
  return entry.inFlight === null && (isOwned(entry) || entry.status === 'conflict');
}

/** Undefined when the row says it already. */
function toStored(
  { entry, drift, lastModified, isRowChanged }: DriftFinding,
  now: Date,
  roundId: string,
): LedgerEntry | undefined {
  if (entry.status === 'conflict') return toConflict(entry, drift, roundId);
  if (staysLater(entry, drift)) return undefined;
  if (drift) return entry.drift === drift && !isRowChanged ? undefined : drifted(entry, drift, now);
  const isLearned = lastModified !== undefined && entry.observed.lastModified === undefined;
  const known = isLearned ? { ...entry, observed: { ...entry.observed, lastModified } } : entry;
  if (entry.drift !== null) return { ...(entry.status === 'synced' ? inOrder(known) : known), drift: null };
  return isLearned || isRowChanged ? known : undefined;
}

/** Still taken: nothing is tried in this round. Gone: the name is free to be written. */
function toConflict(entry: LedgerEntry, drift: DriftKind | undefined, roundId: string): LedgerEntry {
  if (drift !== 'missing') return { ...entry, observed: { ...entry.observed, refusedIn: roundId } };
  return { ...entry, status: 'failed', errorCode: null, errorMessage: null };
}

/**
 * The batched read shows who owns a parameter; its other tags, and all of them where that read is
 * denied, are sampled.
 */
function isSampled({ progress }: Pick<Round, 'progress'>, entry: LedgerEntry): boolean {
  return progress.hasSeenOwners !== true || Object.keys(entry.settings.tags).length > 0;
}

export function toCheckResult(round: Round): CheckResult {
  const { job } = round;
  const ours = job.ledger.all().filter((entry) => isHere(job, entry) && isOwned(entry));
  const drift = ours.flatMap(({ key, remoteName, drift: kind }) =>
    kind === null ? [] : [{ key, remoteName, kind, detail: describeDrift(kind) }],
  );
  const sampled = job.target.kind.samplesTags ? ours.filter((entry) => isSampled(round, entry)) : [];
  const seen = sampled.map((entry) => entry.tagsCheckedAt?.toISOString() ?? '').sort();
  const oldest = sampled.length > 0 ? seen[0] : job.run.now().toISOString();
  const { notLookedAt = 0 } = round.progress;
  const checked = ours.filter((entry) => entry.key !== WHOLE_SECRET).length - notLookedAt;
  const tagsCheckedSince = oldest === undefined || oldest === '' || notLookedAt > 0 ? null : oldest;
  return { checked, drift, tagsCheckedSince, ...(notLookedAt > 0 ? { notLookedAt } : {}) };
}

/** The last write of a JSON secret failed, and a read has since found every key in it as wanted. */
export async function clearFailedWholes(job: Pick<SyncJob, 'ledger' | 'place' | 'roundId'>): Promise<void> {
  const isCleared = (entry: LedgerEntry): boolean =>
    entry.key === WHOLE_SECRET &&
    entry.errorCode !== null &&
    entry.inFlight === null &&
    entry.observed.refusedIn !== job.roundId &&
    isHere(job, entry) &&
    isOwned(entry);
  await job.ledger.storeAll(job.ledger.all().filter(isCleared).map(inOrder));
}
