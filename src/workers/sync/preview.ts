/**
 * `sync plan`: what a sync would do, with a read of what it would touch. Nothing is written,
 * neither at AWS nor in the ledger.
 */
import { defined } from '../../domain/defined.ts';
import type { Outcome } from '../../domain/run.ts';
import type { Inventory } from '../../domain/sync/inventory.ts';
import type { Plan } from '../../domain/sync/plan.ts';
import { toShown } from '../../domain/sync/summary.ts';
import { withFormerOwners } from './former-owners.ts';
import { openDestination } from './destinations/open.ts';
import { findPlanBlock, makePlan, type KnownDestination, surveyDesired } from './planning.ts';
import type { SyncJob } from './job.ts';

export async function previewSync(job: SyncJob): Promise<Outcome> {
  const desired = await surveyDesired(job);
  const sight = await look(job, makePlan(job, desired));
  const plan = makePlan(job, desired, sight);
  const block = findPlanBlock(job, plan);
  const result = {
    changes: plan.entries.map(toShown),
    unchanged: plan.unchanged.length,
    ...(block ? { blockedBy: { code: block.code, message: block.message, deletions: block.deletions } } : {}),
  };
  return { status: 'succeeded', result };
}

/** Only what would be written is read; what is unchanged by the ledger costs no call. */
async function look(job: SyncJob, plan: Plan): Promise<KnownDestination> {
  const names = [
    ...new Set(
      plan.entries.filter((one) => one.action !== 'invalid' && one.action !== 'delete').map((one) => one.remoteName),
    ),
  ];
  if (names.length === 0) return {};
  const destination = openDestination(job, job.target.kind);
  const found = await destination.inspect(names);
  const identified = await destination.identify(foreignLooking(job, plan, found), found);
  const documentKeys = await destination.lookInside(identified);
  return { inventory: await withFormerOwners(job, identified), ...defined({ documentKeys }) };
}

/** Names that exist although the ledger does not have them: only their tag shows who owns them. */
function foreignLooking(job: SyncJob, plan: Plan, inventory: Inventory): readonly string[] {
  const created = plan.entries
    .filter((one) => one.action === 'create' || one.action === 'restore')
    .map((one) => one.remoteName);
  return created.filter((name) => inventory.get(name)?.exists === true);
}
