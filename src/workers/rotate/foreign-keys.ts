/** Foreign keys of the user: they block the rotation, unless a deleted rotation left them. */
import type { AccessKeys } from '../../aws/access-keys.ts';
import type { LeftKeys, LeftPair } from '../../db/rotation/tombstones.ts';
import { describeKey, foreignKeys, type KeyOwners } from '../../domain/rotation/keys.ts';
import * as orphans from '../../domain/rotation/orphans.ts';
import type { RemoteKey, RotationView } from '../../domain/rotation/rotation.ts';
import * as to from '../../domain/rotation/transitions.ts';
import { JobError } from '../../errors.ts';
import { type OpenKeys, type RotationContext, write, writeScheduled } from './context.ts';
import { checkAdoptedKey, checkPair } from './verify.ts';

interface Foreign {
  readonly open: OpenKeys;
  readonly owners: KeyOwners;
  readonly foreign: readonly RemoteKey[];
}

/**
 * Foreign keys block the rotation, unless a deleted rotation left one: that one is taken over
 * first.
 */
export async function blockForeign(
  context: RotationContext,
  view: RotationView,
  found: Foreign,
): Promise<RotationView> {
  const { current, leftKeys } = context.deps.rotations.run;
  const row = await current(context.row.id);
  const left = await leftKeys(row);
  const adopted = await adoptLeftKey(context, view, { ...found, left });
  if (adopted) return adopted;
  const { open, foreign } = found;
  const claimed = foreign
    .map((key) => key.accessKeyId)
    .filter((id) => view.state.quarantine.some((one) => one.accessKeyId === id));
  const base =
    claimed.length === 0
      ? view
      : await write(context, view, orphans.orphanClaimed(view, claimed, 'it was activated at AWS'));
  const now = context.run.now();
  const error = await foreignError(context, { keys: open.keys, foreign, left });
  // A person may have allowed in between what this verdict refuses.
  return writeScheduled(context, base, ({ onExisting }) =>
    to.block(base, error, onExisting === row.onExisting ? { now } : { now, recheckMs: 0 }),
  );
}

/**
 * Undefined unless a deleted rotation left all keys besides the active one, and the active one
 * works and is what the folder holds. Never a key that something else of this installation holds,
 * or that was a person's before.
 */
export async function takeBackLeftKeys(
  context: RotationContext,
  view: RotationView,
  { open, owners }: { readonly open: OpenKeys; readonly owners: KeyOwners },
): Promise<RotationView | undefined> {
  const active = view.keys.find((key) => key.state === 'active');
  if (active === undefined) return undefined;
  const old = foreignKeys(owners);
  const ids = old.map((key) => key.accessKeyId);
  if (ids.some((id) => owners.heldElsewhere.includes(id) || view.keys.some((key) => key.accessKeyId === id)))
    return undefined;
  const left = await context.deps.rotations.run.leftKeys(context.row);
  if (left.pair?.accessKeyId !== active.accessKeyId || !ids.every((id) => left.ids.includes(id))) return undefined;
  const user = await checkAdoptedKey(context, view, open.connection);
  if (user instanceof JobError) return undefined;
  const keys = { activeKeyId: active.accessKeyId, old };
  return write(context, view, orphans.leftKeysTakenBack(view, keys, { user, now: context.run.now() }));
}

/**
 * Undefined unless a folder holds the pair of a left key, nothing else of this installation holds
 * the key, and AWS accepts the pair for this user.
 */
async function adoptLeftKey(
  context: RotationContext,
  view: RotationView,
  { open, owners, foreign, left }: Foreign & { readonly left: LeftKeys },
): Promise<RotationView | undefined> {
  const { pair } = left;
  const key = foreign.find((one) => one.accessKeyId === pair?.accessKeyId);
  if (!pair || !key || !mayAdopt(view, owners, pair)) return undefined;
  const user = await checkPair(context, pair, open.connection);
  if (user instanceof JobError) return undefined;
  const { accessKeyId, secretAccessKey, isHere } = pair;
  const adopted = isHere ? orphans.leftKeyAdopted : orphans.leftKeyMoved;
  return write(context, view, adopted(view, { accessKeyId, secretAccessKey, createdAt: key.createdAt }, user));
}

function mayAdopt(view: RotationView, owners: KeyOwners, { accessKeyId, isHere }: LeftPair): boolean {
  if (owners.heldElsewhere.includes(accessKeyId)) return false;
  if (view.keys.some((known) => known.accessKeyId === accessKeyId && known.state !== 'foreign')) return false;
  // A key is published only where consumers have none yet, by the cycle that was to make one.
  return isHere || (view.phase === 'creating' && !view.keys.some((known) => known.state === 'active'));
}

async function foreignError(
  context: RotationContext,
  found: { keys: AccessKeys; foreign: readonly RemoteKey[]; left: LeftKeys },
): Promise<JobError> {
  const { ids, isElsewhere } = found.left;
  const described: string[] = [];
  let isLeftElsewhere = false;
  for (const key of found.foreign.slice(0, 2)) {
    const text = describeKey(key, await found.keys.lastUsed(key.accessKeyId), context.run.now());
    const isLeft = ids.includes(key.accessKeyId);
    const leftBy = `, left by a deleted rotation${isElsewhere ? ' of another folder' : ''}`;
    described.push(isLeft ? `${text}${leftBy}` : text);
    isLeftElsewhere ||= isLeft && isElsewhere;
  }
  const advice = isLeftElsewhere ? 'Take over (`onExisting: adopt`)' : 'Adopt (`adoptKey`)';
  return new JobError('KEY_FOREIGN', {
    // The advice first: a long list is cut off at its end.
    message: `${advice} or remove at AWS what IAM user ${context.row.userName} has besides keyferry’s keys: ${described.join('; ')}`,
    context: { count: found.foreign.length },
  });
}
