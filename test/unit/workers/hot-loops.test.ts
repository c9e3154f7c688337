import { describe, expect, it } from 'vitest';

import type { Settlement } from '../../../src/db/engine/settle.ts';
import { createHotLoops, slowHotLoop, type HotLoops } from '../../../src/workers/engine/hot-loops.ts';
import { createLog } from '../../../src/observe/log.ts';
import { noCounts } from '../../../src/domain/run.ts';
import type { Run } from '../../../src/workers/engine/processor.ts';

type Turn = Partial<Settlement<'sync'>> & { readonly wantedRevision?: number };

const START = Date.parse('2026-01-01T00:00:00Z');
const log = createLog({ level: 'silent' });

/**
 * Settles once a second by default, continuing at once. Returns by how many seconds each settlement
 * was slowed.
 */
function settleAll(turns: readonly Turn[], options: { everyMs?: number; hotLoops?: HotLoops } = {}) {
  const { everyMs = 1_000, hotLoops = createHotLoops() } = options;
  return turns.map(({ wantedRevision = 1, ...turn }, index) => {
    const now = new Date(START + index * everyMs);
    const run = { now: () => now, subject: { wantedRevision }, log } as Run<'sync'>;
    const settlement: Settlement<'sync'> = {
      kind: 'sync',
      subjectId: 'sync',
      runId: `run-${String(index)}`,
      outcome: { status: 'continued', at: now },
      changes: {},
      servedRevision: 1,
      attempt: 0,
      nextDueAt: now,
      requestIds: [],
      awsCalls: {},
      ...turn,
    };
    const slowedUntil = slowHotLoop({ hotLoops }, run, settlement);
    return slowedUntil && (slowedUntil.getTime() - now.getTime()) / 1_000;
  });
}

const times = (count: number, turn: (index: number) => Turn = () => ({})) =>
  Array.from({ length: count }, (_, index) => turn(index));
const isSlowed = (slowed: readonly (number | undefined)[]) => slowed.some((seconds) => seconds !== undefined);
const inAnHour = new Date(START + 3_600_000);

describe('a hot loop', () => {
  it('is the 21st settlement within a minute without a change, and what follows it', () => {
    expect(settleAll(times(22))).toEqual([...times(20, () => undefined as never), 60, 60]);
  });

  it('is found although two outcomes alternate', () => {
    const answered: Turn = { outcome: { status: 'succeeded', counts: noCounts }, requestIds: ['a'] };
    const slowed = settleAll(times(24, (index) => (index % 2 === 0 ? {} : answered)));
    expect(slowed.findIndex((seconds) => seconds !== undefined)).toBe(21);
  });

  it('is a run that leaves what is wanted, whatever its schedule says', () => {
    const left: Turn = { outcome: { status: 'succeeded' }, nextDueAt: inAnHour, wantedRevision: 2 };
    expect(isSlowed(settleAll(times(21, () => left)))).toBe(true);
  });

  it('stays slowed until something changes', () => {
    const hotLoops = createHotLoops();
    expect(settleAll(times(21), { hotLoops }).at(-1)).toBe(60);
    expect(settleAll(times(2), { hotLoops, everyMs: 60_000 })).toEqual([60, 60]);
    expect(settleAll([{ servedRevision: 2 }, {}], { hotLoops })).toEqual([undefined, undefined]);
  });

  it.each<[string, (index: number) => Turn]>([
    [
      'writes something',
      (index) => ({
        outcome: { status: 'continued', at: new Date(START), counts: { ...noCounts, created: 50 * index } },
      }),
    ],
    ['serves a new revision', (index) => ({ servedRevision: index })],
    ['answers a new request', (index) => ({ outcome: { status: 'succeeded' }, requestIds: [String(index)] })],
    ['waits', (index) => ({ nextDueAt: new Date(START + index * 1_000 + 3_001) })],
    ['is done until its schedule', () => ({ outcome: { status: 'succeeded' }, nextDueAt: inAnHour })],
    ['is done', () => ({ outcome: { status: 'succeeded' }, nextDueAt: null })],
  ])('is none when each run %s', (_case, turn) => {
    expect(isSlowed(settleAll(times(100, turn)))).toBe(false);
  });

  it('is none at one run in three seconds', () => {
    expect(isSlowed(settleAll(times(100), { everyMs: 3_001 }))).toBe(false);
  });

  it('names both states', () => {
    const { turn } = createHotLoops();
    const states = ['continued', 'blocked DB_GUARDED'];
    const loops = times(21).map((_, index) =>
      turn({ subjectId: 'a', atMs: index, standing: 'same', state: states[index % 2] ?? '' }),
    );
    expect(loops.at(-1)).toEqual({ settlements: 21, states: ['blocked DB_GUARDED', 'continued'] });
  });

  it('is looked for in a bounded number of subjects', () => {
    const { turn } = createHotLoops(2);
    const settle = (subjectId: string) => turn({ subjectId, atMs: 0, standing: 'same', state: 'continued' });
    times(20).forEach(() => settle('a'));
    settle('b');
    expect(settle('a')).toBeDefined();
    settle('b');
    settle('c');
    expect(settle('a')).toBeUndefined();
  });
});
