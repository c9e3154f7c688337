/**
 * In a new epoch: what this sync still owns where it wrote before it moved, to another account,
 * region, path or mapping. The ledger wants it deleted, but may be older than AWS. Each object is
 * compared once before its deletion, also when its connection becomes valid later than the sync's.
 */
import { comparedAtIn } from '../../domain/installation.ts';
import { drifted, inOrder, removed } from '../../domain/sync/entry.ts';
import { isLater, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { isDecided, isLaterObject } from '../../domain/sync/plan.ts';
import type { DriftFinding } from './destinations/destination.ts';
import { findFormer, groupByPlace } from './places.ts';
import type { SyncJob } from './job.ts';

export async function compareFormer(job: SyncJob): Promise<void> {
  const open = findFormer(job).filter((entry) => mustLook(job, entry));
  if (open.length === 0) return;
  const { groups } = await groupByPlace(job, open);
  for (const { destination, entries } of groups) {
    const findings = await destination.check(entries);
    const known = findings.filter((finding) => finding.isUndecided !== true);
    await job.ledger.storeAll(known.map((finding) => toCompared(job, finding)));
  }
}

/** Whether only a person may let it be deleted, and nobody has. */
export function isKept({ planOptions }: Pick<SyncJob, 'planOptions'>, entry: LedgerEntry): boolean {
  return isLaterObject(entry) && !isDecided(planOptions, entry);
}

/** Last seen in an earlier epoch, or waiting for a person, who may have deleted it. */
function mustLook({ installation: { epochStartedAt } }: Pick<SyncJob, 'installation'>, entry: LedgerEntry): boolean {
  if (isLater(entry.drift)) return true;
  if (epochStartedAt === null) return false;
  const seenMs = Math.max(entry.writtenAt?.getTime() ?? 0, entry.checkedAt?.getTime() ?? 0);
  return seenMs < epochStartedAt.getTime();
}

function toCompared(job: Pick<SyncJob, 'run' | 'installation' | 'sync'>, { entry, drift }: DriftFinding): LedgerEntry {
  const now = job.run.now();
  const checkedAt = comparedAtIn(job.installation.epochStartedAt, now);
  switch (drift) {
    case 'missing':
    case 'scheduled-for-deletion':
      return removed(entry, now);
    case 'foreign':
      return drifted(entry, drift, checkedAt);
    case 'changed':
    case 'type':
      return { ...drifted(entry, 'later-write', checkedAt), errorMessage: textOf(entry) };
    default:
      // Settings do not matter any more.
      return { ...(isLater(entry.drift) ? inOrder(entry) : entry), checkedAt };
  }
}

function textOf({ key, remoteName, accountId, region }: LedgerEntry): string {
  const what = key === WHOLE_SECRET || key === remoteName ? remoteName : `${key} (${remoteName})`;
  return `${what} in account ${accountId}, ${region}, was written after this database was backed up, and the sync does not write there today. To delete it, run the sync with \`acceptSource: true\`; to keep it, point the sync there again.`;
}
