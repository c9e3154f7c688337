import fc from 'fast-check';
import { expect, test } from 'vitest';

import { nextRotationAt } from '../../../src/domain/rotation/schedule.ts';

const at = (text: string) => new Date(text);
const schedule = (intervalDays: number, hours: number, minutes = 0) => ({
  intervalDays,
  rotateAtUtc: { hours, minutes },
});

test('the next rotation is at the time of day, a whole interval later', () => {
  expect(nextRotationAt(at('2026-01-01T03:15:08Z'), schedule(30, 3, 15))).toEqual(at('2026-01-31T03:15:00Z'));
});

test('a rotation made by hand late in the day does not shorten the next interval to an hour', () => {
  expect(nextRotationAt(at('2026-01-01T23:00:00Z'), schedule(1, 0))).toEqual(at('2026-01-03T00:00:00Z'));
});

test('the next rotation is always later, and within half a day of the interval', () => {
  fc.assert(
    fc.property(
      fc.date({ min: at('2000-01-01T00:00:00Z'), max: at('2100-01-01T00:00:00Z'), noInvalidDate: true }),
      fc.integer({ min: 1, max: 3650 }),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
      (last, days, hours, minutes) => {
        const next = nextRotationAt(last, schedule(days, hours, minutes));
        const offBy = Math.abs(next.getTime() - last.getTime() - days * 86_400_000);
        expect(next > last).toBe(true);
        expect(offBy).toBeLessThanOrEqual(43_200_000);
        expect([next.getUTCHours(), next.getUTCMinutes()]).toEqual([hours, minutes]);
      },
    ),
  );
});
