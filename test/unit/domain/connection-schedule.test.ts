import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { fractionOf, nextValidationMs } from '../../../src/domain/connection/schedule.ts';

const HOUR_MS = 3_600_000;
const steady = { consecutiveFailures: 0, isFirst: false, ageMs: 10 * HOUR_MS, isRoleRefused: false };

describe('the next validation', () => {
  it('comes after the interval, ten percent either way', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999999, noNaN: true }), (random) => {
        const delay = nextValidationMs(HOUR_MS, steady, random);
        expect(delay).toBeGreaterThanOrEqual(0.9 * HOUR_MS);
        expect(delay).toBeLessThanOrEqual(1.1 * HOUR_MS);
      }),
    );
  });

  it('falls evenly into every minute for connections that were made together', () => {
    const hours = 5;
    const minutes = Array.from({ length: 60 * (hours + 2) }, () => 0);
    for (let index = 0; index < 60_000; index += 1) {
      let atMs = 0;
      for (let round = 0; atMs < hours * HOUR_MS; round += 1) {
        const fraction = fractionOf(`run-${String(index)}-${String(round)}`);
        atMs += nextValidationMs(HOUR_MS, { ...steady, isFirst: round === 0 }, fraction);
        const minute = Math.floor(atMs / 60_000);
        minutes[minute] = (minutes[minute] ?? 0) + 1;
      }
    }
    const busy = minutes.slice(3, 60 * hours);
    expect(Math.max(...busy)).toBeLessThanOrEqual(1.2 * 1_000);
    expect(Math.min(...busy)).toBeGreaterThanOrEqual(0.8 * 1_000);
  });

  it('backs off while failing, up to six hours', () => {
    const after = (consecutiveFailures: number) => nextValidationMs(HOUR_MS, { ...steady, consecutiveFailures }, 0.5);
    expect([1, 2, 3, 10, 1_000].map(after)).toEqual([2 * HOUR_MS, 4 * HOUR_MS, 6 * HOUR_MS, 6 * HOUR_MS, 6 * HOUR_MS]);
  });

  it('never comes sooner while failing because the interval is long', () => {
    expect(nextValidationMs(24 * HOUR_MS, { ...steady, consecutiveFailures: 3 }, 0.5)).toBe(24 * HOUR_MS);
  });

  it('comes every few minutes while a refused role is less than an hour old', () => {
    const refused = { ...steady, consecutiveFailures: 1, isRoleRefused: true };
    expect(nextValidationMs(HOUR_MS, { ...refused, ageMs: 10 * 60_000 }, 0.5)).toBe(240_000);
    expect(nextValidationMs(HOUR_MS, { ...refused, ageMs: 2 * HOUR_MS }, 0.5)).toBe(2 * HOUR_MS);
  });
});

describe('a refused role that was just made', () => {
  const refused = { ...steady, consecutiveFailures: 1, isRoleRefused: true };

  it.each([
    [0, 15_000],
    [14_999, 1],
    [15_000, 45_000],
  ])('%i ms old is looked at again in %i ms', (ageMs, wait) => {
    expect(nextValidationMs(HOUR_MS, { ...refused, ageMs }, 0.5)).toBe(wait);
  });
});
