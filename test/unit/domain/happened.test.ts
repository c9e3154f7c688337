import { expect, test } from 'vitest';

import { happenedIn } from '../../../src/domain/happened.ts';

const run = { kind: 'sync', status: 'succeeded', counts: null, progress: null, result: null } as const;
const change = { action: 'create', key: 'A' };

test.each([
  ['counts', { counts: { created: 2, updated: 0, conflicts: 1 } }, '2 created, 1 conflict'],
  ['a plan', { kind: 'plan', result: { changes: [change], unchanged: 1_200 } }, '1 change planned, 1,200 unchanged'],
  ['a plan of everything', { kind: 'plan', result: { changes: [change, change] } }, '2 changes planned'],
  ['a plan of nothing', { kind: 'plan', result: { changes: [], unchanged: 3 } }, '0 changes planned, 3 unchanged'],
  ['a plan that failed', { kind: 'plan', status: 'failed' }, ''],
  ['a plan that has begun', { kind: 'plan', status: 'running' }, ''],
  [
    'progress',
    { status: 'running', progress: { done: 5, total: 9, perSecond: null, secondsLeft: null } },
    '5 of 9 written',
  ],
] as const)('a run with %s says so', (_name, is, words) => {
  expect(happenedIn({ ...run, ...is })).toBe(words);
});
