/**
 * What a rotation does next, decided from what is persisted. A pure function: the worker executes
 * one step, persists its result, and asks again, so that after a crash at any instruction the same
 * question has an answer.
 *
 *            due or wished             answer stored        works 3 times in a row
 *   ┌──────┐ begin     ┌──────────┐ create     ┌───────────┐ verify    ┌────────────┐ publish: one
 *   │ idle ├──────────►│ creating ├───────────►│ verifying ├──────────►│ publishing ├──┐ statement,
 *   └──────┘           └──────────┘            └─────┬─────┘           └────────────┘  │ old key →
 *     ▲ ▲ ▲              │  ▲ │ answer lost:         │ limit, cancel:                   │ retiring
 *     │ │ └──────────────┘  │ │ recover after 30 s,  │ delete the new key      confirm: every
 *     │ │    cancel         └─┘ discard the orphan   │                         dependent sync has
 *     │ └────────────────────────────────────────────┘                         written both values
 *     │                                                                                ▼
 *     │      delete   ┌──────────┐ hold over ┌──────┐ deactivate ┌──────────────┐ watch ┌───────┐
 *     └───────────────┤ deleting │◄──────────┤ hold │◄───────────┤ deactivating │◄──────┤ quiet │◄┐
 *                     └────┬─────┘           └──┬───┘            └──────────────┘       └───────┘ │
 *                          └─ somebody activated it ─────── reactivate ───────────────────────────┘
 *
 * In idle, creating, quiet and hold, due clean-up goes first: orphans whose day is over, calls to
 * be checked once more.
 */
import { RECOVERY_DELAY_MS } from './keys.ts';
import { holdUntil, quietUntil } from './waits.ts';
import { type CandidateKey, type Cycle, isBeforeQuiet, type PhaseState, type RotationView } from './rotation.ts';
import type { KnownKey } from './records.ts';

/** A step that the worker executes: one exchange with AWS or one statement. */
export type RotationAction =
  | { readonly do: 'accept' }
  | { readonly do: 'begin' }
  | { readonly do: 'inspect' }
  | { readonly do: 'create' }
  | { readonly do: 'recover' }
  | { readonly do: 'discard' }
  | { readonly do: 'abandon' }
  | { readonly do: 'verify' }
  | { readonly do: 'turn-back' }
  | { readonly do: 'roll-back' }
  | { readonly do: 'publish' }
  | { readonly do: 'confirm' }
  | { readonly do: 'watch' }
  | { readonly do: 'deactivate'; readonly accessKeyId: string }
  | { readonly do: 'enter-hold' }
  | { readonly do: 'reactivate'; readonly accessKeyId: string }
  | { readonly do: 'enter-deleting' }
  | { readonly do: 'delete'; readonly accessKeyId: string }
  | { readonly do: 'finish' }
  | { readonly do: 'delete-quarantined'; readonly accessKeyId: string }
  | { readonly do: 'recheck' }
  | { readonly do: 'drop-command' }
  | { readonly do: 'revoke'; readonly accessKeyId: string }
  | { readonly do: 'close' };

/** Nothing to do now. */
export type Stop =
  | { readonly do: 'stop'; readonly as: 'paused' | 'revoked' }
  | { readonly do: 'stop'; readonly as: 'done'; readonly nextAt: Date | null }
  | { readonly do: 'stop'; readonly as: 'wait'; readonly until: Date; readonly message: string }
  | {
      readonly do: 'stop';
      readonly as: 'blocked' | 'failed';
      readonly code: string;
      readonly message: string;
      readonly nextAt: Date | null;
    };

export type Step = RotationAction | Stop;

export function nextStep(view: RotationView, now: Date): Step {
  if (view.isPaused && view.asked.command === undefined) {
    return { do: 'stop', as: view.state.revokedAt === undefined ? 'paused' : 'revoked' };
  }
  return (
    commandStep(view, now) ??
    acceptStep(view) ??
    cleanUpStep(view, now) ??
    blockedStep(view, now) ??
    phaseStep(view, now)
  );
}

