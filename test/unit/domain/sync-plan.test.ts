import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { DesiredEntry } from '../../../src/domain/sync/desired.ts';
import { begun, notLanded, removed, written } from '../../../src/domain/sync/entry.ts';
import type { RemoteState } from '../../../src/domain/sync/inventory.ts';
import { isOwned, type LedgerEntry } from '../../../src/domain/sync/ledger.ts';
import { type Plan, planSync } from '../../../src/domain/sync/plan.ts';
import { desired, FOLDER, LONG_AGO, newRow, NOW, options, owned, secretPlace, SYNC } from './sync-fixtures.ts';

const exists = (changes: Partial<Extract<RemoteState, { exists: true }>> = {}): RemoteState => ({
  exists: true,
  version: '1',
  lastModified: LONG_AGO.getTime(),
  ...changes,
});

interface Given {
  readonly desired?: readonly DesiredEntry[];
  readonly ledger?: readonly LedgerEntry[];
  readonly inventory?: Readonly<Record<string, RemoteState>>;
  readonly options?: Parameters<typeof options>[0];
}

function plan(given: Given): Plan {
  const { desired: wanted = [], ledger = [], inventory } = given;
  const seen = inventory ? { inventory: new Map(Object.entries(inventory)) } : {};
  return planSync({ desired: wanted, ledger, options: options(given.options), now: NOW, ...seen });
}

/** `create A`, with the reason where it matters. */
function shown(given: Given): readonly string[] {
  return plan(given).entries.map((one) => `${one.action} ${one.key}: ${one.reason}`);
}

test('what is not in the ledger is created, what is equal by revision is unchanged without a fingerprint', () => {
  const result = plan({ desired: [desired('A'), desired('B')], ledger: [owned('B')] });
  expect(result.entries.map((one) => [one.action, one.key])).toEqual([['create', 'A']]);
  expect(result.unchanged.map((one) => one.key)).toEqual(['B']);
});

test('a new revision with the same fingerprint is unchanged; with another it is an update', () => {
  const ledger = [owned('A'), owned('B')];
  const wanted = [
    desired('A', { revision: 2, fingerprint: 'print-A' }),
    desired('B', { revision: 2, fingerprint: 'other' }),
  ];
  expect(shown({ desired: wanted, ledger })).toEqual(['update B: value changed']);
});

test('a revision counts for its own folder only', () => {
  expect(shown({ desired: [desired('A')], ledger: [owned('A', { folderId: 'folder-2' })] })).toEqual([
    'update A: value changed',
  ]);
});

test('changed settings are named', () => {
  const settings = { keyId: 'alias/mine', tags: { team: 'core' }, tier: 'advanced' as const };
  expect(shown({ desired: [desired('A', { settings })], ledger: [owned('A')] })).toEqual([
    'update A: settings changed: KMS key, tier, tags',
  ]);
});

test('a violation is neither written nor deleted', () => {
  const problem = { code: 'SYNC_ENTRY_INVALID' as const, message: 'too long' };
  expect(shown({ desired: [desired('A', { problem })], ledger: [owned('A')] })).toEqual(['invalid A: too long']);
});

test.each([
  ['is not ours', {}, 'conflict A: exists and is not managed by this sync'],
  [
    'carries our tag without a record of ours',
    { tags: { 'keyferry:sync': SYNC } },
    'conflict A: carries the tag of this sync, which has no record of it',
  ],
  [
    'belongs to another sync',
    { tags: { 'keyferry:sync': 'other' } },
    'conflict A: exists and carries the tag of another sync',
  ],
  [
    'belongs to another installation',
    { tags: { 'keyferry:sync': `installation-2/${SYNC}` } },
    'conflict A: exists and belongs to another keyferry installation',
  ],
  ['is managed by a service', { managedBy: 'rds' }, 'conflict A: exists and is managed by rds'],
] as const)('an object that %s', (_what, state, verdict) => {
  expect(shown({ desired: [desired('A')], inventory: { '/app/A': exists(state) } })).toEqual([verdict]);
});

test('our tag is believed where a write of ours may have arrived, or for adopt', () => {
  const lost = notLanded(
    begun(newRow('A'), { operation: 'create', runId: 'run-1', at: NOW.toISOString(), baseVersion: null }),
  );
  const inventory = { '/app/A': exists({ tags: { 'keyferry:sync': SYNC } }) };
  const verdict = 'adopt A: carries the tag of this sync';
  expect(shown({ desired: [desired('A')], ledger: [lost], inventory })).toEqual([verdict]);
  expect(shown({ desired: [desired('A')], inventory, options: { onExisting: 'adopt' } })).toEqual([verdict]);
});

test('taking over is an explicit choice, and never of another sync or another type', () => {
  const choose = (state: Partial<Extract<RemoteState, { exists: true }>>) =>
    plan({ desired: [desired('A')], inventory: { '/app/A': exists(state) }, options: { onExisting: 'adopt' } })
      .entries[0]?.action;
  expect(choose({})).toBe('adopt');
  expect(choose({ type: 'String' })).toBe('conflict');
  expect(choose({ tags: { 'keyferry:sync': 'other' } })).toBe('conflict');
  expect(choose({ tags: { 'keyferry:sync': `installation-2/${SYNC}` } })).toBe('conflict');
});

