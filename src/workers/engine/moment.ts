/**
 * A time by the two clocks of a machine. The monotonic one stops while a virtual machine is
 * suspended, and the wall clock can be set: a time that decides whether something may still be done
 * is measured by both.
 */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function thisMoment(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/** Milliseconds between two times, by the clock that advanced further. */
export function elapsedMs(since: Moment, now: Moment): number {
  return Math.max(now.monotonicMs - since.monotonicMs, now.wallMs - since.wallMs);
}
