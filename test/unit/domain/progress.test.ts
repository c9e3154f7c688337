import { expect, test } from 'vitest';

import { finalProgress } from '../../../src/domain/progress.ts';

const noted = { done: 2_999, total: 3_000, perSecond: 30, secondsLeft: 1 };

test('a run that ended has no time left, and has done everything when it succeeded', () => {
  expect(finalProgress({ status: 'succeeded', kind: 'sync' }, noted)).toEqual({
    ...noted,
    done: 3_000,
    secondsLeft: null,
  });
  expect(finalProgress({ status: 'failed', kind: 'sync' }, noted)).toEqual({ ...noted, secondsLeft: null });
  expect(finalProgress({ status: 'succeeded', kind: 'validate' }, null)).toBeNull();
});

test.each(['running', 'continued'] as const)('a run that is %s keeps its estimate', (status) => {
  expect(finalProgress({ status, kind: 'sync' }, noted)).toEqual(noted);
});
