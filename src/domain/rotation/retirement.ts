/**
 * What the steps from the publication on write: consumers get the new key, the old one falls
 * silent, becomes inactive, and goes. Pure.
 */
import { defined } from '../defined.ts';
import { getCycle } from './machine.ts';
import { moved, wait } from './transitions.ts';
import { listNames } from './waits.ts';
import {
  type KeyChange,
  type KeyUse,
  type RotationTimes,
  type RotationView,
  type Transition,
  withServed,
} from './rotation.ts';
import { describeUse } from './keys.ts';

/** Written in one statement with both values, the folder's revision and the syncs' due times. */
export function published(view: RotationView, revision: number, now: Date): Transition {
  const { newKeyId, oldKeyIds } = getCycle(view);
  const retiring: KeyChange[] = oldKeyIds.map((accessKeyId) => ({ accessKeyId, state: 'retiring' }));
  const active: KeyChange[] =
    newKeyId === undefined ? [] : [{ accessKeyId: newKeyId, state: 'active', publishedAt: now }];
  return {
    phase: 'publishing',
    state: moved(view, { publishedRevision: revision, publishedAt: now.toISOString() }),
    keys: [...active, ...retiring],
    changes: { activeAccessKeyId: newKeyId ?? null, lastRotatedAt: now },
    note: {
      step: 'published',
      detail: `folder revision ${String(revision)}`,
      ...defined({ accessKeyId: newKeyId }),
    },
  };
}

export function dependentsWait(view: RotationView, until: string, names: readonly string[]): Transition {
  const message = `Published; waiting for ${listNames(names)} to write the new key.`;
  return wait(view, { until, message }, { dependentPolls: getCycle(view).dependentPolls + 1 });
}

export function confirmed(view: RotationView, times: RotationTimes, now: Date): Transition {
  const { skipSyncs, oldKeyIds, isRevokeNow } = getCycle(view);
  const retireAfter = new Date(now.getTime() + Math.max(times.graceMs, times.quietMs));
  const skipped = skipSyncs.length === 0 ? '' : `, skipping ${listNames(skipSyncs)}`;
  return {
    phase: 'quiet',
    state: moved(view, { quietFrom: now.toISOString() }),
    keys: oldKeyIds
      .filter((id) => view.keys.some((key) => key.accessKeyId === id && key.state === 'retiring'))
      .map((accessKeyId) => ({ accessKeyId, state: 'retiring', retireAfter })),
    note: {
      step: 'confirmed',
      detail: isRevokeNow ? 'not waited for: revoking at once' : `every dependent sync has the new key${skipped}`,
    },
  };
}

/** The old key was used since: the quiet time starts again. */
export function stillUsed(view: RotationView, use: Extract<KeyUse, object>, keys: readonly KeyChange[]): Transition {
  const text = describeUse(use);
  return {
    phase: 'quiet',
    state: moved(view, { foreignUse: { at: use.at.toISOString(), text } }),
    keys,
    note: { step: 'still-used', detail: text },
  };
}

export function quietOver(
  view: RotationView,
  found: { keys: readonly KeyChange[]; missingActions: readonly string[] },
): Transition {
  const state = moved(view);
  return {
    phase: 'deactivating',
    state: { ...state, missingActions: [...new Set([...state.missingActions, ...found.missingActions])] },
    keys: found.keys,
    note: { step: 'quiet-over', detail: getCycle(view).isEmergency ? 'emergency: not waited for' : 'no use was seen' },
  };
}

export function deactivateSent(view: RotationView, accessKeyId: string): Transition {
  return { phase: 'deactivating', state: moved(view), note: { step: 'deactivate-sent', accessKeyId } };
}

export function deactivated(view: RotationView, accessKeyId: string, now: Date): Transition {
  return {
    phase: 'deactivating',
    state: moved(view, { deactivatedAt: now.toISOString() }),
    keys: [{ accessKeyId, state: 'inactive', retireAfter: new Date(now.getTime() + view.times.holdMs) }],
    note: { step: 'deactivated', accessKeyId },
  };
}

export function held(view: RotationView, now: Date): Transition {
  const cycle = getCycle(view);
  return {
    phase: 'hold',
    state: moved(view, { deactivatedAt: cycle.deactivatedAt ?? now.toISOString() }),
    note: { step: 'holding', detail: 'the old key is inactive' },
  };
}

/**
 * The old key works again, by command or by somebody at AWS: it is retired again from the quiet
 * time on, without hurry.
 */
export function reactivated(view: RotationView, accessKeyId: string, who: { detail: string; now: Date }): Transition {
  const { foreignUse: _use, deactivatedAt: _at, ...cycle } = getCycle(view);
  const state = {
    ...moved(view),
    cycle: {
      ...cycle,
      isEmergency: false,
      isRevokeNow: false,
      quietFrom: who.now.toISOString(),
      reactivatedAt: who.now.toISOString(),
      overruled: [...(cycle.overruled ?? []), ...(view.asked.command?.olderWishes ?? [])],
    },
  };
  return {
    phase: 'quiet',
    state: withServed(view, state, view.asked.command?.requestIds ?? []),
    keys: [{ accessKeyId, state: 'retiring' }],
    note: { step: 'reactivated', accessKeyId, detail: who.detail },
  };
}

/**
 * In a new epoch, confirmations, quiet time and hold no longer count, since the database may have
 * lost that the old key is needed again. Undefined before the publication, where there are none.
 */
export function restarted(view: RotationView, now: Date): Transition | undefined {
  const { cycle } = view.state;
  if (cycle?.publishedRevision === undefined) return undefined;
  const calm = { isEmergency: false, isRevokeNow: false, dependentPolls: 0 };
  const note = { step: 'compared', detail: 'the database was restored or failed over' };
  if (view.phase === 'hold' || view.phase === 'deleting') {
    return { phase: 'hold', state: moved(view, { ...calm, deactivatedAt: now.toISOString() }), note };
  }
  return { phase: 'publishing', state: moved(view, { ...calm, publishedAt: now.toISOString() }), note };
}

export function deleting(view: RotationView): Transition {
  return { phase: 'deleting', state: moved(view), note: { step: 'hold-over' } };
}

export function deleteSent(view: RotationView, accessKeyId: string): Transition {
  return { phase: view.phase, state: moved(view), note: { step: 'delete-sent', accessKeyId } };
}

export function deleted(view: RotationView, accessKeyId: string): Transition {
  return {
    phase: view.phase,
    state: moved(view),
    keys: [{ accessKeyId, state: 'deleted' }],
    note: { step: 'deleted', accessKeyId },
  };
}

/** Somebody removed it at AWS. */
export function gone(view: RotationView, accessKeyId: string): Transition {
  return { ...deleted(view, accessKeyId), note: { step: 'gone', accessKeyId, detail: 'it was deleted at AWS' } };
}

export function finished(view: RotationView): Transition {
  const { cycle: _cycle, ...rest } = moved(view);
  return { phase: 'idle', state: rest, note: { step: 'finished' } };
}

/**
 * After `rotation delete --revoke-keys`: no key of the rotation is left at AWS, and nothing starts
 * by itself.
 */
export function closed(view: RotationView, now: Date): Transition {
  const { cycle: _cycle, ...rest } = moved(view);
  return {
    phase: 'idle',
    state: {
      ...withServed(view, rest, view.asked.command?.requestIds ?? []),
      quarantine: [],
      suspects: [],
      revokedAt: now.toISOString(),
    },
    changes: { pausedAt: now, activeAccessKeyId: null, nextRotationAt: null },
    note: { step: 'keys-revoked' },
  };
}
