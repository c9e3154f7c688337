/**
 * What each step writes when it is done, from the beginning to the publication; the later phases
 * are in `retirement.ts`, stray keys in `orphans.ts`. Pure: a view and what was found out in, one
 * `Transition` out.
 */
import { defined } from '../defined.ts';
import type { JobError } from '../../errors.ts';
import type { Survey } from './keys.ts';
import { getCycle } from './machine.ts';
import { BLOCKED_RECHECK_MS, FAILED_RETRY_MS } from './waits.ts';
import {
  type Cycle,
  type Intent,
  isBeforeQuiet,
  type PhaseState,
  type RemoteKey,
  type RotationView,
  type Transition,
  withServed,
} from './rotation.ts';

export interface NewPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly createdAt: Date;
}

export function later(now: Date, ms: number): string {
  return new Date(now.getTime() + ms).toISOString();
}

/** The state without what was waited for, and with changes to the cycle. */
export function moved(view: RotationView, changes: Partial<Cycle> = {}): PhaseState {
  const { wait: _wait, block: _block, ...rest } = view.state;
  return rest.cycle ? { ...rest, cycle: { ...rest.cycle, ...changes } } : rest;
}

export function begun(view: RotationView, now: Date, nextRotationAt: Date | null): Transition {
  const { wish } = view.asked;
  const { failure: _failure, revokedAt: _revokedAt, ...rest } = moved(view);
  const cycle: Cycle = {
    startedAt: now.toISOString(),
    ...defined({ actor: wish?.actor }),
    isEmergency: wish?.isEmergency ?? false,
    isRevokeNow: wish?.isRevokeNow ?? false,
    skipSyncs: [...(wish?.skipSyncs ?? [])],
    isSelf: false,
    oldKeyIds: [],
    dependentPolls: 0,
  };
  return {
    phase: 'creating',
    state: { ...withServed(view, rest, wish?.requestIds ?? []), cycle },
    changes: { nextRotationAt },
    note: { step: 'begin', detail: describeStart(view) },
  };
}

function describeStart(view: RotationView): string {
  const { wish } = view.asked;
  if (!wish) return 'by schedule';
  const kind = wish.isRevokeNow ? 'emergency, revoking at once, ' : wish.isEmergency ? 'emergency, ' : '';
  const skipped = wish.skipSyncs.length === 0 ? '' : `, skipping ${wish.skipSyncs.join(', ')}`;
  return `${kind}requested${wish.actor === undefined ? '' : ` by ${wish.actor}`}${skipped}`;
}

/**
 * A wish during a cycle: before the publication this cycle answers it; later it only makes this
 * cycle more urgent.
 */
export function accept(view: RotationView): Transition {
  const { wish } = view.asked;
  const cycle = getCycle(view);
  const state = moved(view, {
    isEmergency: cycle.isEmergency || (wish?.isEmergency ?? false),
    isRevokeNow: cycle.isRevokeNow || (wish?.isRevokeNow ?? false),
    skipSyncs: [...new Set([...cycle.skipSyncs, ...(wish?.skipSyncs ?? [])])],
  });
  return {
    phase: view.phase,
    state: isBeforeQuiet(view.phase) ? withServed(view, state, wish?.requestIds ?? []) : state,
    note: { step: 'accept', detail: describeStart(view) },
  };
}

export function dropCommand(view: RotationView): Transition {
  const { command } = view.asked;
  return {
    phase: view.phase,
    state: withServed(view, view.state, command?.requestIds ?? []),
    note: { step: 'command-refused', detail: `${command?.command ?? 'command'} does nothing in phase ${view.phase}` },
  };
}

export function inspected(
  view: RotationView,
  now: Date,
  identity: { userId?: string; accountId?: string },
): Transition {
  return {
    phase: view.phase,
    state: { ...moved(view), inspectedAt: now.toISOString() },
    changes: identity,
    note: { step: 'inspected' },
  };
}

/** A verdict that waits for a person; checked again automatically after `recheckMs`. */
export function block(view: RotationView, error: JobError, again: { now: Date; recheckMs?: number }): Transition {
  const { wait: _wait, ...rest } = view.state;
  const isNews = view.state.block?.message !== error.publicMessage;
  return {
    phase: view.phase,
    state: {
      ...rest,
      block: {
        code: error.code,
        message: error.publicMessage,
        recheckAt: later(again.now, again.recheckMs ?? BLOCKED_RECHECK_MS),
      },
    },
    ...(isNews ? { note: { step: 'blocked', detail: error.publicMessage } } : {}),
  };
}

