/**
 * Folders and their secrets: where values come from. Every change is one statement that writes the
 * values, takes the folder's next revision and makes its syncs due. Ciphertexts are bound to the
 * revision at which they were written.
 */
import { and, asc, eq, sql } from 'drizzle-orm';

import { untilWon } from '../concurrency/races.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import {
  type Change,
  effectiveChanges,
  type PullInProgress,
  refuseManaged,
  type SecretChange,
  type StoredSecret,
  withDescribed,
} from './folder-changes.ts';
import { isUndecryptable } from './cipher.ts';
import { type Encryption, secretPlace } from './encryption.ts';
import {
  holdsSource,
  recentDeletions,
  refuseUnconfirmed,
  requireHold,
  settledWith,
  type SourceHold,
  withoutManaged,
} from './folder-source.ts';
import { managesAny, writtenSecrets } from './folder-statements.ts';
import { dueReaders } from './sync/due-readers.ts';
import { holdsLease, importedSync, type ImportingRun, recordImport, refuseLostLease } from './sync/initial-import.ts';
import { foldersAbove, isAboveAsSeen } from './sync/tree.ts';
import { createReadAll } from './read.ts';
import { folders, secrets, sources } from './schema.ts';
import { isAsSeen } from './engine/subjects.ts';
import { wake } from './engine/wake.ts';
import { raise } from './statement.ts';
import type { FolderChange, SecretName } from '../domain/folders.ts';

export type FolderRow = typeof folders.$inferSelect;

export interface FolderKey {
  readonly projectId: string;
  readonly environment: string;
  readonly secretPath: string;
}

export type Folders = ReturnType<typeof createFolders>;

export function createFolders(db: Database, encryption: Encryption) {
  return {
    get: (folderId: string) => getFolder(db, folderId),
    find: (orgId: string, place: FolderKey) => findFolder(db, orgId, place),
    /** Whether there are folders below this one, which need not exist itself. */
    hasBelow: (orgId: string, place: FolderKey) => hasFoldersBelow(db, orgId, place),
    ensure: (orgId: string, place: FolderKey) => ensureFolder(db, orgId, place),
    read: (folderId: string) => readFolder({ db, encryption }, folderId),
    names: (folderId: string) => readNames(db, folderId),
    /** Merges `changes` into the folder, or replaces its unmanaged secrets by them. */
    change: (folder: FolderRow, changes: readonly SecretChange[], mode: 'merge' | 'replace') =>
      changeFolder({ db, encryption }, folder, { changes, mode }),
    /** Throws PAYLOAD_STALE when the folder no longer has the given revision. */
    changeIf: (
      folder: FolderRow,
      changes: readonly SecretChange[],
      how: Pick<Change, 'mode' | 'ifRevision' | 'metadata'>,
    ) => changeFolder({ db, encryption }, folder, { changes, ...how }),
    /**
     * Merges what the first run of a sync imports, and records in the same statement that it did:
     * an initial import is never repeated.
     */
    importInto: (folder: FolderRow, changes: readonly SecretChange[], importer: ImportingRun) =>
      changeFolder({ db, encryption }, folder, { changes, mode: 'merge', importer }),
    /**
     * Replaces the unmanaged secrets by what the folder's source holds, and leaves out what
     * rotations manage. Where that changes something, the same statement settles the pull. Throws
     * SOURCE_DELETIONS_UNCONFIRMED, and LEASE_LOST when another pull holds the source.
     */
    pullInto: (folder: FolderRow, changes: readonly SecretChange[], puller: PullInProgress) =>
      changeFolder({ db, encryption }, folder, { changes, mode: 'replace', puller }),
  };
}

interface Stores {
  readonly db: Database;
  readonly encryption: Encryption;
}

async function getFolder(db: Database, folderId: string): Promise<FolderRow> {
  const [row] = await db.select().from(folders).where(eq(folders.id, folderId)).catch(raise);
  if (!row) throw new JobError('SECRET_FOLDER_NOT_FOUND');
  return row;
}

async function findFolder(db: Database, orgId: string, place: FolderKey): Promise<FolderRow | undefined> {
  const [row] = await db.select().from(folders).where(placeIs(orgId, place)).catch(raise);
  return row;
}

function placeIs(orgId: string, place: FolderKey) {
  return and(
    eq(folders.orgId, orgId),
    eq(folders.projectId, place.projectId),
    eq(folders.environment, place.environment),
    eq(folders.secretPath, place.secretPath),
  );
}

async function hasFoldersBelow(db: Database, orgId: string, place: FolderKey): Promise<boolean> {
  const start = `${place.secretPath.replace(/\/$/, '')}/`;
  const rows = await createReadAll(db)(sql`
    select from keyferry.folders f where f.org_id = ${orgId} and f.project_id = ${place.projectId}
      and f.environment = ${place.environment} and f.secret_path <> '/'
      and starts_with(f.secret_path, ${start}) limit 1`);
  return rows.length > 0;
}

async function ensureFolder(db: Database, orgId: string, place: FolderKey): Promise<FolderRow> {
  await db
    .insert(folders)
    .values({ orgId, ...place })
    .onConflictDoNothing()
    .catch(raise);
  const row = await findFolder(db, orgId, place);
  if (!row) throw new JobError('SECRET_FOLDER_NOT_FOUND');
  return row;
}