test('a deleted secret that comes back is restored, a parameter made anew', () => {
  const gone = removed(owned('A'), NOW);
  const secret = { ...gone, service: 'secretsmanager' as const };
  expect(plan({ desired: [desired('A')], ledger: [gone] }).entries[0]?.action).toBe('create');
  expect(plan({ desired: [desired('A')], ledger: [secret], options: { place: secretPlace } }).entries[0]?.action).toBe(
    'restore',
  );
});

test('what is in flight is never unchanged', () => {
  const inFlight = { operation: 'update' as const, runId: 'r', at: NOW.toISOString(), baseVersion: '1' };
  expect(shown({ desired: [desired('A')], ledger: [owned('A', { inFlight })] })).toEqual([
    'update A: the answer to an earlier write is not known',
  ]);
});

test('drift of an unchanged entry is told, not planned; with a change it is a conflict; in repair it is overwritten', () => {
  const inventory = { '/app/A': exists({ version: '7' }) };
  const still = plan({ desired: [desired('A')], ledger: [owned('A')], inventory });
  expect([still.entries.length, still.unchanged[0]?.drift]).toEqual([0, 'changed']);
  const changed = { desired: [desired('A', { revision: 2 })], ledger: [owned('A')], inventory };
  expect(shown(changed)).toEqual(['conflict A: was changed at AWS outside keyferry; not overwritten']);
  expect(shown({ ...changed, options: { overwritesDrift: true } })).toEqual([
    'update A: was changed at AWS outside keyferry',
  ]);
});

test('an object that lost our tag is not ours any more, also in repair', () => {
  const inventory = { '/app/A': exists({ tags: {} }) };
  const given = { desired: [desired('A')], ledger: [owned('A')], inventory, options: { overwritesDrift: true } };
  expect(shown(given)).toEqual(['conflict A: no longer carries the tag of this sync: another owner took it over']);
});

test('what left the source is deleted, what moved is replaced, with --no-delete both stay', () => {
  const ledger = [owned('A'), owned('B', { remoteName: '/old/B' })];
  const given = { desired: [desired('B', { remoteName: '/app/B' })], ledger };
  const deletions = plan(given).entries.filter((one) => one.action === 'delete');
  expect(deletions.map((one) => [one.key, one.isReplaced])).toEqual([
    ['A', false],
    ['B', true],
  ]);
  expect(plan({ ...given, options: { keepsDeleted: true } }).entries.map((one) => one.action)).toEqual(['create']);
});

test('rows of refusals and of another place are not taken for ours', () => {
  const elsewhere = owned('A', { region: 'us-east-1' });
  const refused = { ...owned('B'), remoteVersion: null, status: 'conflict' as const };
  const result = plan({ desired: [desired('A')], ledger: [elsewhere, refused] });
  expect(result.entries.map((one) => [one.action, one.key])).toEqual([
    ['create', 'A'],
    ['delete', 'A'],
  ]);
});

const values = fc.dictionary(fc.constantFrom('A', 'B', 'C', 'D', 'E'), fc.constantFrom('1', '2', '3'));

test('carrying out the plan from any state to any source leaves exactly the source, and then nothing to do', () => {
  fc.assert(
    fc.property(values, values, (before, after) => {
      const ledger = Object.entries(before).map(([key, value]) => owned(key, { fingerprint: value }));
      const wanted = Object.entries(after).map(([key, value]) => desired(key, { revision: 2, fingerprint: value }));
      const carriedOut = apply(ledger, plan({ desired: wanted, ledger }));
      expect(Object.fromEntries(carriedOut.filter(isOwned).map((entry) => [entry.key, entry.fingerprint]))).toEqual(
        after,
      );
      expect(plan({ desired: wanted, ledger: carriedOut }).entries).toEqual([]);
    }),
  );
});

test('nothing outside the ledger is ever updated or deleted', () => {
  const states = fc.dictionary(fc.constantFrom('/app/A', '/app/B', '/app/X'), fc.constant(exists()));
  fc.assert(
    fc.property(values, values, states, (before, after, inventory) => {
      const ledger = Object.entries(before).map(([key, value]) => owned(key, { fingerprint: value }));
      const wanted = Object.entries(after).map(([key, value]) => desired(key, { fingerprint: value }));
      const touched = plan({ desired: wanted, ledger, inventory }).entries.filter((one) =>
        ['update', 'delete', 'adopt', 'restore'].includes(one.action),
      );
      for (const one of touched) expect(before).toHaveProperty(one.key);
    }),
  );
});

function apply(ledger: readonly LedgerEntry[], { entries }: Plan): readonly LedgerEntry[] {
  const rows = new Map(ledger.map((entry) => [entry.key, entry]));
  for (const { action, key, desired: wanted, entry } of entries) {
    if (action === 'delete' && entry) rows.set(key, removed(entry, NOW));
    if (!wanted) continue;
    const by = {
      version: '2',
      fingerprint: wanted.fingerprint ?? '',
      revision: wanted.revision,
      settings: wanted.settings,
      folderId: FOLDER,
      at: NOW,
    };
    rows.set(key, written(entry ?? owned(key), by));
  }
  return [...rows.values()];
}
