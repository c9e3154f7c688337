/**
 * The ledger's rows of one JSON secret: one for the secret as a whole, and one for each key in it.
 */
import { newEntry, removed } from '../../../../domain/sync/entry.ts';
import { isSamePlace, type LedgerEntry, WHOLE_SECRET } from '../../../../domain/sync/ledger.ts';
import type { SyncJob } from '../../job.ts';

export const isInDocument = (entry: LedgerEntry, whole: LedgerEntry) =>
  entry.remoteName === whole.remoteName && isSamePlace(entry, whole);

/** Keys of one document, by the ledger. */
export function keysOf(job: SyncJob, whole: LedgerEntry): readonly LedgerEntry[] {
  return job.ledger.all().filter((entry) => entry.key !== WHOLE_SECRET && isInDocument(entry, whole));
}

/** The name of a key inside the JSON, which the schema of its own time gave it. */
export function documentKeyIn(job: SyncJob, entry: LedgerEntry): string {
  return entry.observed.documentKey ?? job.desired.find((one) => one.key === entry.key)?.documentKey ?? entry.key;
}

export function keyEntry(job: SyncJob, whole: LedgerEntry, key: string): LedgerEntry {
  const { partition, accountId, region, service, syncId, connectionId, remoteName } = whole;
  const origin = {
    id: crypto.randomUUID(),
    syncId,
    connectionId,
    folderId: job.folder.id,
    place: { partition, accountId, region, service },
  };
  return newEntry(origin, { remoteName, key, settings: { keyId: null, tags: {} } });
}

export async function storeRemoved(job: SyncJob, whole: LedgerEntry): Promise<void> {
  const now = job.run.now();
  await job.ledger.storeAll([whole, ...keysOf(job, whole)].map((entry) => removed(entry, now)));
}
