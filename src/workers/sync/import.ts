/**
 * Import: what exists at the destination under the sync's names goes into the folder. Nothing at
 * AWS changes, and importing an object does not take it over: that stays an explicit choice
 * (`--on-existing adopt`).
 */
import type { SourceName } from '../../db/sync/source.ts';
import { nameKey } from '../../domain/sync/plan.ts';
import { settingsOfEntry } from '../../domain/sync/desired.ts';
import { newEntry } from '../../domain/sync/entry.ts';
import type { LedgerEntry } from '../../domain/sync/ledger.ts';
import { type Owner, whoseTags } from '../../domain/ownership.ts';
import type { ImportResult } from '../../domain/sync/import-result.ts';
import type { ImportBehavior } from '../../domain/sync/parameters.ts';
import { isSelected } from '../../domain/patterns.ts';
import { isSecretKey } from '../../domain/secret-input.ts';
import { parseSourceKey } from '../../domain/source-key.ts';
import type { Inventory } from '../../domain/sync/inventory.ts';
import type { Existing } from '../../domain/sync/takeover.ts';
import { cutText, toStorable } from '../../domain/text.ts';
import type { Destination, Found } from './destinations/destination.ts';
import { openDestination } from './destinations/open.ts';
import { withFormerOwners } from './former-owners.ts';
import { fingerprintOf } from './values.ts';
import type { SyncJob } from './job.ts';
import { writeBack } from './write-back.ts';

export interface ImportMode {
  readonly behavior: ImportBehavior;
  /** It is the first run's own import, not one that a person asked for. */
  readonly isInitial: boolean;
}

export async function importSecrets(job: SyncJob, { behavior, isInitial }: ImportMode): Promise<ImportResult> {
  const destination = openDestination(job, job.target.kind);
  const all = await markHeld(job, await readSelected(job, destination));
  const found = all.filter((one) => one.isOthers !== true);
  const taken = found.filter((one) => isSecretKey(parseSourceKey(one.key).key));
  const { takesEmptyValues } = job.target.kind;
  const readable = taken.filter((one) => one.value !== undefined && (takesEmptyValues || one.value !== ''));
  const present = new Map((await job.deps.source.names(job.folder)).map((secret) => [secret.key, secret]));
  const managed = readable.filter((one) => isManaged(present.get(one.key))).map((one) => one.key);
  const isKept = (one: Found) =>
    managed.includes(one.key) || (behavior === 'prioritize-source' && present.has(one.key));
  const offered = readable.filter((one) => !isKept(one));
  const marked = await findMarked(job, destination, offered);
  const wanted = offered.filter((one) => !marked.includes(one));
  const revisions = await putIntoFolders(job, wanted, { isInitial });
  if (job.planOptions.onExisting === 'fail') await noteEqual(job, wanted, revisions);
  return {
    imported: wanted.map((one) => one.key),
    kept: readable.filter((one) => isKept(one) && !managed.includes(one.key)).map((one) => one.key),
    managed,
    unreadable: taken.filter((one) => !readable.includes(one)).map((one) => one.remoteName),
    refused: found.filter((one) => !taken.includes(one)).map((one) => nameOfKey(one.key)),
    others: [...all.filter((one) => one.isOthers === true), ...marked].map((one) => one.remoteName),
  };
}

/** What the sync's patterns leave out does not concern it. */
async function readSelected(job: Pick<SyncJob, 'options'>, destination: Destination): Promise<readonly Found[]> {
  return (await destination.readAll()).filter(({ key }) => isSelected(job.options, key));
}

/** It may be any text of an object of somebody else. */
const nameOfKey = (key: string): string => cutText(toStorable(key), 256);

async function putIntoFolders(
  job: Pick<SyncJob, 'deps' | 'folder' | 'sync' | 'run'>,
  wanted: readonly Found[],
  { isInitial }: Pick<ImportMode, 'isInitial'>,
): Promise<Revisions> {
  const changes = wanted.map(({ key, value }) => ({ key, value: value ?? '' }));
  return writeBack(job, changes, isInitial ? { syncId: job.sync.id, runId: job.run.id } : undefined);
}

/** Of the folders after the import, by their paths. */
type Revisions = ReadonlyMap<string, number>;

/**
 * What carries the tag of another sync, of this installation or of another. Reads of values come
 * without tags where each object is a parameter, so that each one that would be imported costs a
 * call.
 */
async function findMarked(
  job: Pick<SyncJob, 'owner' | 'findFormerOwner'>,
  destination: Destination,
  offered: readonly Found[],
): Promise<readonly Found[]> {
  const inventory: Inventory = new Map(
    offered.map(({ remoteName, version }) => [remoteName, { exists: true, version }]),
  );
  const identified = await destination.identify([...inventory.keys()], inventory);
  const known = await withFormerOwners(job, identified);
  return offered.filter(({ remoteName }) => {
    const state = known.get(remoteName);
    return state?.exists === true && isMarkedByOthers(state, job.owner);
  });
}

/** What a deleted sync of the same folder left is nobody's. */
function isMarkedByOthers({ tags = {}, formerOwner }: Existing, owner: Owner): boolean {
  const whose = whoseTags(tags, owner);
  return whose === 'other-installation' || (whose === 'other-sync' && formerOwner?.isSameFolder !== true);
}

/**
 * What another sync holds, of whatever org, belongs into another folder. The ledger knows it where
 * a tag was removed or cannot be read.
 */
async function markHeld(
  job: Pick<SyncJob, 'deps' | 'sync' | 'place'>,
  all: readonly Found[],
): Promise<readonly Found[]> {
  const names = [...new Set(all.map((one) => one.remoteName))];
  const held = await job.deps.entries.heldByOthers(job.sync.id, job.place, names);
  return all.map((one) => (held.has(one.remoteName) ? { ...one, value: undefined, isOthers: true } : one));
}

function isManaged(secret: SourceName | undefined): boolean {
  return secret !== undefined && secret.managedBy !== null;
}

/**
 * Foreign objects that now hold the same value: nothing needs to be done until the source changes.
 */
async function noteEqual(job: SyncJob, imported: readonly Found[], revisions: Revisions): Promise<void> {
  const known = new Set(job.ledger.all().map(nameKey));
  const fresh = imported.filter((one) => !known.has(nameKey(one)));
  await job.ledger.storeAll(fresh.map((one) => toEqualEntry(job, one, revisions)));
}

function toEqualEntry(job: SyncJob, found: Found, revisions: Revisions): LedgerEntry {
  const settings = settingsOfEntry({ metadata: {} }, job);
  const origin = {
    id: crypto.randomUUID(),
    syncId: job.sync.id,
    connectionId: job.connection.id,
    folderId: job.folder.id,
    place: job.place,
  };
  return {
    ...newEntry(origin, { remoteName: found.remoteName, key: found.key, settings }),
    status: 'skipped',
    errorMessage:
      'Imported, and not managed by this sync. To let later changes reach it, allow adoption with `onExisting: adopt`.',
    remoteVersion: found.version,
    fingerprint: fingerprintOf(job, found, { value: found.value ?? '', settings }),
    syncedRevision: revisions.get(parseSourceKey(found.key).below) ?? null,
  };
}
