/** Executes one step of the machine. */
import type { RotationRow } from '../../db/engine/subjects.ts';
import * as retirement from '../../domain/rotation/retirement.ts';
import { nextRotationAt } from '../../domain/rotation/schedule.ts';
import type { RotationAction } from '../../domain/rotation/machine.ts';
import * as transitions from '../../domain/rotation/transitions.ts';
import type { RotationView } from '../../domain/rotation/rotation.ts';
import { type RotationContext, write, writeScheduled } from './context.ts';
import { create, inspect } from './create.ts';
import { confirm, publish } from './publish.ts';
import { deleteQuarantined, discard, recheck, recover } from './recover.ts';
import { deactivate, deleteOld, reactivate, revoke, watch } from './retire.ts';
import { rollBack, verify } from './verify.ts';

export async function executeStep(
  context: RotationContext,
  view: RotationView,
  step: RotationAction,
): Promise<RotationView> {
  switch (step.do) {
    case 'accept':
      return write(context, view, transitions.accept(view));
    case 'begin':
      return writeScheduled(context, view, (row) =>
        transitions.begun(view, context.run.now(), scheduledAfter(context, row)),
      );
    case 'inspect':
      return inspect(context, view);
    case 'create':
      return create(context, view);
    case 'recover':
      return recover(context, view);
    case 'discard':
      return discard(context, view);
    case 'abandon':
      return write(context, view, transitions.abandoned(view));
    case 'verify':
      return verify(context, view);
    case 'turn-back':
      return write(context, view, transitions.turnedBack(view, cancelled));
    case 'roll-back':
      return rollBack(context, view);
    case 'publish':
      return publish(context, view);
    case 'confirm':
      return confirm(context, view);
    case 'watch':
      return watch(context, view);
    case 'deactivate':
      return deactivate(context, view, step.accessKeyId);
    case 'enter-hold':
      return write(context, view, retirement.held(view, context.run.now()));
    case 'reactivate':
      return reactivate(context, view, step.accessKeyId);
    case 'enter-deleting':
      return write(context, view, retirement.deleting(view));
    case 'delete':
      return deleteOld(context, view, step.accessKeyId);
    case 'finish':
      return write(context, view, retirement.finished(view));
    case 'delete-quarantined':
      return deleteQuarantined(context, view, step.accessKeyId);
    case 'recheck':
      return recheck(context, view);
    case 'drop-command':
      return write(context, view, transitions.dropCommand(view));
    case 'revoke':
      return revoke(context, view, step.accessKeyId);
    case 'close':
      return write(context, view, retirement.closed(view, context.run.now()));
  }
}

const cancelled = {
  code: 'KEY_ROTATION_CANCELLED',
  message:
    'The rotation was cancelled before its new key was published; the new key was deleted and the old one stays.',
};

/**
 * Counted from this beginning, so that rotations missed while no worker ran are made up for once.
 */
function scheduledAfter(context: RotationContext, row: RotationRow): Date | null {
  const { isAutoRotationEnabled, rotationIntervalDays, rotateAtUtc } = row;
  return isAutoRotationEnabled
    ? nextRotationAt(context.run.now(), { intervalDays: rotationIntervalDays, rotateAtUtc })
    : null;
}
