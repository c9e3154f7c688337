/**
 * Whether a key that this database takes for unpublished may be deleted: the publication may be
 * what a restored database has lost.
 */
import { describeKey, unusedCertainAt } from '../../domain/rotation/keys.ts';
import { block } from '../../domain/rotation/transitions.ts';
import type { RotationView } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import { lookAtKeys, openKeys, type RotationContext, write } from './context.ts';

export const restoredError = (what: string): JobError =>
  new JobError('KEY_RESTORED', { message: `The database was restored or failed over, and ${what}` });

/**
 * Why a key that was never published by this database may not be deleted; undefined when it may. In
 * an epoch that began after the key was made, the publication itself may be what the database has
 * lost.
 */
export async function findDoubt(
  context: RotationContext,
  accessKeyId: string,
  view: RotationView,
): Promise<JobError | undefined> {
  const { deps, row, run } = context;
  const { epochStartedAt } = await deps.installation.get();
  const known = view.keys.find((key) => key.accessKeyId === accessKeyId);
  if (epochStartedAt === null || !known || known.createdAt >= epochStartedAt) return undefined;
  const open = await openKeys(context);
  const { owners, clock } = await lookAtKeys(context, view, open);
  const key = owners.remote.find((one) => one.accessKeyId === accessKeyId);
  if (!key) return undefined;
  const use = await open.keys.lastUsed(accessKeyId);
  const certainAt = unusedCertainAt({ ...key, createdAt: epochStartedAt }, 'never', clock);
  const dependents = await deps.rotations.run.dependents(row, 0);
  if (use === 'never' && certainAt <= run.now() && dependents.every((sync) => sync.hasCompared)) return undefined;
  return restoredError(
    `may have forgotten that it published ${describeKey(key, use, run.now())}. If consumers hold it, update the rotation with \`adoptKey: ${accessKeyId}\`; if nobody does, delete it at AWS.`,
  );
}

export async function waitForPerson(
  context: RotationContext,
  view: RotationView,
  doubt: JobError,
): Promise<RotationView> {
  return write(context, view, block(view, doubt, { now: context.run.now() }));
}
