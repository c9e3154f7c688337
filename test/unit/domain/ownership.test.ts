/** Whose an object is, by the value of its ownership tag. */
import fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  isOurs,
  missingTags,
  OWNERSHIP_TAG,
  ownershipTag,
  ownershipTags,
  whoseTag,
} from '../../../src/domain/ownership.ts';

const owner = { installationId: 'installation-1', syncId: 'sync-1' };

test.each([
  [undefined, 'none'],
  ['installation-1/sync-1', 'ours'],
  ['sync-1', 'ours-old-form'],
  ['installation-1/sync-2', 'other-sync'],
  ['sync-2', 'other-sync'],
  ['installation-2/sync-1', 'other-installation'],
  ['', 'other-sync'],
  ['/sync-1', 'other-installation'],
  ['installation-1/', 'other-sync'],
] as const)('the value %s is %s', (value, whose) => {
  expect(whoseTag(value, owner)).toBe(whose);
});

test('no owner takes what another owner marked', () => {
  const owners = fc.record({ installationId: fc.uuid(), syncId: fc.uuid() });
  fc.assert(
    fc.property(owners, owners, (mine, theirs) => {
      fc.pre(mine.syncId !== theirs.syncId || mine.installationId !== theirs.installationId);
      expect(isOurs(whoseTag(ownershipTag(theirs), mine))).toBe(false);
      expect(ownershipTags(mine).every((value) => isOurs(whoseTag(value, mine)))).toBe(true);
    }),
  );
});

test('the old form is replaced only with a tag write that happens anyway', () => {
  const old = { [OWNERSHIP_TAG]: 'sync-1', team: 'core' };
  expect(missingTags({ team: 'core' }, old, owner)).toEqual({});
  expect(missingTags({ team: 'web' }, old, owner)).toEqual({ team: 'web', [OWNERSHIP_TAG]: 'installation-1/sync-1' });
  expect(missingTags({}, {}, owner)).toEqual({ [OWNERSHIP_TAG]: 'installation-1/sync-1' });
});
