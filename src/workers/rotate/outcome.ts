/** How a run of a rotation ended, as an outcome and as the status columns of its row. */
import type { RotationRow } from '../../db/engine/subjects.ts';
import { optionalRotationActions } from '../../domain/rotation/policy.ts';
import type { Stop } from '../../domain/rotation/machine.ts';
import { BLOCKED_RECHECK_MS } from '../../domain/rotation/waits.ts';
import type { RotationPhase, RotationView } from '../../domain/rotation/rotation.ts';
import type { Outcome, RunCounts } from '../../domain/run.ts';
import type { JobError } from '../../errors.ts';
import type { Run } from '../engine/processor.ts';

/** What stands in the run's row for who asked. Never a value. */
export interface RotationResult {
  readonly phase: RotationPhase;
  readonly message: string | null;
  /** When there is something to do again; null while only a person can help. */
  readonly nextAt: string | null;
  readonly hasRotated: boolean;
}

export function toOutcome(view: RotationView, stop: Stop, counts: RunCounts): Outcome {
  const result = (nextAt: Date | null, message: string | null): RotationResult => ({
    phase: view.phase,
    message,
    nextAt: nextAt?.toISOString() ?? null,
    hasRotated: view.keys.some((key) => key.publishedAt !== null),
  });
  switch (stop.as) {
    case 'done':
      return { status: 'succeeded', counts, result: result(stop.nextAt, missingActions(view)) };
    case 'revoked':
      return { status: 'succeeded', counts, result: result(null, 'All keys of this rotation were deleted at AWS.') };
    case 'paused': {
      const message = 'The rotation is paused; its keys stay as they are.';
      return { status: 'blocked', code: 'KEY_ROTATION_PAUSED', message, result: result(null, message) };
    }
    case 'wait':
      return {
        status: 'continued',
        counts,
        at: stop.until,
        answersRequest: answersRequest(view),
        result: result(stop.until, [stop.message, missingActions(view)].filter((text) => text !== null).join(' ')),
      };
    case 'blocked':
    case 'failed':
      return {
        status: stop.as,
        code: stop.code,
        message: stop.message,
        counts,
        result: result(stop.nextAt, stop.message),
      };
  }
}

/** Consumers have the new key from the quiet phase on. A wish for the next rotation stays open until that one is there. */
function answersRequest(view: RotationView): boolean {
  const isPublished =
    view.phase === 'quiet' || view.phase === 'deactivating' || view.phase === 'hold' || view.phase === 'deleting';
  return isPublished && view.asked.wish === undefined && view.asked.command === undefined;
}

function missingActions(view: RotationView): string | null {
  const known = Object.entries(optionalRotationActions).filter(([action]) =>
    view.state.missingActions.includes(action),
  );
  if (known.length === 0) return null;
  return known.map(([action, gain]) => `${action} is not allowed: it ${gain}.`).join(' ');
}

/** A verdict of AWS or of a store that only a person changes; it is looked at again by itself. */
export function toVerdict(error: JobError, view: Pick<RotationView, 'phase'>, now: Date): Outcome {
  const isGuarded = error.code === 'DB_GUARDED';
  const isBlock =
    isGuarded ||
    error.code === 'KEY_RESTORED' ||
    error.code === 'AWS_ACCESS_DENIED' ||
    error.code.startsWith('CONNECTION_');
  // A guard ends with a person's decision, which makes the rotation due.
  const nextAt = isGuarded ? null : new Date(now.getTime() + BLOCKED_RECHECK_MS).toISOString();
  const result = { phase: view.phase, message: error.publicMessage, nextAt };
  return { status: isBlock ? 'blocked' : 'failed', code: error.code, message: error.publicMessage, result };
}

function readResult(outcome: Outcome): Partial<RotationResult> {
  return 'result' in outcome && typeof outcome.result === 'object' && outcome.result !== null ? outcome.result : {};
}

export function toStatus(outcome: Outcome, run: Run<'rotate'>): Partial<RotationRow> {
  const { message, hasRotated, phase } = readResult(outcome);
  switch (outcome.status) {
    case 'succeeded':
      return {
        rotationStatus: hasRotated === true ? 'succeeded' : 'pending',
        statusCode: null,
        statusMessage: message ?? null,
      };
    case 'continued': {
      if (outcome.waitsFor) return { rotationStatus: run.statusBefore as RotationRow['rotationStatus'] };
      const isPublished = phase === 'quiet' || phase === 'deactivating' || phase === 'hold' || phase === 'deleting';
      return {
        rotationStatus: isPublished ? 'succeeded' : 'running',
        statusCode: null,
        statusMessage: message ?? null,
      };
    }
    case 'retry':
      return { rotationStatus: 'running', statusCode: outcome.error.code, statusMessage: outcome.error.publicMessage };
    case 'partial':
    case 'failed':
    case 'cancelled':
      return { rotationStatus: 'failed', statusCode: outcome.code, statusMessage: outcome.message };
    case 'blocked':
      if (outcome.code === 'KEY_ROTATION_PAUSED') return pausedStatus(run);
      return { rotationStatus: 'blocked', statusCode: outcome.code, statusMessage: outcome.message };
  }
}

/** A pause is a person's wish, not a trouble: the last verdict stays. */
function pausedStatus(run: Run<'rotate'>): Partial<RotationRow> {
  const { lastRotatedAt, statusCode, statusMessage } = run.subject;
  return { rotationStatus: lastRotatedAt === null ? 'pending' : 'succeeded', statusCode, statusMessage };
}

export function nextScheduledAt(outcome: Outcome, run: Run<'rotate'>): Date | null {
  const { nextAt } = readResult(outcome);
  if (nextAt !== undefined) return nextAt === null ? null : new Date(nextAt);
  // What was thrown and not retried any more: a cycle may be under way, so it is not left until its schedule.
  return new Date(run.now().getTime() + BLOCKED_RECHECK_MS);
}
