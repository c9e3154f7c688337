/**
 * What the steps write that deal with keyferry's stray keys: leftovers, and keys that a lost answer
 * may have made. Pure. An orphan is made inactive, kept for a day, and deleted; a person who
 * activates it has claimed it.
 */
import type { JobError } from '../../errors.ts';
import { RECHECK_AFTER_MS } from './keys.ts';
import { block, later, moved, type NewPair } from './transitions.ts';
import { QUARANTINE_MS } from './waits.ts';
import type { CandidateKey, Cycle, Intent, RemoteKey, RotationView, Transition } from './rotation.ts';

export function leftoverDeleted(view: RotationView, accessKeyId: string): Transition {
  const state = moved(view);
  return {
    phase: view.phase,
    state: { ...state, quarantine: state.quarantine.filter((one) => one.accessKeyId !== accessKeyId) },
    keys: [{ accessKeyId, state: 'deleted' }],
    note: { step: 'leftover-deleted', accessKeyId },
  };
}

/**
 * A deleted rotation left it, and the folder still gives it to consumers: the next rotation
 * replaces it.
 */
export function leftKeyAdopted(
  view: RotationView,
  pair: NewPair,
  user: { readonly userId: string; readonly accountId: string },
): Transition {
  return {
    phase: view.phase,
    state: moved(view),
    keys: [{ ...pair, state: 'active' }],
    changes: { ...user, activeAccessKeyId: pair.accessKeyId },
    note: {
      step: 'left-key-adopted',
      accessKeyId: pair.accessKeyId,
      detail: 'left by a deleted rotation of this folder',
    },
  };
}

/**
 * The same where only the deleted rotation's folder holds it: the cycle that was to make a key
 * publishes this one.
 */
export function leftKeyMoved(
  view: RotationView,
  pair: NewPair,
  user: { readonly userId: string; readonly accountId: string },
): Transition {
  return {
    phase: 'publishing',
    state: moved(view, { newKeyId: pair.accessKeyId, oldKeyIds: [] }),
    keys: [{ ...pair, state: 'active' }],
    changes: user,
    note: {
      step: 'left-key-adopted',
      accessKeyId: pair.accessKeyId,
      detail: 'left by a deleted rotation of another folder',
    },
  };
}

/**
 * What its predecessor was about to retire when it was deleted: retired from the publication on, as
 * if it had never stopped. A consumer that began to use such a key in between gets the quiet time
 * of a reactivated key.
 */
export function leftKeysTakenBack(
  view: RotationView,
  keys: { readonly activeKeyId: string; readonly old: readonly RemoteKey[] },
  found: { readonly user: { userId?: string; accountId?: string }; readonly now: Date },
): Transition {
  const at = found.now.toISOString();
  const oldKeyIds = keys.old.map((key) => key.accessKeyId);
  const cycle: Cycle = {
    startedAt: at,
    isEmergency: false,
    isRevokeNow: false,
    skipSyncs: [],
    isSelf: false,
    newKeyId: keys.activeKeyId,
    oldKeyIds,
    dependentPolls: 0,
    reactivatedAt: at,
  };
  return {
    phase: 'publishing',
    state: { ...moved(view), inspectedAt: at, cycle },
    keys: keys.old.map(({ accessKeyId, createdAt }) => ({ accessKeyId, createdAt, state: 'retiring' })),
    changes: found.user,
    note: { step: 'left-keys-taken-back', detail: oldKeyIds.join(', ') },
  };
}

/** An orphan that is active again, or was used, turns out to be a person's. */
export function orphanClaimed(view: RotationView, accessKeyIds: readonly string[], why: string): Transition {
  const state = moved(view);
  return {
    phase: view.phase,
    state: { ...state, quarantine: state.quarantine.filter((one) => !accessKeyIds.includes(one.accessKeyId)) },
    keys: accessKeyIds.map((accessKeyId) => ({ accessKeyId, state: 'foreign' })),
    note: { step: 'orphan-claimed', detail: why },
  };
}

