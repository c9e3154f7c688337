/**
 * When a failed run is retried: exponential backoff with full jitter and a cap. Pure: randomness is
 * an argument.
 */
import type { Kind } from './run.ts';

export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * Bases and caps: a validation is cheap and urgent; a rotation step must leave AWS time to become
 * consistent.
 */
export const retryPolicies: Readonly<Record<Kind, RetryPolicy>> = {
  validate: { maxAttempts: 5, baseMs: 2_000, capMs: 300_000 },
  sync: { maxAttempts: 8, baseMs: 5_000, capMs: 900_000 },
  rotate: { maxAttempts: 8, baseMs: 30_000, capMs: 600_000 },
};

/**
 * Delay before the attempt after `attempt` (1 for the first one that failed), in milliseconds.
 * `random` is a number in [0, 1). Never shorter than the server's hint (`retryAfterMs`).
 */
export function backoffMs(
  policy: RetryPolicy,
  failed: { readonly attempt: number; readonly retryAfterMs?: number | undefined },
  random: number,
): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(failed.attempt - 1, 30));
  // At least a tenth: an immediate retry would fail the same way.
  const jittered = Math.max(ceiling / 10, ceiling * random);
  return Math.round(Math.max(jittered, failed.retryAfterMs ?? 0));
}

/** `intervalMs` ± `share` of it, so that what was created together does not come due together. */
export function jitteredMs(intervalMs: number, share: number, random: number): number {
  return Math.round(intervalMs * (1 - share + 2 * share * random));
}