export function wait(
  view: RotationView,
  until: { readonly until: string; readonly message: string },
  changes: Partial<Cycle> = {},
): Transition {
  return { phase: view.phase, state: { ...moved(view, changes), wait: until } };
}

// creating

export function createSent(
  view: RotationView,
  survey: Extract<Survey, { decision: 'create' }>,
  sent: { readonly intent: Intent; readonly remote: readonly RemoteKey[]; readonly missingActions: readonly string[] },
): Transition {
  // The connection's own key has no row yet: it is ours as long as the connection holds it.
  const adopted = sent.remote
    .filter((key) => survey.oldKeyIds.includes(key.accessKeyId))
    .filter((key) => !view.keys.some((known) => known.accessKeyId === key.accessKeyId))
    .map((key) => ({ accessKeyId: key.accessKeyId, state: 'active' as const, createdAt: key.createdAt }));
  const vanished = view.keys
    .filter((key) => key.state === 'active' && !survey.oldKeyIds.includes(key.accessKeyId))
    .map((key) => ({ accessKeyId: key.accessKeyId, state: 'deleted' as const }));
  return {
    phase: 'creating',
    state: {
      ...moved(view, { oldKeyIds: [...survey.oldKeyIds], isSelf: survey.isSelf }),
      intent: sent.intent,
      inspectedAt: view.state.inspectedAt ?? sent.intent.sentAt,
      missingActions: [...sent.missingActions],
    },
    keys: [...adopted, ...vanished],
    note: { step: 'create-sent' },
  };
}

export function keyCreated(view: RotationView, pair: NewPair, now: Date): Transition {
  const { intent: _intent, ...rest } = moved(view, {
    newKeyId: pair.accessKeyId,
    verify: { startedAt: now.toISOString(), polls: 0 },
  });
  return {
    phase: 'verifying',
    state: rest,
    keys: [{ ...pair, state: 'pending' }],
    note: { step: 'created', accessKeyId: pair.accessKeyId },
  };
}

/** AWS certainly refused the call: there is nothing to recover. */
export function createRefused(view: RotationView, reason: string): Transition {
  const { intent: _intent, ...rest } = moved(view);
  return { phase: 'creating', state: rest, note: { step: 'create-refused', detail: reason } };
}

/** Ends a cycle that made no key. */
export function abandoned(view: RotationView): Transition {
  const { cycle: _cycle, ...rest } = moved(view);
  const failure = { code: 'KEY_ROTATION_CANCELLED', message: 'The rotation was cancelled before it made a key.' };
  return {
    phase: 'idle',
    state: { ...withServed(view, rest, view.asked.command?.requestIds ?? []), failure },
    note: { step: 'cancelled' },
  };
}

// verifying

export function verifyRefused(view: RotationView, until: string): Transition {
  const cycle = getCycle(view);
  const verify = { startedAt: cycle.verify?.startedAt ?? cycle.startedAt, polls: (cycle.verify?.polls ?? 0) + 1 };
  return wait(view, { until, message: 'Waiting for the new key to work at AWS.' }, { verify });
}

export function verified(view: RotationView, identity: { userId: string; accountId: string }): Transition {
  const { newKeyId } = getCycle(view);
  return {
    phase: 'publishing',
    state: moved(view),
    changes: identity,
    note: { step: 'verified', ...defined({ accessKeyId: newKeyId }) },
  };
}

/** The new key will be deleted; the old one was never touched. */
export function turnedBack(view: RotationView, verdict: { code: string; message: string }): Transition {
  const state = moved(view, { rollBack: verdict });
  return {
    phase: 'verifying',
    state: withServed(view, state, view.asked.command?.requestIds ?? []),
    note: { step: 'turned-back', detail: verdict.message },
  };
}

export function rolledBack(view: RotationView, now: Date): Transition {
  const { cycle, ...rest } = moved(view);
  const newKeyId = cycle?.newKeyId;
  const again = later(now, FAILED_RETRY_MS);
  const next = view.nextRotationAt;
  return {
    phase: 'idle',
    state: { ...rest, ...(cycle?.rollBack ? { failure: cycle.rollBack } : {}) },
    keys: newKeyId === undefined ? [] : [{ accessKeyId: newKeyId, state: 'deleted' }],
    changes: { nextRotationAt: next === null || next.toISOString() < again ? next : new Date(again) },
    note: { step: 'rolled-back', ...defined({ accessKeyId: newKeyId }) },
  };
}
