/** Which word of an entry people see, on the page and on the command line. */
import { expect, it } from 'vitest';

import { shownState } from '../../../src/domain/sync/ledger.ts';

it.each([
  ['synced', null, 'synced'],
  ['synced', 'value', 'drifted'],
  ['failed', 'value', 'failed'],
  ['deleted', null, 'deleted'],
] as const)('an entry that is %s with drift %s is shown as %s', (status, drift, shown) => {
  expect(shownState({ status, drift })).toBe(shown);
});
