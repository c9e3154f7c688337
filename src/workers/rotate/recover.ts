/**
 * What became of a CreateAccessKey whose answer is not recorded, and the removal of the key that it
 * made, if it made one.
 */
import type { AccessKeys } from '../../aws/access-keys.ts';
import { decideRecovery, describeKey, unusedCertainAt } from '../../domain/rotation/keys.ts';
import { deleteSent } from '../../domain/rotation/retirement.ts';
import * as to from '../../domain/rotation/orphans.ts';
import { BLOCKED_RECHECK_MS } from '../../domain/rotation/waits.ts';
import type {
  CandidateKey,
  Intent,
  KeyUse,
  PhaseState,
  RemoteKey,
  RotationView,
} from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import { type KeyInventory, lookAtKeys, openKeys, type RotationContext, write } from './context.ts';

export async function recover(context: RotationContext, view: RotationView): Promise<RotationView> {
  const { intent } = view.state;
  if (!intent) return view;
  const open = await openKeys(context);
  const look = await lookAtKeys(context, view, open);
  const recovery = decideRecovery(intent, look.owners);
  switch (recovery.decision) {
    case 'none':
      return write(context, view, to.nothingCreated(view, intent));
    case 'ambiguous':
      return leaveToPerson(context, view, { keys: open.keys, candidates: recovery.candidates });
    case 'candidate': {
      const key = findKey(look, recovery.accessKeyId);
      const found = await judge(context, key, { keys: open.keys, clock: look.clock });
      switch (found.is) {
        case 'used':
          return leaveToPerson(context, view, { keys: open.keys, candidates: [key] });
        case 'uncertain':
          return write(context, view, to.candidateFound(view, intent, found.candidate));
        case 'orphan':
          return write(context, view, to.orphanFound(view, found.orphan));
      }
    }
  }
}

function findKey({ owners }: KeyInventory, accessKeyId: string): RemoteKey {
  const key = owners.remote.find((one) => one.accessKeyId === accessKeyId);
  if (!key) throw new JobError('BUG_UNEXPECTED', { context: { accessKeyId } });
  return key;
}

type Judged =
  | { readonly is: 'used' }
  | { readonly is: 'uncertain'; readonly candidate: CandidateKey }
  | { readonly is: 'orphan'; readonly orphan: NonNullable<PhaseState['orphan']> };

/**
 * A key without a use is an orphan only when a use would show: the intent alone does not prove that
 * nobody has the key.
 */
async function judge(
  context: RotationContext,
  key: RemoteKey,
  { keys, clock }: { keys: AccessKeys; clock: Intent['clock'] },
): Promise<Judged> {
  const now = context.run.now();
  const { accessKeyId } = key;
  const use = await keys.lastUsed(accessKeyId);
  if (isUsed(use)) return { is: 'used' };
  const certainAt = unusedCertainAt(key, use, clock);
  if (certainAt <= now) return { is: 'orphan', orphan: { accessKeyId, isProvenUnused: use === 'never' } };
  const lookAt = new Date(Math.min(certainAt.getTime(), now.getTime() + BLOCKED_RECHECK_MS));
  const candidate = { accessKeyId, certainAt: certainAt.toISOString(), lookAt: lookAt.toISOString() };
  return { is: 'uncertain', candidate };
}

function isUsed(use: KeyUse): use is Extract<KeyUse, object> {
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
    message: `Delete the unused key at AWS: the answer of CreateAccessKey was lost, and keyferry cannot tell which key it created: ${described.join('; ')}`,
  });
  const ids = candidates.map((key) => key.accessKeyId);
  return write(context, view, to.ambiguous(view, ids, { error, now }));
}

/** Inactive, not deleted: if a person made it after all, they can reactivate it. */
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
  if (key?.isActive) return write(context, view, to.orphanClaimed(view, [accessKeyId], 'it was activated at AWS'));
  // AWS reports uses hours late: a true orphan has none, since nobody ever had its secret.
  if (key && isUsed(await open.keys.lastUsed(accessKeyId)))
    return write(context, view, to.orphanClaimed(view, [accessKeyId], 'it had been used'));
  const sent = await write(context, view, deleteSent(view, accessKeyId));
  if (key) await open.keys.delete(accessKeyId);
  return write(context, sent, to.leftoverDeleted(sent, accessKeyId));
}

/**
 * AWS cannot be fenced: a call that seemed to have had no effect is checked once more after a
 * quarter of an hour.
 */
export async function recheck(context: RotationContext, view: RotationView): Promise<RotationView> {
  const now = context.run.now();
  const open = await openKeys(context);
  const look = await lookAtKeys(context, view, open);
  for (const suspect of view.state.suspects.filter((one) => new Date(one.recheckAt) <= now)) {
    const recovery = decideRecovery(suspect, look.owners);
    if (recovery.decision === 'none') continue;
    const foreign = (ids: readonly string[]) => write(context, view, to.foreignSeen(view, ids));
    if (recovery.decision === 'ambiguous') return foreign(recovery.candidates.map((key) => key.accessKeyId));
    const key = findKey(look, recovery.accessKeyId);
    const found = await judge(context, key, { keys: open.keys, clock: look.clock });
    switch (found.is) {
      case 'used':
        return foreign([key.accessKeyId]);
      case 'uncertain':
        return write(context, view, to.recheckPostponed(view, suspect, new Date(found.candidate.lookAt)));
      case 'orphan':
        return write(context, view, to.orphanFound(view, found.orphan));
    }
  }
  return write(context, view, to.suspectsChecked(view, now));
}
