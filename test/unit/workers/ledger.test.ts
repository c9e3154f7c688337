import { setImmediate } from 'node:timers/promises';

import { expect, test } from 'vitest';

import type { SyncEntries } from '../../../src/db/sync/entries.ts';
import { newEntry } from '../../../src/domain/sync/entry.ts';
import type { LedgerEntry } from '../../../src/domain/sync/ledger.ts';
import { createLedger } from '../../../src/workers/sync/ledger.ts';

const place = { partition: 'aws', accountId: '111122223333', region: 'eu-west-1', service: 'ssm' } as const;
const origin = { syncId: 'sync', connectionId: 'connection', folderId: 'folder', place };
const settings = { keyId: null, tags: {} };
const entry = (key: string): LedgerEntry =>
  newEntry({ ...origin, id: key }, { key, remoteName: `/${key}`, settings: { ...settings } });

/** Answers each statement a turn later; `taken` are names of other syncs. */
function createStatements(taken: readonly string[] = []) {
  const statements: string[][] = [];
  const perform = async (_run: unknown, entries: readonly LedgerEntry[]) => {
    statements.push(entries.map(({ id }) => id));
    await setImmediate();
    return new Set(entries.map(({ id }) => id).filter((id) => !taken.includes(id)));
  };
  const entries = {
    claim: perform,
    store: async (...given: Parameters<typeof perform>) => {
      await perform(...given);
    },
  } as unknown as SyncEntries;
  return { entries, statements };
}

const run = { syncId: 'sync', runId: 'run' };

test('claims and results that wait for the same statement share the next one', async () => {
  const { entries, statements } = createStatements();
  const ledger = createLedger(entries, run, []);
  const first = ledger.claim(entry('A'));
  await Promise.resolve();
  const later = [ledger.store(entry('B')), ledger.claim(entry('C')), ledger.store(entry('D'))];
  expect(await first).toBe(true);
  expect(await Promise.all(later)).toEqual([undefined, true, undefined]);
  expect(statements).toEqual([['A'], ['B', 'C', 'D']]);
});

test('a refused claim leaves the results of its statement stored', async () => {
  const { entries } = createStatements(['TAKEN']);
  const ledger = createLedger(entries, run, []);
  const both = [ledger.claim(entry('TAKEN')), ledger.store({ ...entry('A'), remoteVersion: '1' })];
  expect(await Promise.all(both)).toEqual([false, undefined]);
  expect(ledger.get('TAKEN')).toBeUndefined();
  expect(ledger.get('A')).toMatchObject({ remoteVersion: '1' });
});
