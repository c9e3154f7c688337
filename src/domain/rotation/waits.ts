/**
 * How long a rotation waits and for what: the new key to work, dependent syncs, the old key to go
 * unused. Pure.
 */
import { JobError } from '../../errors.ts';
import type { Cycle, KeyUse, RotationTimes } from './rotation.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * A key works once it was accepted this many times in a row: acceptance is not monotonic while the
 * key propagates.
 */
export const VERIFY_SUCCESSES = 3;
export const VERIFY_SPACING_MS = 200;
const VERIFY_LIMIT_MS = 2 * MINUTE_MS;
/**
 * After a long outage the limit has passed before the key was tried; it still gets this many tries.
 */
const VERIFY_MIN_POLLS = 5;

export type VerifyWait = { readonly decision: 'again'; readonly delayMs: number } | { readonly decision: 'timeout' };

/** After the `polls`-th refusal of the new key: 1, 2, 4, 8, 16 s … up to two minutes. */
export function afterRefusal(verify: { readonly startedAt: string; readonly polls: number }, now: Date): VerifyWait {
  const leftMs = Date.parse(verify.startedAt) + VERIFY_LIMIT_MS - now.getTime();
  if (leftMs <= 0 && verify.polls >= VERIFY_MIN_POLLS) return { decision: 'timeout' };
  const delayMs = Math.min(2 ** (verify.polls - 1), 16) * SECOND_MS;
  return { decision: 'again', delayMs: leftMs > 0 ? Math.min(delayMs, Math.max(leftMs, SECOND_MS)) : delayMs };
}

/**
 * A sync that writes either value; it has confirmed once both are at AWS at the published revision.
 */
export interface DependentSync {
  readonly id: string;
  readonly name: string;
  readonly hasConfirmed: boolean;
}

export type Confirmation =
  | { readonly decision: 'confirmed' }
  | { readonly decision: 'wait'; readonly delayMs: number; readonly names: readonly string[] }
  | { readonly decision: 'block'; readonly names: readonly string[] };

const DEPENDENTS_LIMIT_MS = HOUR_MS;
const MAX_DEPENDENT_DELAY_MS = 30 * SECOND_MS;
const SOON_MS = 250;
/** Quick checks before the run gives up its slot: a small sync is done by then. */
const SOON_POLLS = 8;

export function decideConfirmation(cycle: Cycle, dependents: readonly DependentSync[], now: Date): Confirmation {
  // An id wins over a name.
  const skipped = cycle.skipSyncs.map(
    (text) => dependents.find((sync) => sync.id === text) ?? dependents.find((sync) => sync.name === text),
  );
  const names = dependents.filter((sync) => !sync.hasConfirmed && !skipped.includes(sync)).map((sync) => sync.name);
  if (names.length === 0) return { decision: 'confirmed' };
  if (now.getTime() - momentOf(cycle, 'publishedAt') >= DEPENDENTS_LIMIT_MS) return { decision: 'block', names };
  const polls = cycle.dependentPolls;
  const delayMs =
    polls < SOON_POLLS ? SOON_MS : Math.min(SECOND_MS * 2 ** (polls - SOON_POLLS), MAX_DEPENDENT_DELAY_MS);
  return { decision: 'wait', delayMs, names };
}

/**
 * Throws when the phase that records it was never completed: an earlier moment in its place would
 * retire a key too soon.
 */
export function momentOf(cycle: Cycle, event: 'publishedAt' | 'quietFrom' | 'deactivatedAt'): number {
  const at = cycle[event];
  if (at === undefined) throw new Error(`The cycle of a rotation lacks ${event}.`);
  return Date.parse(at);
}

/** Whoever reactivates a key needs it for longer than a quiet time of seconds. */
const REACTIVATED_QUIET_MS = 24 * HOUR_MS;

/**
 * Until when the old key stays active: the grace time, and the quiet time after it was last used.
 * AWS reports uses late, so the quiet time also counts from when all consumers had the new key.
 */
export function quietUntil(cycle: Cycle, times: RotationTimes): Date {
  const from = momentOf(cycle, 'quietFrom');
  const used = cycle.foreignUse ? Date.parse(cycle.foreignUse.at) : 0;
  const quietMs = cycle.reactivatedAt === undefined ? times.quietMs : Math.max(times.quietMs, REACTIVATED_QUIET_MS);
  return new Date(Math.max(from + times.graceMs, Math.max(from, used) + quietMs));
}

/** The latest use that delays retirement: one after the publication that was not counted yet. */
export function newForeignUse(cycle: Cycle, uses: readonly KeyUse[]): Extract<KeyUse, object> | undefined {
  const since = Math.max(momentOf(cycle, 'publishedAt'), cycle.foreignUse ? Date.parse(cycle.foreignUse.at) : 0);
  return uses
    .filter((use) => typeof use === 'object')
    .filter((use) => use.at.getTime() > since)
    .toSorted((a, b) => b.at.getTime() - a.at.getTime())[0];
}

export function holdUntil(cycle: Cycle, times: RotationTimes): Date {
  return new Date(momentOf(cycle, 'deactivatedAt') + times.holdMs);
}

/** How soon a rotation that waits for a person checks again automatically. */
export const BLOCKED_RECHECK_MS = HOUR_MS;
export const DEPENDENTS_RECHECK_MS = 5 * MINUTE_MS;
/** How long an inactive orphan is kept: a person who made it would have noticed by then. */
export const QUARANTINE_MS = 24 * HOUR_MS;
/** A failed rotation is retried after a day, or at its next scheduled time. */
export const FAILED_RETRY_MS = 24 * HOUR_MS;

/** Names of syncs for a message, however many there are. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${shown} and ${String(names.length - 4)} more` : shown;
}

export function dependentsWaiting(names: readonly string[]): JobError {
  return new JobError('KEY_DEPENDENTS_WAITING', {
    message: `Not yet with the new key: ${listNames(names)}. Both keys stay alive. Run, fix or delete these syncs, or run the rotation with \`skipSync: SYNC\`.`,
    context: { syncs: names },
  });
}
