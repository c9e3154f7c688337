/**
 * Which syncs read a folder: those of the folder itself, and recursive ones of the folders above
 * it. Paths decide, so that a new folder belongs to the recursive syncs above it from its first
 * secret on.
 */
import { sql, type SQL } from 'drizzle-orm';

const isRecursive = (sync: SQL): SQL => sql`coalesce((${sync}.sync_options
  ->> 'recursive')::boolean, false)`;

/** Whether folder `b` is the folder `f` or lies below it. */
const isBelow = sql`b.org_id = f.org_id and b.project_id = f.project_id
  and b.environment = f.environment
            and (b.id = f.id or starts_with(b.secret_path, rtrim(f.secret_path, '/') || '/'))`;

/**
 * The revision that a sync reads of its folder `f`: of a recursive sync it grows with each change
 * of any folder below. Empty folders count for nothing. The worker computes the same from the rows
 * (`db/sync/source.ts`).
 */
export const treeRevision = (sync: SQL): SQL => sql`case when ${isRecursive(sync)}
            then (select 1 + sum(b.revision - 1) from keyferry.folders b where ${isBelow})
              else f.revision end`;

/** When the folder `f`, or one below it that a recursive sync reads, was last changed. */
export const treeUpdatedAt = (sync: SQL): SQL => sql`case when ${isRecursive(sync)}
            then (select max(b.updated_at) from keyferry.folders b where ${isBelow})
              else f.updated_at end`;

/** Paths of the folders above `f`, each found in the index of the folders' places. */
const above = sql`
          cross join lateral (
            select '/' as path where f.secret_path <> '/'
            union all
            select left(f.secret_path, at) from generate_series(2, length(f.secret_path) - 1) at
            where substr(f.secret_path, at + 1, 1) = '/'
          ) p
          join keyferry.folders a on a.org_id = f.org_id and a.project_id = f.project_id
            and a.environment = f.environment and a.secret_path = p.path`;

/**
 * Two CTEs for a statement that changes the folder: `above_seen` are the folders above it, `above`
 * those of them that nobody has changed since the statement's snapshot, locked until its end. A
 * writer of syncs touches the sync's folder (`attachedFolder`), so that equal counts mean that no
 * recursive sync was attached there meanwhile, which `readers` would miss.
 */
export function foldersAbove(folderId: string): SQL {
  return sql`above_seen as materialized (
          select a.id, a.secret_path, a.xmin as row_version from keyferry.folders f ${above}
          where f.id = ${folderId}
        ),
        above as materialized (
          select t.id from keyferry.folders t join above_seen seen on seen.id = t.id
          where t.xmin = seen.row_version order by length(seen.secret_path) for share of t
        )`;
}

export const isAboveAsSeen = sql`(select count(*) from above) = (select count(*) from above_seen)`;

/**
 * A CTE `readers`: ids of the syncs that read the changed folder in `moved`. Needs `above_seen`.
 */
export const readers = sql`readers as materialized (
          select s.id from keyferry.syncs s join moved on s.folder_id = moved.id
          union all
          select s.id from moved cross join above_seen a join keyferry.syncs s on s.folder_id = a.id
          where ${isRecursive(sql`s`)}
        )`;

/** How many syncs read the folder `f`. */
export const readerCount = sql`(
          (select count(*) from keyferry.syncs s where s.folder_id = f.id)
          + (
            select count(*) from (select 1) one ${above} join keyferry.syncs s on s.folder_id = a.id
            where ${isRecursive(sql`s`)}
          )
        )::int`;

/**
 * Rows `s` of the syncs that read the folder, and `below`, the path from the sync's folder to this
 * one.
 */
export function syncsReading(folderId: string): SQL {
  return sql`(
          select s.*, '' as below from keyferry.syncs s where s.folder_id = ${folderId}
          union all
          select s.*, ltrim(substr(f.secret_path, length(a.secret_path) + 1), '/')
          from keyferry.folders f ${above} join keyferry.syncs s on s.folder_id = a.id
          where f.id = ${folderId} and ${isRecursive(sql`s`)}
        )`;
}
