/**
 * What a sync reads: its folder, and of a recursive sync all folders below. First keys and
 * revisions, which decide most, and only then the values that are needed. Secrets are named by
 * source key throughout.
 */
import { and, asc, eq, inArray, sql } from 'drizzle-orm';

import { parseSourceKey, pathBelow, toSourceKey } from '../../domain/source-key.ts';
import type { SourceSecret } from '../../domain/sync/desired.ts';
import { JobError } from '../../errors.ts';
import { isUndecryptable } from '../cipher.ts';
import type { Database } from '../client.ts';
import { type Encryption, secretPlace } from '../encryption.ts';
import type { SyncRow } from '../engine/subjects.ts';
import type { FolderRow } from '../folders.ts';
import { createReadAll } from '../read.ts';
import { folders, secrets } from '../schema.ts';
import { raise } from '../statement.ts';

export type SourceValue = { readonly key: string; readonly revision: number } & (
  { readonly value: string } | { readonly error: JobError }
);

/** The sync's folder; `revision` is that of the whole tree, and grows with every change in it. */
export interface SourceFolder extends FolderRow {
  /** The folders that are read, by their path below this one; the empty path is this one. */
  readonly parts: ReadonlyMap<string, FolderRow>;
}

export interface SourceName {
  readonly key: string;
  readonly managedBy: string | null;
}

export type SyncSource = ReturnType<typeof createSyncSource>;

export function createSyncSource(db: Database, encryption: Encryption) {
  return {
    /** Throws SECRET_FOLDER_NOT_FOUND. */
    folder: (sync: Pick<SyncRow, 'folderId' | 'syncOptions'>) => readSourceFolder(db, sync),
    /** Keys, revisions and metadata; no value is read. */
    index: (folder: SourceFolder): Promise<readonly SourceSecret[]> => readNames(db, folder),
    names: (folder: SourceFolder): Promise<readonly SourceName[]> => readNames(db, folder),
    /** Of rotations that have not found out yet which key is in use after a restore. */
    uncertainKeys: (folder: SourceFolder) => readUncertainKeys(db, folder),
    /**
     * Values in clear; what cannot be decrypted comes with its error. Keys that are gone by now are
     * left out.
     */
    values: (folder: SourceFolder, keys: readonly string[]) => readValues({ db, encryption }, folder, keys),
  };
}

async function readSourceFolder(
  db: Database,
  { folderId, syncOptions }: Pick<SyncRow, 'folderId' | 'syncOptions'>,
): Promise<SourceFolder> {
  const [folder] = await db.select().from(folders).where(eq(folders.id, folderId)).catch(raise);
  if (!folder) throw new JobError('SECRET_FOLDER_NOT_FOUND');
  if (syncOptions.recursive !== true) return { ...folder, parts: new Map([['', folder]]) };
  // Read again with its own row, so that all revisions are from one snapshot.
  const rows = await db.select().from(folders).where(isWithin(folder)).orderBy(asc(folders.secretPath)).catch(raise);
  const parts = new Map(rows.map((row) => [pathBelow(folder.secretPath, row.secretPath), row]));
  // As `treeRevision` has it.
  return { ...folder, revision: rows.reduce((sum, row) => sum + row.revision - 1, 1), parts };
}

function isWithin({ id, orgId, projectId, environment, secretPath }: FolderRow) {
  return and(
    eq(folders.orgId, orgId),
    eq(folders.projectId, projectId),
    eq(folders.environment, environment),
    sql`(${folders.id} = ${id}
      or starts_with(${folders.secretPath}, ${`${secretPath.replace(/\/$/, '')}/`}))`,
  );
}

type Parts = Pick<SourceFolder, 'parts'>;

function pathsOf({ parts }: Parts): ReadonlyMap<string, string> {
  return new Map([...parts].map(([below, { id }]) => [id, below]));
}

const idsOf = ({ parts }: Parts): string[] => [...parts.values()].map(({ id }) => id);

async function readNames(db: Database, folder: SourceFolder): Promise<readonly (SourceSecret & SourceName)[]> {
  const paths = pathsOf(folder);
  const { folderId, key, revision, metadata, managedBy } = secrets;
  const rows = await db
    .select({ folderId, key, revision, metadata, managedBy })
    .from(secrets)
    .where(inArray(secrets.folderId, idsOf(folder)))
    .orderBy(asc(secrets.folderId), asc(secrets.key))
    .catch(raise);
  return rows.map(({ folderId: id, ...row }) => ({
    ...row,
    key: toSourceKey({ below: paths.get(id) ?? '', key: row.key }),
  }));
}

async function readUncertainKeys(db: Database, folder: SourceFolder): Promise<readonly string[]> {
  const paths = pathsOf(folder);
  const rows = await createReadAll(db)(sql`
    select s.folder_id, s.key
    from keyferry.secrets s
      join keyferry.rotations r on r.id = s.managed_by
      cross join keyferry.installation i
    where s.folder_id in (select value::uuid
      from jsonb_array_elements_text(${JSON.stringify(idsOf(folder))}::jsonb))
      and r.created_at < i.epoch_started_at
      and (r.status_code = 'KEY_RESTORED' or r.compared_at is null
        or r.compared_at < i.epoch_started_at)`);
  return rows.map((row) => toSourceKey({ below: paths.get(String(row.folder_id)) ?? '', key: String(row.key) }));
}

async function readValues(
  stores: { db: Database; encryption: Encryption },
  folder: SourceFolder,
  keys: readonly string[],
): Promise<readonly SourceValue[]> {
  const paths = pathsOf(folder);
  const wanted = keys.flatMap((sourceKey) => {
    const { below, key } = parseSourceKey(sourceKey);
    const part = folder.parts.get(below);
    return part ? [{ folder_id: part.id, key }] : [];
  });
  const isWanted = sql`(${secrets.folderId}, ${secrets.key}) in (
    select w.folder_id, w.key
    from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as w(folder_id uuid, key text))`;
  const rows = await stores.db.select().from(secrets).where(isWanted).catch(raise);
  const reads = rows.map(async ({ folderId, key, revision, value }): Promise<SourceValue> => {
    const name = { key: toSourceKey({ below: paths.get(folderId) ?? '', key }), revision };
    try {
      const place = secretPlace({ orgId: folder.orgId, folderId, key, revision });
      return { ...name, value: await stores.encryption.decrypt(value, place) };
    } catch (error) {
      if (!isUndecryptable(error)) throw error;
      return { ...name, error };
    }
  });
  return Promise.all(reads);
}
