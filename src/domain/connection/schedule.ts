/** When a connection is validated next. Pure: the time and a number in [0, 1) are arguments. */

export interface ValidationHistory {
  /** Failures in a row, this one included; 0 after a success. */
  readonly consecutiveFailures: number;
  readonly isFirst: boolean;
  /** Since the connection was made or its credentials were changed. */
  readonly ageMs: number;
  /**
   * AWS refused AssumeRole, as it does for a while after a role or its trust policy was written.
   */
  readonly isRoleRefused: boolean;
}

const MINUTE_MS = 60_000;
/**
 * STS may not know a new role yet: a refusal is reported immediately, and checked again for this
 * long after the role's creation.
 */
const PROPAGATION_MS = [15_000, 60_000] as const;
const FRESH_MS = 60 * MINUTE_MS;
const FRESH_EVERY_MS = 4 * MINUTE_MS;
/** Failing connections are validated less and less often, but at least this often. */
const MAX_INTERVAL_MS = 6 * 60 * MINUTE_MS;
const JITTER = 0.1;
/**
 * Share of the interval: a connection that was just validated is not validated again immediately.
 */
const FIRST_AFTER = 0.05;

/** Milliseconds until the next validation. */
export function nextValidationMs(intervalMs: number, history: ValidationHistory, random: number): number {
  const jitter = 1 - JITTER + 2 * JITTER * random;
  if (history.isRoleRefused && history.ageMs < FRESH_MS) {
    const moment = PROPAGATION_MS.find((one) => one > history.ageMs);
    return moment === undefined ? FRESH_EVERY_MS * jitter : moment - history.ageMs;
  }
  if (history.isFirst && history.consecutiveFailures === 0) return intervalMs * (FIRST_AFTER + phaseOf(random));
  const ceiling = Math.max(intervalMs, MAX_INTERVAL_MS);
  return Math.min(ceiling, intervalMs * 2 ** Math.min(history.consecutiveFailures, 10)) * jitter;
}

/**
 * Where in its rhythm a connection begins, as a share of the interval: connections made together
 * are then spread evenly from the first hour on, and jitter keeps them so. It is the remainder of
 * an interval that is sampled at a random time, from a uniform number.
 */
function phaseOf(random: number): number {
  const shortest = 1 - JITTER;
  if (random <= shortest) return random;
  return 1 + JITTER - Math.sqrt(4 * JITTER * JITTER - 4 * JITTER * (random - shortest));
}

/**
 * A number in [0, 1) that is always the same for this text: a run plans the same time, however
 * often it is asked.
 */
export function fractionOf(text: string): number {
  let hash = 2_166_136_261;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619);
  // The last characters of an id would otherwise hardly reach the high bits.
  hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_507);
  return ((hash ^ (hash >>> 13)) >>> 0) / 4_294_967_296;
}
