import { describe, expect, it } from 'vitest';

import { countUnaskedWrites, type ClaimedSync } from '../../../src/domain/unasked-writes.ts';

const syncOptions = { drift: 'detect' } as const;
const automatic = { isAutoSyncEnabled: true, pausedAt: null, syncOptions };
const manual = { isAutoSyncEnabled: false, pausedAt: null, syncOptions };
const paused = { isAutoSyncEnabled: true, pausedAt: new Date(0), syncOptions };
const repairing = { ...automatic, syncOptions: { drift: 'repair' } } as const;
const counts = { 'ssm.PutParameter': 2, 'ssm.GetParameters': 5, 'secretsmanager.DeleteSecret': 1, 'sts.AssumeRole': 1 };
const calls = { counts, rewrites: 0 };
const rewriting = { counts, rewrites: 2 };

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

  it('are what an automatic sync that only detects drift wrote again', () => {
    expect(countUnaskedWrites({ kind: 'sync', requestKind: undefined, subject: automatic }, rewriting)).toBe(2);
  });

  it.each<[string, ClaimedSync]>([
    ['a sync that repairs drift', { kind: 'sync', requestKind: undefined, subject: repairing }],
    ['a request to sync', { kind: 'sync', requestKind: 'sync', subject: automatic }],
  ])('are not what %s wrote again', (_case, run) => {
    expect(countUnaskedWrites(run, rewriting)).toBe(0);
  });

  it('are none of a run that only reads', () => {
    const counts = { 'ssm.GetParameters': 3, 'secretsmanager.BatchGetSecretValue': 1, 'sts.AssumeRole': 1 };
    expect(countUnaskedWrites({ kind: 'sync', requestKind: undefined, subject: manual }, { counts, rewrites: 0 })).toBe(
      0,
    );
  });
});
