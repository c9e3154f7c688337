/**
 * Which sources are due, and which worker reads them: a source is queued under a lease without a
 * token, and claimed with one.
 */
import { sql } from 'drizzle-orm';

import { DISPATCH_LEASE_SECONDS } from '../domain/lease.ts';
import type { SourceSettings } from '../domain/sources.ts';
import type { Database } from './client.ts';
import type { Encryption } from './encryption.ts';
import { textArray } from './engine/subjects.ts';
import { execute } from './statement.ts';
import type { FolderRow } from './folders.ts';
import { PULL_LEASE, type PullLease } from './pull-settlement.ts';
import { fromRow } from './rows.ts';
import { folders, sources } from './schema.ts';
import { newestOfSource, openSettings } from './source-settings.ts';

/** What a worker needs for one pull. */
export interface ClaimedSource extends PullLease {
  readonly folder: FolderRow;
  /** Throws SECRET_UNDECRYPTABLE. */
  settings(): Promise<SourceSettings>;
}

/** To be queued: the id is that of the folder. */
export interface DispatchedSource {
  readonly id: string;
  readonly isAsked: boolean;
}

export interface PullJob {
  readonly folderId: string;
  readonly jobId?: string | undefined;
}

/**
 * Sources of one org that may be queued or read at once: slow ones of one org leave room for those
 * of others.
 */
const ORG_WINDOW = 4;
/** A job that takes longer to come to a worker than this is queued again. */
const DISPATCH_LEASE = sql`make_interval(secs => ${DISPATCH_LEASE_SECONDS})`;

/**
 * On the row `s`: due, and neither queued nor read by anybody. A lease without a token is that of a
 * job in the queue.
 */
const isFree = sql`s.next_due_at <= now() and (s.lease_until is null or s.lease_until < now())`;

/**
 * Rows: the sources to be queued, the oldest first. Locks: those sources, skipping locked ones.
 * Fence: a source is due only while it has no lease.
 */
export async function dispatchSources(db: Database, limit: number): Promise<readonly DispatchedSource[]> {
  const rows = await execute(
    db,
    sql`
      with taken as (
        select org_id, count(*) as places from keyferry.sources where lease_until > now()
        group by org_id
      ),
      candidates as materialized (
        select s.folder_id, row_number() over (partition by s.org_id order by s.next_due_at)
          + coalesce(taken.places, 0) as place
        from keyferry.sources s left join taken on taken.org_id = s.org_id
        where ${isFree}
      ),
      due as materialized (
        select s.folder_id from keyferry.sources s
        join candidates on candidates.folder_id = s.folder_id
        where candidates.place <= ${ORG_WINDOW} and ${isFree}
        order by s.next_due_at
        limit ${limit}
        for update of s skip locked
      ),
      dispatched as (
        update keyferry.sources s set
          lease_token = null,
          lease_until = now() + ${DISPATCH_LEASE}
        from due where s.folder_id = due.folder_id
        returning s.folder_id, s.asked > s.answered as is_asked, s.next_due_at
      )
      select folder_id, is_asked from dispatched order by next_due_at`,
  );
  return rows.map((row) => ({ id: String(row.folder_id), isAsked: row.is_asked === true }));
}

/** Gives back what could not be queued, so that it does not wait for its dispatch lease. */
export async function undispatchSources(db: Database, folderIds: readonly string[]): Promise<void> {
  await execute(
    db,
    sql`
      update keyferry.sources set lease_until = null
      where folder_id = any(${textArray(folderIds)}::uuid[]) and lease_token is null`,
  );
}

/** Undefined when the source is not due, is gone, or is read by another worker. */
export async function claimSource(
  db: Database,
  encryption: Encryption,
  { folderId, jobId }: PullJob,
): Promise<ClaimedSource | undefined> {
  const [row] = await execute(
    db,
    sql`
      with claimed as (
        update keyferry.sources s set
          lease_token = gen_random_uuid(),
          lease_until = now() + ${PULL_LEASE}
        where s.folder_id = ${folderId} and s.next_due_at <= now()
          and (s.lease_token is null or s.lease_until < now())
        returning s.*
      )
      select to_jsonb(s) as source, to_jsonb(f) as folder, ${newestOfSource} as newest
      from claimed s join keyferry.folders f on f.id = s.folder_id`,
  );
  if (row === undefined) return undefined;
  const source = fromRow(sources, row.source as Record<string, unknown>);
  return {
    ...{ source, jobId },
    folder: fromRow(folders, row.folder as Record<string, unknown>),
    leaseToken: source.leaseToken ?? '',
    settings: () => openSettings(encryption, source, Number(row.newest)),
  };
}
