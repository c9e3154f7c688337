/**
 * From the job to its plan: values are read where the ledger does not prove them, the pure plan is
 * made, the brake is checked.
 */
import { defined } from '../../domain/defined.ts';
import { type Block, BRAKE_WINDOW_MS, findBlock } from '../../domain/sync/brake.ts';
import type { DesiredEntry } from '../../domain/sync/desired.ts';
import type { Inventory, RemoteState } from '../../domain/sync/inventory.ts';
import { isOwned, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { findChange, nameKey, type Plan, type PlanInput, planSync } from '../../domain/sync/plan.ts';
import { planDocument } from '../../domain/sync/plan-document.ts';
import { survey, type ValueSource } from './values.ts';
import { isHere, type SyncJob } from './job.ts';

/** What a plan may know of the destination. */
export interface KnownDestination {
  readonly inventory?: Inventory;
  /** Keys inside the JSON secret. */
  readonly documentKeys?: ReadonlySet<string>;
}

export function makePlan(
  job: Pick<SyncJob, 'ledger' | 'planOptions' | 'run' | 'target'>,
  desired: readonly DesiredEntry[],
  sight: KnownDestination = {},
): Plan {
  const input: PlanInput = { desired, ledger: job.ledger.all(), options: job.planOptions, now: job.run.now() };
  if (!job.target.kind.holdsAllKeys) return planSync({ ...input, ...defined({ inventory: sight.inventory }) });
  const remoteName = job.target.namePrefix;
  const state: RemoteState | undefined = sight.inventory?.get(remoteName);
  return planDocument({ ...input, remoteName, state, documentKeys: sight.documentKeys });
}

/** The desired entries, with fingerprint or problem where the value had to be read for it. */
export async function surveyDesired(
  job: ValueSource & Pick<SyncJob, 'desired' | 'planOptions' | 'place'>,
): Promise<readonly DesiredEntry[]> {
  const rows = new Map(
    job.ledger
      .all()
      .filter((entry) => isHere(job, entry))
      .map((entry) => [nameKey(entry), entry]),
  );
  const unknown = job.desired.filter(
    (desired) => !desired.problem && !isVouchedFor(job, desired, rows.get(nameKey(desired))),
  );
  const surveyed = await survey(job, unknown);
  return job.desired.map((desired) => surveyed.get(desired.key) ?? desired);
}

/** The ledger says by revision that the value is in place. */
function isVouchedFor(
  job: Pick<SyncJob, 'planOptions'>,
  desired: DesiredEntry,
  entry: LedgerEntry | undefined,
): boolean {
  return entry !== undefined && isOwned(entry) && findChange(desired, entry, job.planOptions) === undefined;
}

export function findPlanBlock(
  job: Pick<SyncJob, 'ledger' | 'desired' | 'run' | 'parameters'>,
  plan: Plan,
): Block | undefined {
  const owned = job.ledger.all().filter((entry) => isOwned(entry) && entry.key !== WHOLE_SECRET).length;
  const deletions = plan.entries.filter((one) => one.action === 'delete');
  const [recent, confirmed] = [recentDeletions(job).length, job.parameters.confirmDeletions];
  return findBlock({ deletions, owned, desired: job.desired.length, recent, confirmed });
}

/**
 * What was deleted within the window of the brake without confirmation. A key that moved is still
 * in the source.
 */
function recentDeletions(job: Pick<SyncJob, 'ledger' | 'desired' | 'run'>): readonly LedgerEntry[] {
  const wanted = new Set(job.desired.map((desired) => desired.key));
  const sinceMs = job.run.now().getTime() - BRAKE_WINDOW_MS;
  return job.ledger
    .all()
    .filter(
      ({ key, deletedAt, observed }) =>
        deletedAt !== null &&
        deletedAt.getTime() > sinceMs &&
        key !== WHOLE_SECRET &&
        !wanted.has(key) &&
        observed.confirmedDeletion !== deletedAt.toISOString(),
    );
}

/** Once a person has confirmed them, they do not count against later ones. */
export async function noteConfirmed(job: Pick<SyncJob, 'ledger' | 'desired' | 'run' | 'parameters'>): Promise<void> {
  if (job.parameters.confirmDeletions === undefined) return;
  const rows = recentDeletions(job).map((entry) => ({
    ...entry,
    observed: { ...entry.observed, confirmedDeletion: entry.deletedAt?.toISOString() },
  }));
  await job.ledger.storeAll(rows);
}
