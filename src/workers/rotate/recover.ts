/** What became of a CreateAccessKey whose answer is not recorded, and the removal of the key that it made, if it made one. */
import type { AccessKeys } from '../../aws/access-keys.ts';
import { decideRecovery, describeKey, type KeyOwners } from '../../domain/rotation-keys.ts';
import { deleteSent } from '../../domain/rotation-retirement.ts';
import * as to from '../../domain/rotation-orphans.ts';
import type { Intent, KeyUse, PhaseState, RemoteKey, RotationView } from '../../domain/rotation.ts';
import { JobError } from '../../errors.ts';
import { lookAtKeys, openKeys, type RotationContext, write } from './context.ts';

export async function recover(context: RotationContext, view: RotationView): Promise<RotationView> {
  const { intent } = view.state;
  if (!intent) return view;
  const open = await openKeys(context);
  const { owners } = await lookAtKeys(context, view, open);
  const recovery = decideRecovery(intent, owners);
  switch (recovery.decision) {
    case 'none':
      return write(context, view, to.nothingCreated(view, intent));
    case 'ambiguous':
      return leaveToPerson(context, view, { keys: open.keys, candidates: recovery.candidates });
    case 'candidate': {
      const use = await open.keys.lastUsed(recovery.accessKeyId);
      const key = owners.remote.filter((one) => one.accessKeyId === recovery.accessKeyId);
      if (isUsed(use)) return leaveToPerson(context, view, { keys: open.keys, candidates: key });
      return write(
        context,
        view,
        to.orphanFound(view, { accessKeyId: recovery.accessKeyId, isProvenUnused: use === 'never' }),
      );
    }
  }
}

function isUsed(use: KeyUse): boolean {
  return use !== 'never' && use !== 'denied';
}

async function leaveToPerson(
  context: RotationContext,
  view: RotationView,
  { keys, candidates }: { keys: AccessKeys; candidates: readonly RemoteKey[] },
): Promise<RotationView> {
  const now = context.run.now();
  const described: string[] = [];
  for (const key of candidates.slice(0, 2)) described.push(describeKey(key, await keys.lastUsed(key.accessKeyId), now));
  const error = new JobError('KEY_AMBIGUOUS', {
    message: `Remove at AWS what nobody uses: an answer was lost, and which key it made cannot be told: ${described.join('; ')}`,
  });
  const ids = candidates.map((key) => key.accessKeyId);
  return write(context, view, to.ambiguous(view, ids, { error, now }));
}

/** Inactive, not gone: whoever made it after all can still bring it back. */
export async function discard(context: RotationContext, view: RotationView): Promise<RotationView> {
  const { orphan } = view.state;
  if (!orphan) return view;
  const { keys } = await openKeys(context);
  const result = await keys.setStatus(orphan.accessKeyId, 'Inactive');
  return write(context, view, result === 'gone' ? to.orphanGone(view) : to.orphanInactive(view, context.run.now()));
}

export async function deleteQuarantined(
  context: RotationContext,
  view: RotationView,
  accessKeyId: string,
): Promise<RotationView> {
  const open = await openKeys(context);
  const { owners } = await lookAtKeys(context, view, open);
  const key = owners.remote.find((one) => one.accessKeyId === accessKeyId);
  if (key?.isActive) return write(context, view, to.orphanClaimed(view, [accessKeyId], 'somebody activated it at AWS'));
  // A use is told hours late: an orphan of ours has none, since nobody ever had its secret.
  if (key && isUsed(await open.keys.lastUsed(accessKeyId)))
    return write(context, view, to.orphanClaimed(view, [accessKeyId], 'somebody had used it'));
  const sent = await write(context, view, deleteSent(view, accessKeyId));
  if (key) await open.keys.delete(accessKeyId);
  return write(context, sent, to.leftoverDeleted(sent, accessKeyId));
}

/** AWS cannot be fenced: a call that seemed to have had no effect is looked at once more after a quarter of an hour. */
export async function recheck(context: RotationContext, view: RotationView): Promise<RotationView> {
  const now = context.run.now();
  const open = await openKeys(context);
  const { owners } = await lookAtKeys(context, view, open);
  for (const suspect of view.state.suspects.filter((one) => new Date(one.recheckAt) <= now)) {
    const late = await findLate(suspect, { owners, keys: open.keys });
    if (late && 'orphan' in late) return write(context, view, to.orphanFound(view, late.orphan));
    if (late) return write(context, view, to.foreignSeen(view, late.foreign));
  }
  return write(context, view, to.suspectsChecked(view, now));
}

type Late = { readonly orphan: NonNullable<PhaseState['orphan']> } | { readonly foreign: readonly string[] };

async function findLate(
  suspect: Intent,
  { owners, keys }: { owners: KeyOwners; keys: AccessKeys },
): Promise<Late | undefined> {
  const recovery = decideRecovery(suspect, owners);
  switch (recovery.decision) {
    case 'none':
      return undefined;
    case 'ambiguous':
      return { foreign: recovery.candidates.map((key) => key.accessKeyId) };
    case 'candidate': {
      const { accessKeyId } = recovery;
      const use = await keys.lastUsed(accessKeyId);
      return isUsed(use) ? { foreign: [accessKeyId] } : { orphan: { accessKeyId, isProvenUnused: use === 'never' } };
    }
  }
}