/** A person's order takes precedence over waiting. */
function commandStep(view: RotationView, now: Date): Step | undefined {
  switch (view.asked.command?.command) {
    case undefined:
      return undefined;
    case 'cancel':
      return cancelStep(view, now);
    case 'reactivate': {
      const key = view.phase === 'hold' ? oldKeyIn(view, 'inactive') : undefined;
      return key ? { do: 'reactivate', accessKeyId: key.accessKeyId } : { do: 'drop-command' };
    }
    case 'revoke':
      return unresolvedStep(view.state, now) ?? revokeStep(view);
  }
}

/** Before the publication consumers do not have the new key, so it can still be deleted. */
function cancelStep(view: RotationView, now: Date): Step {
  if (view.phase === 'creating') return unresolvedStep(view.state, now) ?? { do: 'abandon' };
  if (view.phase === 'verifying') return view.state.cycle?.rollBack ? { do: 'roll-back' } : { do: 'turn-back' };
  return { do: 'drop-command' };
}

/** A key that may exist without being known is handled first, whatever else is wanted. */
function unresolvedStep(state: PhaseState, now: Date): Step | undefined {
  if (state.orphan) return { do: 'discard' };
  if (!state.intent) return undefined;
  const { candidate, sentAt } = state.intent;
  const at = candidate ? new Date(candidate.lookAt) : new Date(Date.parse(sentAt) + RECOVERY_DELAY_MS);
  if (at <= now) return { do: 'recover' };
  const message = candidate
    ? candidateWaits(candidate)
    : 'An answer of AWS was lost; waiting until its key list is sure to be current.';
  return { do: 'stop', as: 'wait', until: at, message };
}

function candidateWaits({ accessKeyId, certainAt }: CandidateKey): string {
  const until = minute(new Date(certainAt));
  return `A call whose answer was lost may have made the key ${accessKeyId}. It stays active until ${until}, when AWS would show a use. If nobody uses it, delete it at AWS, and the rotation continues within an hour.`;
}

function revokeStep(view: RotationView): Step {
  const key = view.keys.find((one) => one.state !== 'deleted' && one.state !== 'foreign');
  return key ? { do: 'revoke', accessKeyId: key.accessKeyId } : { do: 'close' };
}

function acceptStep(view: RotationView): Step | undefined {
  // In idle the wish begins a cycle; in the later phases it waits for the next, but shortens this
  // one or skips a sync in it.
  const { wish } = view.asked;
  if (!wish || view.phase === 'idle') return undefined;
  const { cycle } = view.state;
  const isNews =
    (wish.isEmergency && cycle?.isEmergency === false) ||
    (wish.isRevokeNow && cycle?.isRevokeNow === false) ||
    wish.skipSyncs.some((name) => cycle?.skipSyncs.includes(name) === false);
  return isBeforeQuiet(view.phase) || isNews ? { do: 'accept' } : undefined;
}

function cleanUpStep(view: RotationView, now: Date): Step | undefined {
  if (!cleansUp(view)) return undefined;
  if (view.state.orphan) return { do: 'discard' };
  const expired = view.state.quarantine.find((one) => new Date(one.deleteAt) <= now);
  if (expired) return { do: 'delete-quarantined', accessKeyId: expired.accessKeyId };
  return view.state.suspects.some((one) => new Date(one.recheckAt) <= now) ? { do: 'recheck' } : undefined;
}

function blockedStep(view: RotationView, now: Date): Step | undefined {
  const { wait, block } = view.state;
  if (block && new Date(block.recheckAt) > now && !(view.phase === 'idle' && isDue(view, now))) {
    const nextAt = earliest(view, new Date(block.recheckAt));
    return { do: 'stop', as: 'blocked', code: block.code, message: block.message, nextAt };
  }
  if (wait && new Date(wait.until) > now) {
    return { do: 'stop', as: 'wait', until: earliest(view, new Date(wait.until)), message: wait.message };
  }
  return undefined;
}

