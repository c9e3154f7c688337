/** How a run of a rotation ended, as an outcome and as the status columns of its row. */
import type { RotationRow } from '../../db/engine/subjects.ts';
import { optionalRotationActions } from '../../domain/rotation/policy.ts';
import type { Stop } from '../../domain/rotation/machine.ts';
import { BLOCKED_RECHECK_MS } from '../../domain/rotation/waits.ts';
import { isRetiring, type RotationPhase, type RotationView } from '../../domain/rotation/rotation.ts';
import type { Outcome, RunCounts } from '../../domain/run.ts';
import type { JobError } from '../../errors.ts';
import type { Performed, Run } from '../engine/processor.ts';

/** Stored in the run's row for whoever asked. Never a value. */
export interface RotationResult {
  readonly phase: RotationPhase;
  readonly message: string | null;
  /** When there is something to do again; null while only a person can help. */
  readonly nextAt: string | null;
  readonly hasRotated: boolean;
}

/** How a run ended, and what its row's status and next time are made of. */
export interface Ending {
  readonly outcome: Outcome;
  /** Undefined of what was thrown before it was known. */
  readonly phase?: RotationPhase;
  readonly message: string | null;
  readonly hasRotated: boolean;
  /** Null while only a person can help. */
  readonly nextAt: Date | null;
}

export function toEnding(view: RotationView, stop: Stop, counts: RunCounts): Ending {
  const { phase } = view;
  const [message, nextAt] = [messageOf(view, stop), nextAtOf(stop)];
  const hasRotated = view.keys.some((key) => key.publishedAt !== null);
  const result = { phase, message, nextAt: nextAt?.toISOString() ?? null, hasRotated };
  return { outcome: toOutcome(view, stop, { counts, result }), phase, message, nextAt, hasRotated };
}

function nextAtOf(stop: Stop): Date | null {
  switch (stop.as) {
    case 'done':
    case 'blocked':
    case 'failed':
      return stop.nextAt;
    case 'wait':
      return stop.until;
    case 'revoked':
    case 'paused':
      return null;
  }
}

const PAUSED_MESSAGE = 'The rotation is paused; its keys stay as they are.';

function messageOf(view: RotationView, stop: Stop): string | null {
  switch (stop.as) {
    case 'done':
      return missingActions(view);
    case 'revoked':
      return 'All keys of this rotation were deleted at AWS.';
    case 'paused':
      return PAUSED_MESSAGE;
    case 'wait':
      return [stop.message, missingActions(view)].filter((text) => text !== null).join(' ');
    case 'blocked':
    case 'failed':
      return stop.message;
  }
}

interface Reported {
  readonly counts: RunCounts;
  readonly result: RotationResult;
}

function toOutcome(view: RotationView, stop: Stop, { counts, result }: Reported): Outcome {
  switch (stop.as) {
    case 'done':
    case 'revoked':
      return { status: 'succeeded', counts, result };
    case 'paused':
      return { status: 'blocked', code: 'KEY_ROTATION_PAUSED', message: PAUSED_MESSAGE, result };
    case 'wait':
      return { status: 'continued', counts, at: stop.until, answersRequest: answersRequest(view), result };
    case 'blocked':
    case 'failed':
      return { status: stop.as, code: stop.code, message: stop.message, counts, result };
  }
}

/**
 * Consumers have the new key from the quiet phase on. A wish for the next rotation stays open until
 * that one is there.
 */
function answersRequest(view: RotationView): boolean {
  return isRetiring(view.phase) && view.asked.wish === undefined && view.asked.command === undefined;
}

function missingActions(view: RotationView): string | null {
  const known = Object.entries(optionalRotationActions).filter(([action]) =>
    view.state.missingActions.includes(action),
  );
  if (known.length === 0) return null;
  return known.map(([action, gain]) => `${action} is not allowed: it ${gain}.`).join(' ');
}

/**
 * A verdict of AWS or of a store that only a person can change; it is checked again automatically.
 */
export function toVerdict(error: JobError, { phase }: Pick<RotationView, 'phase'>, now: Date): Ending {
  const isGuarded = error.code === 'DB_GUARDED';
  const isBlock =
    isGuarded ||
    error.code === 'KEY_RESTORED' ||
    error.code === 'AWS_ACCESS_DENIED' ||
    error.code.startsWith('CONNECTION_');
  // A guard ends with a person's decision, which makes the rotation due.
  const nextAt = isGuarded ? null : new Date(now.getTime() + BLOCKED_RECHECK_MS);
  const { code, publicMessage: message } = error;
  const result = { phase, message, nextAt: nextAt?.toISOString() ?? null };
  const outcome: Outcome = { status: isBlock ? 'blocked' : 'failed', code, message, result };
  return { outcome, phase, message, nextAt, hasRotated: false };
}

export function conclude(ending: Ending, run: Run<'rotate'>): Performed<'rotate'> {
  return { outcome: ending.outcome, changes: toStatus(ending, run), dueAt: ending.nextAt };
}

/**
 * Of what was thrown and not retried any more: a cycle may be under way, so it is not left until
 * its schedule.
 */
export function concludeUnplanned(outcome: Outcome, run: Run<'rotate'>): Performed<'rotate'> {
  const nextAt = new Date(run.now().getTime() + BLOCKED_RECHECK_MS);
  return conclude({ outcome, message: null, hasRotated: false, nextAt }, run);
}

function toStatus({ outcome, message, hasRotated, phase }: Ending, run: Run<'rotate'>): Partial<RotationRow> {
  switch (outcome.status) {
    case 'succeeded':
      return {
        rotationStatus: hasRotated ? 'succeeded' : 'pending',
        statusCode: null,
        statusMessage: message,
      };
    case 'continued': {
      if (outcome.waitsFor) return { rotationStatus: run.statusBefore as RotationRow['rotationStatus'] };
      return {
        rotationStatus: phase !== undefined && isRetiring(phase) ? 'succeeded' : 'running',
        statusCode: null,
        statusMessage: message,
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

/** A pause is wanted, not a problem: the last verdict stays. */
function pausedStatus(run: Run<'rotate'>): Partial<RotationRow> {
  const { lastRotatedAt, statusCode, statusMessage } = run.subject;
  return { rotationStatus: lastRotatedAt === null ? 'pending' : 'succeeded', statusCode, statusMessage };
}
