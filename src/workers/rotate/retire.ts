/**
 * The old key: watched until it is unused, made inactive, held, deleted. At each step it may still
 * be needed, and then it stays.
 */
import { RECOVERY_DELAY_MS } from '../../domain/rotation/keys.ts';
import { getCycle } from '../../domain/rotation/machine.ts';
import * as to from '../../domain/rotation/retirement.ts';
import { later, wait } from '../../domain/rotation/transitions.ts';
import { momentOf, newForeignUse } from '../../domain/rotation/waits.ts';
import type { KeyChange, KeyUse, RotationView } from '../../domain/rotation/rotation.ts';
import { openKeys, type RotationContext, write } from './context.ts';
import { blockForDependents, findConfirmation } from './publish.ts';
import { deleteQuarantined } from './recover.ts';

/** How soon to check again whether runs with the old credentials have ended. */
const RUNS_POLL_MS = 10_000;

/**
 * The quiet time is over: does every sync have the new key, was the old one used since, and does a
 * run still sign with it?
 */
export async function watch(context: RotationContext, view: RotationView): Promise<RotationView> {
  const cycle = getCycle(view);
  const confirmation = await findConfirmation(context, view);
  if (confirmation.decision !== 'confirmed') return blockForDependents(context, view, confirmation.names);
  const retiring = view.keys.filter((key) => key.state === 'retiring' && cycle.oldKeyIds.includes(key.accessKeyId));
  const uses = cycle.isEmergency
    ? []
    : await usesOf(
        context,
        retiring.map((key) => key.accessKeyId),
      );
  const keys = uses.flatMap(toKeyChange);
  const use = newForeignUse(
    cycle,
    uses.map((one) => one.use),
  );
  if (use) return write(context, view, to.stillUsed(view, use, keys));
  if (!cycle.isRevokeNow && (await hasOldRuns(context, view))) {
    return write(
      context,
      view,
      wait(view, {
        until: later(context.run.now(), RUNS_POLL_MS),
        message: 'Waiting for runs that still sign with the old key to end.',
      }),
    );
  }
  const missingActions = uses.some((one) => one.use === 'denied') ? ['iam:GetAccessKeyLastUsed'] : [];
  return write(context, view, to.quietOver(view, { keys, missingActions }));
}

interface FoundUse {
  readonly accessKeyId: string;
  readonly use: KeyUse;
}

async function usesOf(context: RotationContext, accessKeyIds: readonly string[]): Promise<readonly FoundUse[]> {
  const { keys } = await openKeys(context);
  const uses: FoundUse[] = [];
  for (const accessKeyId of accessKeyIds) uses.push({ accessKeyId, use: await keys.lastUsed(accessKeyId) });
  return uses;
}

function toKeyChange({ accessKeyId, use }: FoundUse): KeyChange[] {
  return typeof use === 'object' ? [{ accessKeyId, state: 'retiring', lastUsedAt: use.at }] : [];
}

/** Only where the connection signs with the key that rotates. */
async function hasOldRuns(context: RotationContext, view: RotationView): Promise<boolean> {
  const cycle = getCycle(view);
  if (!cycle.isSelf) return false;
  const before = new Date(momentOf(cycle, 'publishedAt'));
  const { run, row, deps } = context;
  return (await deps.rotations.run.runsSince(row.connectionId, { before, exceptRunId: run.id })) > 0;
}

export async function deactivate(
  context: RotationContext,
  view: RotationView,
  accessKeyId: string,
): Promise<RotationView> {
  // Much may have happened since the quiet time was found to be over, if the worker died in
  // between.
  const confirmation = await findConfirmation(context, view);
  if (confirmation.decision !== 'confirmed') return blockForDependents(context, view, confirmation.names);
  const { keys } = await openKeys(context);
  const sent = await write(context, view, to.deactivateSent(view, accessKeyId));
  const result = await keys.setStatus(accessKeyId, 'Inactive');
  return write(
    context,
    sent,
    result === 'gone' ? to.gone(sent, accessKeyId) : to.deactivated(sent, accessKeyId, context.run.now()),
  );
}

/** By command, within the hold. */
export async function reactivate(
  context: RotationContext,
  view: RotationView,
  accessKeyId: string,
): Promise<RotationView> {
  const { keys } = await openKeys(context);
  const sent = await write(context, view, {
    phase: view.phase,
    state: view.state,
    note: { step: 'reactivate-sent', accessKeyId },
  });
  const result = await keys.setStatus(accessKeyId, 'Active');
  const now = context.run.now();
  return write(
    context,
    sent,
    result === 'gone' ? to.gone(sent, accessKeyId) : to.reactivated(sent, accessKeyId, { detail: 'by command', now }),
  );
}

/** A key that was reactivated at AWS is needed, so it is not deleted. */
export async function deleteOld(
  context: RotationContext,
  view: RotationView,
  accessKeyId: string,
): Promise<RotationView> {
  const { keys } = await openKeys(context);
  const now = context.run.now();
  const { keys: remote } = await keys.list(now);
  const key = remote.find((one) => one.accessKeyId === accessKeyId);
  if (key?.isActive) return keepActive(context, view, accessKeyId);
  const sent = await write(context, view, to.deleteSent(view, accessKeyId));
  await keys.delete(accessKeyId);
  return write(context, sent, to.deleted(sent, accessKeyId));
}

/** Soon after the deactivation the list may be behind: then it is asked again first. */
async function keepActive(context: RotationContext, view: RotationView, accessKeyId: string): Promise<RotationView> {
  const now = context.run.now();
  const certainAt = momentOf(getCycle(view), 'deactivatedAt') + RECOVERY_DELAY_MS;
  if (now.getTime() < certainAt) {
    return write(
      context,
      view,
      wait(view, {
        until: new Date(certainAt).toISOString(),
        message: 'Waiting until AWS’s key list shows the deactivation.',
      }),
    );
  }
  return write(context, view, to.reactivated(view, accessKeyId, { detail: 'it was activated at AWS', now }));
}

/** On the way out: `rotation delete --revoke-keys`. An orphan that a person took stays theirs. */
export async function revoke(context: RotationContext, view: RotationView, accessKeyId: string): Promise<RotationView> {
  if (view.state.quarantine.some((one) => one.accessKeyId === accessKeyId))
    return deleteQuarantined(context, view, accessKeyId);
  const { keys } = await openKeys(context);
  const sent = await write(context, view, to.deleteSent(view, accessKeyId));
  await keys.delete(accessKeyId);
  return write(context, sent, to.deleted(sent, accessKeyId));
}