async function readFolder(
  stores: Stores,
  folderId: string,
): Promise<{ folder: FolderRow; secrets: readonly StoredSecret[]; source: SourceHold | null }> {
  // One statement, so that revision and values belong together.
  const rows = await stores.db
    .select({
      folder: folders,
      secret: secrets,
      source: { kind: sources.kind, leaseToken: sources.leaseToken, recentDeletions },
    })
    .from(folders)
    .leftJoin(secrets, eq(secrets.folderId, folders.id))
    .leftJoin(sources, eq(sources.folderId, folders.id))
    .where(eq(folders.id, folderId))
    .orderBy(asc(secrets.key))
    .catch(raise);
  const folder = rows[0]?.folder;
  if (!folder) throw new JobError('SECRET_FOLDER_NOT_FOUND');
  const stored = rows.flatMap(({ secret }) => (secret ? [decryptRow(stores.encryption, folder.orgId, secret)] : []));
  return { folder, secrets: await Promise.all(stored), source: rows[0]?.source ?? null };
}

type SecretRow = typeof secrets.$inferSelect;

async function decryptRow(encryption: Encryption, orgId: string, row: SecretRow): Promise<StoredSecret> {
  const { key, revision, metadata, managedBy } = row;
  try {
    const value = await encryption.decrypt(row.value, secretPlace({ orgId, folderId: row.folderId, key, revision }));
    return { key, revision, metadata, managedBy, value };
  } catch (error) {
    if (!isUndecryptable(error)) throw error;
    return { key, revision, metadata, managedBy, error };
  }
}

async function readNames(db: Database, folderId: string): Promise<readonly SecretName[]> {
  return db
    .select({
      key: secrets.key,
      revision: secrets.revision,
      metadata: secrets.metadata,
      managedBy: secrets.managedBy,
      updatedAt: secrets.updatedAt,
    })
    .from(secrets)
    .where(eq(secrets.folderId, folderId))
    .orderBy(asc(secrets.key))
    .catch(raise);
}

async function changeFolder(stores: Stores, folder: FolderRow, wanted: Change): Promise<FolderChange> {
  let current = folder;
  const attempt = async (): Promise<FolderChange | undefined> => {
    if (wanted.ifRevision?.includes(current.revision) === false)
      throw new JobError('PAYLOAD_STALE', {
        message: `${folder.secretPath} was changed in the meantime: it is at revision ${String(current.revision)}. Read it again, then repeat the change.`,
      });
    const { secrets: existing, source } = await readFolder(stores, folder.id);
    requireHold(source, wanted, folder.secretPath);
    const { change, skippedKeys } = withoutManaged(existing, withDescribed(existing, wanted));
    const skipped = change.puller ? { skippedKeys } : {};
    refuseManaged(existing, change);
    const effective = effectiveChanges(existing, change);
    refuseUnconfirmed(folder, existing, { ...change, effective, recent: source?.recentDeletions ?? 0 });
    if (effective.length === 0) {
      if (change.importer) await recordImport(stores.db, change.importer);
      return { folderId: folder.id, revision: current.revision, set: 0, removed: 0, dueSyncs: 0, ...skipped };
    }
    const written = await writeChanges(stores, current, { ...change, changes: effective, skippedKeys });
    if (written) return { ...written, ...skipped };
    if (change.importer) await refuseLostLease(stores.db, change.importer);
    current = await getFolder(stores.db, folder.id);
    return undefined;
  };
  return untilWon(attempt, 'Too many others write the folder at once. Try again.');
}

/**
 * Rows: one, with the counts of what was written. Locks: the folder, its secrets, the folders above
 * and the syncs that read it. Fence: the folder's revision and version; undefined when another
 * writer took the revision in between: the ciphertexts are bound to it and must be made again.
 */
async function writeChanges(
  { db, encryption }: Stores,
  folder: FolderRow,
  { changes, importer, puller, skippedKeys }: Change & { readonly skippedKeys: readonly string[] },
): Promise<FolderChange | undefined> {
  const revision = folder.revision + 1;
  const place = (key: string) => secretPlace({ orgId: folder.orgId, folderId: folder.id, key, revision });
  const sealed = changes.flatMap(({ key, value, metadata = null }) =>
    value === null ? [] : [encryption.encrypt(value, place(key)).then((text) => ({ key, value: text, metadata }))],
  );
  const written = await Promise.all(sealed);
  const removed = changes.filter((change) => change.value === null).map((change) => change.key);
  const counts = { set: written.length, removed: removed.length };
  const pulled = settledWith({ puller, revision, skippedKeys, changes: counts });
  const [row] = await db
    .execute<{ set: number; removed: number; due: number; moved: number }>(
      sql`
        -- At the version of this statement's own snapshot, or a sync that was just attached to the
        -- folder would be missed below.
        with seen as materialized (
          select f.id, f.xmin as row_version from keyferry.folders f
          where f.id = ${folder.id} and f.revision = ${folder.revision}
        ),
        ${foldersAbove(folder.id)},
        moved as (
          update keyferry.folders t set revision = ${revision}, updated_at = now()
          from seen where t.id = seen.id and ${isAsSeen} and ${isAboveAsSeen}
          -- A rotation may have taken over a key since it was looked at.
          and not ${managesAny(folder.id, changes)}
          and ${holdsLease(importer)}
          and ${holdsSource(folder.id, puller)}
          returning t.id
        ),
        written as (${writtenSecrets(revision, JSON.stringify(written))}),
        gone as (
          delete from keyferry.secrets s using moved where s.folder_id = moved.id
            and s.key in (select jsonb_array_elements_text(${JSON.stringify(removed)}::jsonb))
          returning s.key
        ),${pulled}
        ${dueReaders(importer?.syncId)},
        ${importedSync(importer)}
        select (select count(*) from moved)::int as moved,
          (select count(*) from written)::int as set,
          (select count(*) from gone)::int as removed, (select count(*) from due)::int as due`,
    )
    .catch(raise);
  if (!row || row.moved === 0) return undefined;
  if (row.due > 0) wake(db, 'sync');
  return { folderId: folder.id, revision, set: row.set, removed: row.removed, dueSyncs: row.due };
}
