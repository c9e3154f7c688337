/** The ledger's rows of one JSON secret: one for the secret as a whole, and one for each key in it. */
import { newEntry, removed } from '../../../../domain/sync/entry.ts';
import { isSamePlace, type LedgerEntry, WHOLE_SECRET } from '../../../../domain/sync/ledger.ts';
import type { SyncWork } from '../../work.ts';

export const isInDocument = (entry: LedgerEntry, whole: LedgerEntry) =>
  entry.remoteName === whole.remoteName && isSamePlace(entry, whole);

/** Keys of one document, as the ledger stands. */
export function keysOf(work: SyncWork, whole: LedgerEntry): readonly LedgerEntry[] {
  return work.ledger.all().filter((entry) => entry.key !== WHOLE_SECRET && isInDocument(entry, whole));
}

/** The name of a key inside the JSON, which the schema of its own time gave it. */
export function documentKeyIn(work: SyncWork, entry: LedgerEntry): string {
  return entry.observed.documentKey ?? work.desired.find((one) => one.key === entry.key)?.documentKey ?? entry.key;
}

export function keyEntry(work: SyncWork, whole: LedgerEntry, key: string): LedgerEntry {
  const { partition, accountId, region, service, syncId, connectionId, remoteName } = whole;
  const origin = {
    id: crypto.randomUUID(),
    syncId,
    connectionId,
    folderId: work.folder.id,
    place: { partition, accountId, region, service },
  };
  return newEntry(origin, { remoteName, key, settings: { keyId: null, tags: {} } });
}

export async function storeRemoved(work: SyncWork, whole: LedgerEntry): Promise<void> {
  const now = work.run.now();
  await work.ledger.storeAll([whole, ...keysOf(work, whole)].map((entry) => removed(entry, now)));
}
