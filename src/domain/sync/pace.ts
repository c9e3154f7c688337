/**
 * How often one secret may be written. AWS keeps every version of the last 24 hours and about 100
 * in all, and asks for at most one write in 10 minutes sustained; a short burst of edits goes
 * through. Pure.
 */
export interface Pace {
  readonly tokens: number;
  /** ISO 8601. */
  readonly at: string;
}

const BURST = 20;
const REFILL_MS = 10 * 60_000;

/** The bucket after one write, or when the next write may start. */
export function takeWrite(pace: Pace | null, now: Date): { readonly pace: Pace } | { readonly notBefore: Date } {
  const level = pace ?? { tokens: BURST, at: now.toISOString() };
  const elapsedMs = Math.max(0, now.getTime() - Date.parse(level.at));
  const tokens = Math.min(BURST, level.tokens + elapsedMs / REFILL_MS);
  if (tokens >= 1) return { pace: { tokens: tokens - 1, at: now.toISOString() } };
  return { notBefore: new Date(now.getTime() + Math.ceil((1 - tokens) * REFILL_MS)) };
}
