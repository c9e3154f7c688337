/**
 * The ledger of one run: the rows in memory, and the way they are stored, many in one statement:
 * claims and results alike, since each of them waits for the statement before it. A claim is
 * durable before the call it announces.
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

/** Rows of one statement. */
const BATCH = 200;

interface Write {
  readonly entry: LedgerEntry;
  /** Another sync may hold the name. */
  readonly isClaim: boolean;
}

export function createLedger(entries: SyncEntries, run: LedgerRun, rows: readonly LedgerEntry[]): Ledger {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const write = createBatcher<Write, boolean>(BATCH, async (batch) => {
    const stored = await entries.claim(
      run,
      batch.map(({ entry }) => entry),
    );
    // A result is not for another sync's claim to refuse: on its own it is stored, or fails.
    const left = batch.filter(({ entry, isClaim }) => !isClaim && !stored.has(entry.id));
    await entries.store(
      run,
      left.map(({ entry }) => entry),
    );
    return batch.map(({ entry, isClaim }) => {
      const isDone = !isClaim || stored.has(entry.id);
      if (isDone) byId.set(entry.id, entry);
      return isDone;
    });
  });
  const store = async (entry: LedgerEntry): Promise<void> => {
    await write({ entry, isClaim: false });
  };
  return {
    all: () => [...byId.values()],
    get: (id) => byId.get(id),
    claim: (entry) => write({ entry, isClaim: true }),
    store,
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
