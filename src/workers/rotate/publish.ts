/**
 * Consumers get the new key: into the folder in one statement, then to AWS by the syncs of the
 * folder, each of which must confirm.
 */
import { getCycle } from '../../domain/rotation/machine.ts';
import * as to from '../../domain/rotation/retirement.ts';
import { block, later } from '../../domain/rotation/transitions.ts';
import {
  type Confirmation,
  decideConfirmation,
  DEPENDENTS_RECHECK_MS,
  dependentsWaiting,
} from '../../domain/rotation/waits.ts';
import { applyTransition, type RotationView } from '../../domain/rotation/rotation.ts';
import type { ConnectionRow } from '../../db/engine/subjects.ts';
import { JobError } from '../../errors.ts';
import { type RotationContext, write } from './context.ts';

export async function publish(context: RotationContext, view: RotationView): Promise<RotationView> {
  const { deps, run, row } = context;
  const { newKeyId } = getCycle(view);
  const now = run.now();
  const secretAccessKey = newKeyId === undefined ? undefined : await deps.rotations.run.secretOf(row, newKeyId);
  if (newKeyId === undefined || secretAccessKey === undefined) throw new JobError('SECRET_UNDECRYPTABLE');
  try {
    const transition = await deps.rotations.run.publish(
      { rotation: row, runId: run.id, now },
      {
        toTransition: (revision) => to.published(view, revision, now),
        pair: { accessKeyId: newKeyId, secretAccessKey },
        connection: await ownConnection(context, view),
      },
    );
    return applyTransition(view, transition, now);
  } catch (error) {
    if (error instanceof JobError && error.code === 'SECRET_MANAGED')
      return write(context, view, block(view, error, { now }));
    throw error;
  }
}

/**
 * The connection that signs with the key being replaced. One that was given another key meanwhile
 * keeps it.
 */
async function ownConnection(context: RotationContext, view: RotationView): Promise<ConnectionRow | undefined> {
  const { isSelf, oldKeyIds } = getCycle(view);
  if (!isSelf) return undefined;
  const connection = await context.deps.connections.byId(context.row.connectionId);
  return connection.accessKeyId !== null && oldKeyIds.includes(connection.accessKeyId) ? connection : undefined;
}

export async function confirm(context: RotationContext, view: RotationView): Promise<RotationView> {
  const now = context.run.now();
  const confirmation = await findConfirmation(context, view);
  switch (confirmation.decision) {
    case 'confirmed':
      return write(context, view, to.confirmed(view, view.times, now));
    case 'wait':
      return write(context, view, to.dependentsWait(view, later(now, confirmation.delayMs), confirmation.names));
    case 'block':
      return blockForDependents(context, view, confirmation.names);
  }
}

/**
 * Asked before the quiet time and again before the old key is retired: a sync may have written the
 * old pair in between.
 */
export async function findConfirmation(context: RotationContext, view: RotationView): Promise<Confirmation> {
  const cycle = getCycle(view);
  if (cycle.isRevokeNow) return { decision: 'confirmed' };
  if (cycle.publishedRevision === undefined) throw new Error('A rotation that was not published cannot be confirmed.');
  const dependents = await context.deps.rotations.run.dependents(context.row, cycle.publishedRevision);
  return decideConfirmation(cycle, dependents, context.run.now());
}

export async function blockForDependents(
  context: RotationContext,
  view: RotationView,
  names: readonly string[],
): Promise<RotationView> {
  const again = { now: context.run.now(), recheckMs: DEPENDENTS_RECHECK_MS };
  return write(context, view, block(view, dependentsWaiting(names), again));
}
