import { describe, expect, it } from 'vitest';

import { countUnaskedWrites, type ClaimedSync } from '../../../src/domain/unasked-writes.ts';

const automatic = { isAutoSyncEnabled: true, pausedAt: null };
const manual = { isAutoSyncEnabled: false, pausedAt: null };
const paused = { isAutoSyncEnabled: true, pausedAt: new Date(0) };
const calls = { 'ssm.PutParameter': 2, 'ssm.GetParameters': 5, 'secretsmanager.DeleteSecret': 1, 'sts.AssumeRole': 1 };

describe('writes that nobody asked for', () => {
  it.each<[string, ClaimedSync]>([
    ['a requested check', { kind: 'sync', requestKind: 'check', subject: automatic }],
    ['a plan', { kind: 'plan', requestKind: 'plan', subject: automatic }],
    ['an import', { kind: 'import', requestKind: 'import', subject: automatic }],
    ['a removal without its request', { kind: 'remove', requestKind: undefined, subject: automatic }],
    ['a manual sync without a request', { kind: 'sync', requestKind: undefined, subject: manual }],
    ['a paused sync without a request', { kind: 'sync', requestKind: undefined, subject: paused }],
  ])('are those of %s', (_case, run) => {
    expect(countUnaskedWrites(run, calls)).toBe(3);
  });

  it.each<[string, ClaimedSync]>([
    ['a request to sync a manual sync', { kind: 'sync', requestKind: 'sync', subject: manual }],
    ['a request to sync a paused sync', { kind: 'sync', requestKind: 'sync', subject: paused }],
    ['a request to remove', { kind: 'remove', requestKind: 'remove', subject: manual }],
    ['whatever makes an automatic sync due', { kind: 'sync', requestKind: undefined, subject: automatic }],
  ])('are none for %s', (_case, run) => {
    expect(countUnaskedWrites(run, calls)).toBe(0);
  });

  it('are none of a run that only reads', () => {
    const reads = { 'ssm.GetParameters': 3, 'secretsmanager.BatchGetSecretValue': 1, 'sts.AssumeRole': 1 };
    expect(countUnaskedWrites({ kind: 'sync', requestKind: undefined, subject: manual }, reads)).toBe(0);
  });
});
