import { expect, test } from 'vitest';

import { withName } from '../../../src/domain/advice.ts';

test.each([
  ['Look at `keyferry sync plan`', 'Look at `keyferry sync plan api`'],
  ['`keyferry sync run --confirm-deletions 4`', '`keyferry sync run api --confirm-deletions 4`'],
  ['`keyferry sync run NAME --accept-source`', '`keyferry sync run api --accept-source`'],
  ['use `keyferry sync pause NAME`.', 'use `keyferry sync pause api`.'],
  ['`keyferry rotation run --skip-sync NAME`', '`keyferry rotation run --skip-sync NAME`'],
  ['`keyferry sync list`', '`keyferry sync list`'],
])('%s names the sync', (advice, expected) => {
  expect(withName(advice, { kind: 'sync', name: 'api' })).toBe(expected);
});
