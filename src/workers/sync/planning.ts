/** From the run's work to its plan: values are read where the ledger cannot vouch for them, the pure plan is made, the brake is asked. */
import { type Block, BRAKE_WINDOW_MS, findBlock } from '../../domain/sync/brake.ts';
import type { DesiredEntry } from '../../domain/sync/desired.ts';
import type { Inventory, RemoteState } from '../../domain/sync/inventory.ts';
import { isOwned, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { findChange, type Plan, type PlanInput, planSync } from '../../domain/sync/plan.ts';
import { planDocument } from '../../domain/sync/plan-document.ts';
import { survey } from './values.ts';
import { isHere, type SyncWork } from './work.ts';

/** What a plan may know of the destination. */
export interface KnownDestination {
  readonly inventory?: Inventory;
  /** Keys inside the JSON secret. */
  readonly documentKeys?: ReadonlySet<string>;
}

export function makePlan(work: SyncWork, desired: readonly DesiredEntry[], sight: KnownDestination = {}): Plan {
  const input: PlanInput = { desired, ledger: work.ledger.all(), options: work.planOptions, now: work.run.now() };
  if (!work.target.kind.holdsAllKeys)
    return planSync({ ...input, ...(sight.inventory ? { inventory: sight.inventory } : {}) });
  const remoteName = work.target.namePrefix;
  const state: RemoteState | undefined = sight.inventory?.get(remoteName);
  return planDocument({ ...input, remoteName, state, documentKeys: sight.documentKeys });
}

/** The desired entries, with fingerprint or problem where the value had to be read for it. */
export async function surveyDesired(work: SyncWork): Promise<readonly DesiredEntry[]> {
  const rows = new Map(
    work.ledger
      .all()
      .filter((entry) => isHere(work, entry))
      .map((entry) => [`${entry.remoteName}\n${entry.key}`, entry]),
  );
  const unknown = work.desired.filter(
    (desired) => !desired.problem && !isVouchedFor(work, desired, rows.get(`${desired.remoteName}\n${desired.key}`)),
  );
  const surveyed = await survey(work, unknown);
  return work.desired.map((desired) => surveyed.get(desired.key) ?? desired);
}

/** The ledger says by revision that the value is in place. */
function isVouchedFor(work: SyncWork, desired: DesiredEntry, entry: LedgerEntry | undefined): boolean {
  return entry !== undefined && isOwned(entry) && findChange(desired, entry, work.planOptions) === undefined;
}

export function findPlanBlock(work: SyncWork, plan: Plan): Block | undefined {
  const owned = work.ledger.all().filter((entry) => isOwned(entry) && entry.key !== WHOLE_SECRET).length;
  const deletions = plan.entries.filter((one) => one.action === 'delete');
  const [recent, confirmed] = [recentDeletions(work).length, confirmedDeletions(work)];
  return findBlock({ deletions, owned, desired: work.desired.length, recent, confirmed });
}

function confirmedDeletions({ run }: SyncWork): number | undefined {
  const { confirmDeletions } = run.parameters;
  return typeof confirmDeletions === 'number' ? confirmDeletions : undefined;
}

/** What went within the window of the brake and was confirmed by nobody. A key that moved is still in the source. */
function recentDeletions(work: SyncWork): readonly LedgerEntry[] {
  const wanted = new Set(work.desired.map((desired) => desired.key));
  const sinceMs = work.run.now().getTime() - BRAKE_WINDOW_MS;
  return work.ledger
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
export async function noteConfirmed(work: SyncWork): Promise<void> {
  if (confirmedDeletions(work) === undefined) return;
  const rows = recentDeletions(work).map((entry) => ({
    ...entry,
    observed: { ...entry.observed, confirmedDeletion: entry.deletedAt?.toISOString() },
  }));
  await work.ledger.storeAll(rows);
}
