/** Turns the ledger after a run into what the run reports. Pure. */
import { cutText } from '../text.ts';
import type { Outcome, RunCounts } from '../run.ts';
import { isOwned, type LedgerEntry, WHOLE_SECRET } from './ledger.ts';
import type { PlannedEntry } from './plan.ts';

/** What a plan shows to people: names and reasons, never a value. */
export interface ShownChange {
  readonly action: string;
  readonly key: string;
  readonly remoteName: string;
  readonly reason: string;
}

export function toShown(planned: PlannedEntry): ShownChange {
  const { action, key, remoteName, reason } = planned;
  return { action, key, remoteName, reason };
}

/** What the run changed; problems are read from the ledger. */
export type ChangeCounts = Pick<RunCounts, 'created' | 'updated' | 'deleted' | 'adopted'>;

export const noChanges: ChangeCounts = { created: 0, updated: 0, deleted: 0, adopted: 0 };

export function addChanges(a: ChangeCounts, b: ChangeCounts): ChangeCounts {
  return {
    created: a.created + b.created,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
    adopted: a.adopted + b.adopted,
  };
}

/** Longer messages are cut: the entries hold them in full. */
const MAX_MESSAGE = 500;

export function summarize(ledger: readonly LedgerEntry[], changes: ChangeCounts, result?: unknown): Outcome {
  const told = result === undefined ? {} : { result };
  const troubles = findTroubles(ledger);
  const counts = countEntries(ledger, troubles, changes);
  const [first] = troubles;
  if (!first) return { status: 'succeeded', counts, ...told };
  const codes = new Set(troubles.map((entry) => entry.errorCode));
  const code = codes.size === 1 ? String(first.errorCode) : 'SYNC_PARTIAL';
  const isNothingInPlace = !ledger.some((entry) => isOwned(entry) && entry.key !== WHOLE_SECRET);
  // A permission that no probe can try: the first real calls found it missing, and granting it
  // lifts the block.
  const isBlocked = isNothingInPlace && code === 'AWS_ACCESS_DENIED';
  return {
    status: isBlocked ? 'blocked' : isNothingInPlace ? 'failed' : 'partial',
    code,
    message: describeTroubles(troubles),
    counts,
    ...told,
  };
}

/**
 * A JSON secret is written as one. The result of the write replaces what the check before it found:
 * all drift if the write as a whole was refused, the lost tag if its keys were.
 */
function findTroubles(ledger: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const troubles = ledger.filter((entry) => entry.errorCode !== null && entry.deletedAt === null);
  const met = troubles.filter((entry) => entry.errorCode !== 'SYNC_DRIFTED');
  const documents = new Set(ledger.filter((entry) => entry.key === WHOLE_SECRET).map((entry) => entry.remoteName));
  const isReplaced = ({ errorCode, remoteName, drift }: LedgerEntry) =>
    errorCode === 'SYNC_DRIFTED' &&
    documents.has(remoteName) &&
    met.some((one) => one.remoteName === remoteName && (one.key === WHOLE_SECRET || drift === 'foreign'));
  return troubles.filter((entry) => !isReplaced(entry));
}

function countEntries(
  ledger: readonly LedgerEntry[],
  troubles: readonly LedgerEntry[],
  changes: ChangeCounts,
): RunCounts {
  const isConflict = (entry: LedgerEntry) => entry.errorCode === 'SYNC_CONFLICT' || entry.errorCode === 'SYNC_DRIFTED';
  const conflicts = troubles.filter(isConflict).length;
  const inPlace = ledger.filter(
    (entry) => entry.key !== WHOLE_SECRET && isOwned(entry) && entry.errorCode === null,
  ).length;
  const unchanged = Math.max(0, inPlace - changes.created - changes.updated - changes.adopted);
  return { ...changes, unchanged, conflicts, failed: troubles.length - conflicts };
}

function describeTroubles(troubles: readonly LedgerEntry[]): string {
  const more = troubles.length === 1 ? '' : ` And ${troubles.length - 1} more: see \`keyferry sync show\`.`;
  const text = troubles[0]?.errorMessage ?? '';
  const room = MAX_MESSAGE - more.length;
  return `${text.length <= room ? text : `${cutText(text, room - 1)}…`}${more}`;
}
