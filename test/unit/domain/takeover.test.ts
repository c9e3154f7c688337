/** Who may take over what exists. */
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { OWNERSHIP_TAG, whoseTags } from '../../../src/domain/ownership.ts';
import {
  conflictNextStep,
  type Existing,
  findTakeoverProblem,
  isLeftAsWritten,
  judgeTaken,
} from '../../../src/domain/sync/takeover.ts';
import { INSTALLATION, newRow, owner, SYNC } from './sync-fixtures.ts';

const toTags = (value: string | undefined): Record<string, string> =>
  value === undefined ? {} : { [OWNERSHIP_TAG]: value };
const values = [undefined, SYNC, `${INSTALLATION}/${SYNC}`, `${INSTALLATION}/other`, 'other', `elsewhere/${SYNC}`];
const state: fc.Arbitrary<Existing> = fc
  .record(
    {
      value: fc.constantFrom(...values),
      version: fc.constantFrom('1', '2'),
      type: fc.constantFrom('SecureString', 'String', 'StringList'),
      managedBy: fc.constantFrom('rds'),
      formerOwner: fc.record({
        isSameFolder: fc.boolean(),
        lastVersion: fc.constantFrom('1', '2', null),
        documentKeys: fc.constant([]),
        tags: fc.constant({}),
      }),
    },
    { requiredKeys: ['value', 'version'] },
  )
  .map(({ value, ...rest }) => ({
    exists: true,
    tags: toTags(value),
    ...rest,
  }));
const mode = fc.constantFrom('fail' as const, 'adopt' as const);

test('nothing of another installation or a living sync is taken, and nothing but a SecureString', () => {
  fc.assert(
    fc.property(state, mode, fc.boolean(), (found, onExisting, wasOurs) => {
      const entry = { ...newRow('A'), observed: { wasOurs } };
      fc.pre(findTakeoverProblem(found, { onExisting, owner }, entry) === undefined);
      const whose = whoseTags(found.tags ?? {}, owner);
      expect(whose).not.toBe('other-installation');
      expect(whose === 'other-sync' && found.formerOwner === undefined).toBe(false);
      expect(found.type ?? 'SecureString').toBe('SecureString');
      expect(found.managedBy).toBeUndefined();
    }),
  );
});

test('without adopt only what is ours by record is taken', () => {
  fc.assert(
    fc.property(state, fc.boolean(), (found, wasOurs) => {
      const entry = { ...newRow('A'), observed: { wasOurs } };
      fc.pre(findTakeoverProblem(found, { onExisting: 'fail', owner }, entry) === undefined);
      const isMarked = ['ours', 'ours-old-form'].includes(whoseTags(found.tags ?? {}, owner));
      expect((isMarked && wasOurs) || isLeftAsWritten(found)).toBe(true);
    }),
  );
});

test('a conflict advises adopt only where adopt helps', () => {
  fc.assert(
    fc.property(state, fc.boolean(), (found, wasOurs) => {
      const entry = { ...newRow('A'), observed: { wasOurs } };
      const problem = findTakeoverProblem(found, { onExisting: 'fail', owner }, entry);
      fc.pre(
        problem !== undefined && found.managedBy === undefined && (found.type ?? 'SecureString') === 'SecureString',
      );
      const isFinal = findTakeoverProblem(found, { onExisting: 'adopt', owner }, entry) !== undefined;
      expect(conflictNextStep(problem).includes('remove the tag')).toBe(isFinal);
    }),
  );
});

test('a taken name is judged as what has it is, and what waits for deletion is restored only for its owner', () => {
  fc.assert(
    fc.property(state, mode, fc.boolean(), fc.boolean(), (found, onExisting, wasOurs, isScheduled) => {
      const entry = { ...newRow('A'), observed: { wasOurs } };
      const given = isScheduled ? { ...found, deletionScheduledAt: new Date(0) } : found;
      const problem = findTakeoverProblem(given, { onExisting, owner }, entry);
      const { next, ...taken } = judgeTaken(given, { onExisting, owner }, entry);
      const isMarked = ['ours', 'ours-old-form'].includes(whoseTags(found.tags ?? {}, owner));
      if (!isScheduled)
        expect([next, taken]).toEqual(
          problem === undefined ? ['take-over', { isScheduled }] : ['refuse', { reason: problem }],
        );
      else if (isMarked) expect(next).toBe('restore');
      else expect(next).toBe(isLeftAsWritten(found) && problem === undefined ? 'take-over' : 'refuse');
    }),
  );
});
