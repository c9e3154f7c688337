/**
 * The ledger of one run: the rows in memory, and the way they are stored, many in one statement. A
 * claim is durable before the call it announces; a result is stored as soon as the statement before
 * it has finished.
 */
import type { LedgerRun, SyncEntries } from '../../db/sync/entries.ts';
import type { LedgerEntry } from '../../domain/sync/ledger.ts';
import { createBatcher } from '../../concurrency/batcher.ts';

export interface Ledger {
  /** As stored last. */
  all(): readonly LedgerEntry[];
  get(id: string): LedgerEntry | undefined;
  /** False: another sync holds the name, and nothing may be written there. */
  claim(entry: LedgerEntry): Promise<boolean>;
  store(entry: LedgerEntry): Promise<void>;
  storeAll(entries: readonly LedgerEntry[]): Promise<void>;
  forget(entries: readonly LedgerEntry[]): Promise<void>;
}

const BATCH = 200;

export function createLedger(entries: SyncEntries, run: LedgerRun, rows: readonly LedgerEntry[]): Ledger {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const claim = createBatcher<LedgerEntry, boolean>(BATCH, async (batch) => {
    const claimed = await entries.claim(run, batch);
    for (const entry of batch) if (claimed.has(entry.id)) byId.set(entry.id, entry);
    return batch.map((entry) => claimed.has(entry.id));
  });
  const store = createBatcher<LedgerEntry, true>(BATCH, async (batch) => {
    await entries.store(run, batch);
    for (const entry of batch) byId.set(entry.id, entry);
    return batch.map(() => true as const);
  });
  return {
    all: () => [...byId.values()],
    get: (id) => byId.get(id),
    claim,
    store: async (entry) => {
      await store(entry);
    },
    async storeAll(batch) {
      await Promise.all(batch.map(store));
    },
    async forget(gone) {
      await entries.forget(
        run,
        gone.map((entry) => entry.id),
      );
      for (const entry of gone) byId.delete(entry.id);
    },
  };
}
