import { describe, expect, it } from 'vitest';

import { countUnaskedWrites, type ClaimedSync } from '../../../src/domain/unasked-writes.ts';

type Given = Partial<Omit<ClaimedSync, 'subject'>> & { readonly subject?: Partial<ClaimedSync['subject']> };

/** The hourly check of an automatic sync in order, which only detects drift. */
function claimed({ subject, ...run }: Given = {}): ClaimedSync {
  return {
    kind: 'sync',
    requestKind: undefined,
    reason: 'scheduled',
    statusBefore: 'succeeded',
    unchangedEntries: 3,
    ...run,
    subject: {
      isAutoSyncEnabled: true,
      pausedAt: null,
      wantedRevision: 4,
      doneRevision: 4,
      syncOptions: { drift: 'detect' },
      ...subject,
    },
  };
}

const calls = { 'ssm.PutParameter': 2, 'ssm.GetParameters': 5, 'secretsmanager.DeleteSecret': 1, 'sts.AssumeRole': 1 };
const manual = { isAutoSyncEnabled: false };
const paused = { pausedAt: new Date(0) };

describe('writes that nobody asked for', () => {
  it.each<[string, Given]>([
    ['a check of a sync in order that only detects', {}],
    ['a requested check', { requestKind: 'check', reason: 'requested', subject: { syncOptions: { drift: 'repair' } } }],
    ['a plan', { kind: 'plan', requestKind: 'plan', reason: 'requested' }],
    ['an import', { kind: 'import', requestKind: 'import', reason: 'requested' }],
    ['a manual sync whose folder changed', { reason: 'changed', subject: { ...manual, wantedRevision: 5 } }],
    ['a manual sync on schedule, also with repair', { subject: { ...manual, syncOptions: { drift: 'repair' } } }],
    ['a new manual sync', { reason: 'created', unchangedEntries: undefined, subject: manual }],
    ['a manual sync whose request was answered before', { reason: 'requested', subject: manual }],
    ['a paused sync', { reason: 'changed', subject: { ...paused, wantedRevision: 5 } }],
  ])('are those of %s', (_case, given) => {
    expect(countUnaskedWrites(claimed(given), calls)).toBe(3);
  });

  it.each<[string, Given]>([
    ['a request to sync, also of a paused manual sync', { requestKind: 'sync', subject: { ...manual, ...paused } }],
    ['a request to remove', { kind: 'remove', requestKind: 'remove', subject: manual }],
    ['a change of an automatic sync', { reason: 'changed', unchangedEntries: undefined }],
    ['the creation of an automatic sync', { reason: 'created', unchangedEntries: undefined }],
    ['the repair schedule', { subject: { syncOptions: { drift: 'repair' } } }],
    ['the schedule after a failure', { statusBefore: 'partial' }],
    ['the schedule with a change on record', { subject: { wantedRevision: 5 } }],
    ['the schedule with unfinished work', { unchangedEntries: undefined }],
  ])('are none for %s', (_case, given) => {
    expect(countUnaskedWrites(claimed(given), calls)).toBe(0);
  });

  it('are none of a run that only reads', () => {
    const reads = { 'ssm.GetParameters': 3, 'secretsmanager.BatchGetSecretValue': 1, 'sts.AssumeRole': 1 };
    expect(countUnaskedWrites(claimed(), reads)).toBe(0);
  });
});
