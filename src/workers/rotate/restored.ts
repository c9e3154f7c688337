/**
 * A rotation in a new epoch of the installation: its database may be older than AWS. Keys that AWS
 * lists and this database does not know may be the ones that consumers hold by now, a key that was
 * about to be verified may be in use, and one that was about to be retired may be needed again. So
 * nothing is deactivated or deleted because of what the database remembers: what is past its
 * publication is confirmed and watched from the beginning, and what cannot be determined is left to
 * a person.
 */
import { describeKey, foreignKeys } from '../../domain/rotation/keys.ts';
import { comparedAtIn, mustCompare } from '../../domain/installation.ts';
import { restarted } from '../../domain/rotation/retirement.ts';
import type { RemoteKey, RotationView } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import { type KeyInventory, lookAtKeys, type OpenKeys, openKeys, type RotationContext, write } from './context.ts';
import { restoredError } from './doubt.ts';
import { checkPair } from './verify.ts';

export interface Compared {
  readonly view: RotationView;
  /** Of the comparison that was made just now. */
  readonly comparedAt?: Date;
}

/** Throws KEY_RESTORED naming the keys that a person must decide about. */
export async function compareKeys(context: RotationContext, view: RotationView): Promise<Compared> {
  const { deps, row, run } = context;
  const { epochStartedAt } = await deps.installation.get();
  if (!mustCompare(row, epochStartedAt)) return { view };
  const open = await openKeys(context);
  const look = await lookAtKeys(context, view, open);
  const unknown = foreignKeys(look.owners);
  if (unknown.length > 0) throw await unknownKeys(context, unknown, open);
  await requireNewKey(context, view, { look, open });
  const next = restarted(view, run.now());
  return { view: next ? await write(context, view, next) : view, comparedAt: comparedAtIn(epochStartedAt, run.now()) };
}

async function unknownKeys(
  context: RotationContext,
  unknown: readonly RemoteKey[],
  { keys }: OpenKeys,
): Promise<JobError> {
  const described: string[] = [];
  for (const key of unknown.slice(0, 2))
    described.push(describeKey(key, await keys.lastUsed(key.accessKeyId), context.run.now()));
  return restoredError(
    `does not know ${described.join('; ')}. Update the rotation with \`adoptKey: ID\` of the key in use, or remove it at AWS.`,
  );
}

interface Seen {
  readonly look: KeyInventory;
  readonly open: OpenKeys;
}

/** The key that replaces the others must work before any of them goes. */
async function requireNewKey(context: RotationContext, view: RotationView, { look, open }: Seen): Promise<void> {
  const { phase } = view;
  const newKeyId = view.state.cycle?.newKeyId;
  if (newKeyId === undefined || phase === 'creating' || phase === 'verifying') return;
  if (look.owners.remote.find((key) => key.accessKeyId === newKeyId)?.isActive !== true) {
    throw restoredError(
      `${newKeyId}, its newest key, is not active at AWS. Activate it, or update the rotation with \`adoptKey: ID\` of the key in use.`,
    );
  }
  if (view.state.cycle?.publishedRevision !== undefined) return;
  // A person handed it over: not with a wrong secret.
  const secretAccessKey = await context.deps.rotations.run.secretOf(context.row, newKeyId);
  if (secretAccessKey === undefined) return;
  const user = await checkPair(context, { accessKeyId: newKeyId, secretAccessKey }, open.connection);
  if (user instanceof JobError) throw user;
}
