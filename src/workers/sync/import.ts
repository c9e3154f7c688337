/**
 * Import: what exists at the destination under the sync's names goes into the folder. Nothing at AWS changes, and what was imported does not become
 * ours by it: taking over stays an explicit choice (`--on-existing adopt`).
 */
import type { SecretName } from '../../db/folders.ts';
import { settingsFor } from '../../domain/sync/desired.ts';
import { newEntry } from '../../domain/sync/entry.ts';
import type { EntrySettings, LedgerEntry } from '../../domain/sync/ledger.ts';
import type { Found } from './destinations/destination.ts';
import { openDestination } from './destinations/open.ts';
import { fingerprintOf } from './values.ts';
import type { SyncWork } from './work.ts';

export type ImportBehavior = 'prioritize-source' | 'prioritize-destination';

export interface ImportResult {
  /** Keys written into the folder. */
  readonly imported: readonly string[];
  /** Keys whose value in the folder was kept. */
  readonly kept: readonly string[];
  /** Keys that a rotation manages: nobody else writes them. */
  readonly managed: readonly string[];
  /** Names that hold nothing to import: empty, binary, no JSON object, or a key that PostgreSQL cannot hold. */
  readonly unreadable: readonly string[];
  /** Names that another sync, an AWS service or a rotation writes: their values are never imported. */
  readonly others: readonly string[];
}

export interface ImportMode {
  readonly behavior: ImportBehavior;
  /** It is the first run's own import, not one that a person asked for. */
  readonly isInitial: boolean;
}

export async function importSecrets(work: SyncWork, { behavior, isInitial }: ImportMode): Promise<ImportResult> {
  const all = await markOthers(work, await openDestination(work, work.target.kind).readAll());
  const found = all.filter((one) => one.isOthers !== true);
  const mayBeEmpty = work.target.kind.holdsAllKeys;
  const readable = found.filter((one) => one.value !== undefined && (mayBeEmpty || one.value !== ''));
  const present = new Map((await work.deps.folders.names(work.folder.id)).map((secret) => [secret.key, secret]));
  const managed = readable.filter((one) => isManaged(present.get(one.key))).map((one) => one.key);
  const isKept = (one: Found) =>
    managed.includes(one.key) || (behavior === 'prioritize-source' && present.has(one.key));
  const wanted = readable.filter((one) => !isKept(one));
  const changes = wanted.map(({ key, value }) => ({ key, value: value ?? '' }));
  const change = isInitial
    ? await work.deps.folders.importInto(work.folder, changes, { syncId: work.sync.id, runId: work.run.id })
    : await work.deps.folders.change(work.folder, changes, 'merge');
  if (work.planOptions.onExisting === 'fail') await noteEqual(work, wanted, change.revision);
  return {
    imported: wanted.map((one) => one.key),
    kept: readable.filter((one) => isKept(one) && !managed.includes(one.key)).map((one) => one.key),
    managed,
    unreadable: found.filter((one) => !readable.includes(one)).map((one) => one.remoteName),
    others: all.filter((one) => one.isOthers === true).map((one) => one.remoteName),
  };
}

/** What another sync holds, of whatever org, belongs into another folder. The ledger knows it where a tag was removed or cannot be read. */
async function markOthers(work: SyncWork, all: readonly Found[]): Promise<readonly Found[]> {
  const names = [...new Set(all.map((one) => one.remoteName))];
  const held = await work.deps.entries.heldByOthers(work.sync.id, work.place, names);
  return all.map((one) => (held.has(one.remoteName) ? { ...one, value: undefined, isOthers: true } : one));
}

function isManaged(secret: SecretName | undefined): boolean {
  return secret !== undefined && secret.managedBy !== null;
}

/** Foreign objects that hold the same value now: nothing is to be done for them until the source changes. */
async function noteEqual(work: SyncWork, imported: readonly Found[], revision: number): Promise<void> {
  const known = new Set(work.ledger.all().map((entry) => `${entry.remoteName}\n${entry.key}`));
  const fresh = imported.filter((one) => !known.has(`${one.remoteName}\n${one.key}`));
  await work.ledger.storeAll(fresh.map((one) => toEqualEntry(work, one, revision)));
}

function toEqualEntry(work: SyncWork, found: Found, revision: number): LedgerEntry {
  const isKey = work.target.kind.holdsAllKeys;
  const settings: EntrySettings = isKey ? { keyId: null, tags: {} } : settingsFor({ metadata: {} }, work);
  const origin = {
    id: crypto.randomUUID(),
    syncId: work.sync.id,
    connectionId: work.connection.id,
    folderId: work.folder.id,
    place: work.place,
  };
  return {
    ...newEntry(origin, { remoteName: found.remoteName, key: found.key, settings }),
    status: 'skipped',
    errorMessage:
      'Imported, and not managed by this sync. To let later changes reach it, allow adoption with --on-existing adopt.',
    remoteVersion: found.version,
    fingerprint: fingerprintOf(work, found, { value: found.value ?? '', settings }),
    syncedRevision: revision,
  };
}