function phaseStep(view: RotationView, now: Date): Step {
  const { state } = view;
  switch (view.phase) {
    case 'idle':
      return idleStep(view, now);
    case 'creating':
      return unresolvedStep(state, now) ?? { do: 'create' };
    case 'verifying':
      return state.cycle?.rollBack ? { do: 'roll-back' } : { do: 'verify' };
    case 'publishing':
      return state.cycle?.publishedRevision === undefined ? { do: 'publish' } : { do: 'confirm' };
    case 'quiet':
      return quietStep(view, now);
    case 'deactivating':
      return withOldKey(view, 'retiring', (accessKeyId) => ({ do: 'deactivate', accessKeyId })) ?? { do: 'enter-hold' };
    case 'hold':
      return holdStep(view, now);
    case 'deleting':
      return withOldKey(view, 'inactive', (accessKeyId) => ({ do: 'delete', accessKeyId })) ?? { do: 'finish' };
  }
}

function idleStep(view: RotationView, now: Date): Step {
  if (isDue(view, now)) return { do: 'begin' };
  if (view.state.inspectedAt === undefined) return { do: 'inspect' };
  const nextAt = earliestOf([view.nextRotationAt, ...cleanUpTimes(view.state)]);
  const { failure } = view.state;
  return failure ? { do: 'stop', as: 'failed', ...failure, nextAt } : { do: 'stop', as: 'done', nextAt };
}

function isDue(view: RotationView, now: Date): boolean {
  return view.asked.wish !== undefined || (view.nextRotationAt !== null && view.nextRotationAt <= now);
}

function quietStep(view: RotationView, now: Date): Step {
  const cycle = getCycle(view);
  if (!oldKeyIn(view, 'retiring')) return { do: 'finish' };
  const until = quietUntil(cycle, view.times);
  if (cycle.isEmergency || until <= now) return { do: 'watch' };
  const used = cycle.foreignUse ? ` It is still used: ${cycle.foreignUse.text}.` : '';
  const message = `The old key stays active until ${minute(until)} at least.${used}${nextWaits(view, now)}`;
  return { do: 'stop', as: 'wait', until: earliest(view, until), message };
}

function holdStep(view: RotationView, now: Date): Step {
  const cycle = getCycle(view);
  const until = holdUntil(cycle, view.times);
  if (cycle.isEmergency || until <= now || !oldKeyIn(view, 'inactive')) return { do: 'enter-deleting' };
  const message = `The old key is inactive and is deleted at ${minute(until)}; \`rotation reactivate\` brings it back.${nextWaits(view, now)}`;
  return { do: 'stop', as: 'wait', until: earliest(view, until), message };
}

function nextWaits(view: RotationView, now: Date): string {
  return isDue(view, now) ? ' The next rotation is due and waits for this one to end.' : '';
}

function withOldKey(
  view: RotationView,
  state: KnownKey['state'],
  step: (accessKeyId: string) => RotationAction,
): RotationAction | undefined {
  const key = oldKeyIn(view, state);
  return key && step(key.accessKeyId);
}

function oldKeyIn(view: RotationView, state: KnownKey['state']): KnownKey | undefined {
  return view.keys.find((key) => key.state === state && view.state.cycle?.oldKeyIds.includes(key.accessKeyId));
}

export function getCycle(view: RotationView): Cycle {
  const { cycle } = view.state;
  if (!cycle) throw new Error(`A rotation in phase ${view.phase} has no cycle.`);
  return cycle;
}

function cleanUpTimes(state: PhaseState): Date[] {
  return [
    ...state.quarantine.map((one) => new Date(one.deleteAt)),
    ...state.suspects.map((one) => new Date(one.recheckAt)),
  ];
}

/** A waiting rotation also comes back for its clean-up, where the phase allows one. */
function earliest(view: RotationView, until: Date): Date {
  return earliestOf([until, ...(cleansUp(view) ? cleanUpTimes(view.state) : [])]) ?? until;
}

/** Not between steps that belong together, and not while a call is unresolved. */
function cleansUp({ phase, state }: RotationView): boolean {
  return (phase === 'creating' && !state.intent) || phase === 'idle' || phase === 'quiet' || phase === 'hold';
}

function earliestOf(moments: readonly (Date | null)[]): Date | null {
  const known = moments.filter((at) => at !== null);
  return known.length === 0 ? null : new Date(Math.min(...known.map((at) => at.getTime())));
}

function minute(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