export function nothingCreated(view: RotationView, intent: Intent): Transition {
  const { intent: _intent, ...rest } = moved(view);
  const recheckAt = new Date(Date.parse(intent.sentAt) + RECHECK_AFTER_MS).toISOString();
  return {
    phase: view.phase,
    state: { ...rest, suspects: [...rest.suspects, { ...intent, recheckAt }] },
    note: { step: 'recovered', detail: 'the lost call made no key' },
  };
}

/** It stays active: it may be in use. */
export function candidateFound(view: RotationView, intent: Intent, candidate: CandidateKey): Transition {
  const { accessKeyId, certainAt } = candidate;
  const isNews = intent.candidate?.accessKeyId !== accessKeyId;
  return {
    phase: view.phase,
    state: { ...moved(view), intent: { ...intent, candidate } },
    ...(isNews ? { note: { step: 'candidate-found', accessKeyId, detail: `stays active until ${certainAt}` } } : {}),
  };
}

/** The same for a call that is checked once more. */
export function recheckPostponed(view: RotationView, suspect: Intent, at: Date): Transition {
  const state = moved(view);
  const suspects = state.suspects.map((one) =>
    one.sentAt === suspect.sentAt ? { ...one, recheckAt: at.toISOString() } : one,
  );
  return { phase: view.phase, state: { ...state, suspects } };
}

export function orphanFound(
  view: RotationView,
  orphan: { readonly accessKeyId: string; readonly isProvenUnused: boolean },
): Transition {
  const { intent: _intent, ...rest } = moved(view);
  return {
    phase: view.phase,
    state: { ...rest, orphan },
    note: { step: 'orphan-found', accessKeyId: orphan.accessKeyId },
  };
}

export function orphanInactive(view: RotationView, now: Date): Transition {
  const { orphan, ...rest } = moved(view);
  if (!orphan) return { phase: view.phase, state: rest };
  const deleteAt = later(now, QUARANTINE_MS);
  return {
    phase: view.phase,
    state: { ...rest, quarantine: [...rest.quarantine, { ...orphan, deleteAt }] },
    keys: [{ accessKeyId: orphan.accessKeyId, state: 'inactive', retireAfter: new Date(deleteAt) }],
    note: { step: 'orphan-inactive', accessKeyId: orphan.accessKeyId },
  };
}

export function orphanGone(view: RotationView): Transition {
  const { orphan, ...rest } = moved(view);
  return {
    phase: view.phase,
    state: rest,
    ...(orphan ? { note: { step: 'orphan-gone', accessKeyId: orphan.accessKeyId } } : {}),
  };
}

/** It is unknown which of them the lost call made: none is touched, and a person decides. */
export function ambiguous(
  view: RotationView,
  candidates: readonly string[],
  verdict: { error: JobError; now: Date },
): Transition {
  const { intent: _intent, ...rest } = block(view, verdict.error, verdict).state;
  return {
    phase: view.phase,
    state: rest,
    keys: candidates.map((accessKeyId) => ({ accessKeyId, state: 'foreign' })),
    note: { step: 'ambiguous', detail: verdict.error.publicMessage },
  };
}

/** From now on known as somebody else's: the next rotation names them. */
export function foreignSeen(view: RotationView, accessKeyIds: readonly string[]): Transition {
  return {
    phase: view.phase,
    state: moved(view),
    keys: accessKeyIds.map((accessKeyId) => ({ accessKeyId, state: 'foreign' })),
    note: { step: 'foreign-seen', detail: accessKeyIds.join(', ') },
  };
}

export function suspectsChecked(view: RotationView, now: Date): Transition {
  const state = moved(view);
  return {
    phase: view.phase,
    state: { ...state, suspects: state.suspects.filter((one) => new Date(one.recheckAt) > now) },
  };
}
