/** When a rotation is due by its schedule. Pure. */

export interface RotationSchedule {
  readonly intervalDays: number;
  readonly rotateAtUtc: { readonly hours: number; readonly minutes: number };
}

const DAY_MS = 86_400_000;

/**
 * The scheduled time of day that is nearest to a whole interval after `last`; always later than
 * `last`. However long a worker was away, the next one counts from the rotation that was made up
 * for: missed ones run once.
 */
export function nextRotationAt(last: Date, schedule: RotationSchedule): Date {
  const target = last.getTime() + schedule.intervalDays * DAY_MS;
  const midnight = Math.floor(target / DAY_MS) * DAY_MS;
  const time = (schedule.rotateAtUtc.hours * 60 + schedule.rotateAtUtc.minutes) * 60_000;
  const candidates = [-1, 0, 1].map((day) => midnight + day * DAY_MS + time).filter((at) => at > last.getTime());
  const nearest = candidates.reduce((best, at) => (Math.abs(at - target) < Math.abs(best - target) ? at : best));
  return new Date(nearest);
}
