/**
 * The ledger of one run: the rows in memory, and the way they are stored, many in one statement. A
 * claim is durable before the call it announces; a result is stored as soon as the statement before
 * it is through.
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

interface Pending {
  readonly entry: LedgerEntry;
  /** The name is taken before anything is written there. */
  readonly isClaim: boolean;
}

export function createLedger(entries: SyncEntries, run: LedgerRun, rows: readonly LedgerEntry[]): Ledger {
  const byId = new Map(rows.map((row) => [row.id, row]));
  // Claims and results of all lanes share each statement, which is the same for both.
  const store = createBatcher<Pending, boolean>(BATCH, async (batch) => {
    const rows = batch.map(({ entry }) => entry);
    const hasClaims = batch.some(({ isClaim }) => isClaim);
    const claimed = hasClaims ? await entries.claim(run, rows) : undefined;
    if (!hasClaims) await entries.store(run, rows);
    const isStored = ({ entry, isClaim }: Pending) => !isClaim || claimed?.has(entry.id) === true;
    for (const one of batch) if (isStored(one)) byId.set(one.entry.id, one.entry);
    return batch.map(isStored);
  });
  return {
    all: () => [...byId.values()],
    get: (id) => byId.get(id),
    claim: (entry) => store({ entry, isClaim: true }),
    async store(entry) {
      await store({ entry, isClaim: false });
    },
    async storeAll(batch) {
      await Promise.all(batch.map((entry) => store({ entry, isClaim: false })));
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
