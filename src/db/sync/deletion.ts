/**
 * Deletes syncs. A sync's row is the only record of what it owns at AWS, so both statements refuse
 * while the ledger owns anything; only an explicit abandonment deletes the row all the same, and
 * returns what stays.
 */
import { sql } from 'drizzle-orm';

import { counted } from '../../domain/counted.ts';
import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { changedEntries } from '../events.ts';
import { recordedTombstones } from './tombstones.ts';
import { closedWork, isAsSeen, type SyncRow, untilAsSeen } from '../engine/subjects.ts';
import { execute } from '../statement.ts';
import type { LeftBehind, SyncDeletion } from '../../domain/sync/deletion.ts';

/**
 * Entries that may have an object at AWS which this sync wrote; the same rule as `isOwned`, and
 * what is in flight.
 */
const owns = sql`(
  e.in_flight is not null
  or (e.remote_version is not null and e.deleted_at is null and e.status in ('synced', 'failed')))`;
/** What a removal could not reach. */
const wasLeft = sql`(e.state = 'left-behind' and e.remote_version is not null)`;

/**
 * Throws SYNC_STILL_OWNED while the ledger owns objects, or a run in progress may come to own some.
 * Returns what stays at AWS.
 */
export async function deleteSync(
  db: Database,
  sync: SyncRow,
  { abandon }: SyncDeletion,
): Promise<readonly LeftBehind[]> {
  const found = await untilAsSeen(() => tryDeletion(db, sync.id, { abandon }));
  const stays = toLeftBehind(found['stays']);
  if (found['is_gone'] === true || found['is_known'] === false) return stays;
  throw stillOwned(sync.name, stays.length);
}

/**
 * Rows: one, with what stays at AWS; undefined when another transaction changed the sync first.
 * Locks: the sync's row. Fence: the version of the row that the snapshot shows, so that the ledger
 * is what the row's last run left, unless a run holds its lease.
 */
async function tryDeletion(
  db: Database,
  id: string,
  { abandon }: SyncDeletion,
): Promise<Record<string, unknown> | undefined> {
  const [row] = await execute(
    db,
    sql`
      with seen as materialized (
        select s.id, s.xmin as row_version,
          coalesce(s.run_lease_until > now(), false) as is_running,
          exists (select from keyferry.sync_entries e
            where e.sync_id = s.id and (${owns})) as is_owner
        from keyferry.syncs s where s.id = ${id}
      ),
      held as materialized (
        select t.id, seen.is_running, seen.is_owner
        from keyferry.syncs t join seen on t.id = seen.id where ${isAsSeen} for update of t
      ),
      gone as (
        delete from keyferry.syncs t using held
        where t.id = held.id and (${abandon} or not (held.is_running or held.is_owner))
        returning t.id, t.org_id, t.folder_id
      ),
      ${recordedTombstones(sql`gone`, { owns, wasLeft })},
      ${changedEntries(sql`select gone.id, null::uuid as run_id from gone`)},
      ${closedWork(sql`gone`)}
      select (select count(*) from seen) > (select count(*) from held) as is_raced,
        exists (select from seen) as is_known,
        exists (select from gone) as is_gone,
        (select jsonb_agg(distinct jsonb_build_object(
          'remoteName', e.remote_name, 'region', e.region, 'accountId', e.account_id))
          from keyferry.sync_entries e, held
          where e.sync_id = held.id and (${owns} or ${wasLeft})) as stays`,
  );
  return row?.['is_raced'] === true ? undefined : row;
}

function toLeftBehind(value: unknown): readonly LeftBehind[] {
  return (typeof value === 'string' ? JSON.parse(value) : (value ?? [])) as readonly LeftBehind[];
}

function stillOwned(name: string, count: number): JobError {
  const what = count === 0 ? 'A run of it is in progress' : `It owns ${counted(count, 'object')} at AWS`;
  return new JobError('SYNC_STILL_OWNED', {
    message: `The sync ${name} was not deleted. ${what}: delete the sync with \`removeSecrets: true\`, or leave them at AWS with \`abandon: true\`.`,
  });
}

export interface RemovalEnding {
  readonly syncId: string;
  readonly runId: string;
  readonly counts: unknown;
  readonly awsCalls: Readonly<Record<string, number>>;
}

/**
 * Ends a removal run as succeeded, answers the sync's requests and deletes the sync with its
 * ledger. Returns: false when the lease is lost or the ledger owns anything. Locks: the sync's row.
 * Fence: the run's token.
 */
export async function deleteRemovedSync(db: Database, ending: RemovalEnding): Promise<boolean> {
  const rows = await execute(
    db,
    sql`
      with gone as (
        delete from keyferry.syncs s where s.id = ${ending.syncId} and s.run_token = ${ending.runId}
          and not exists (
            select from keyferry.sync_entries e where e.sync_id = ${ending.syncId} and (${owns}))
        returning s.id, s.org_id, s.folder_id
      ),
      ${recordedTombstones(sql`gone`, { owns, wasLeft })},
      ${changedEntries(sql`select gone.id, ${ending.runId}::uuid as run_id from gone`)},
      answered as (
        update keyferry.requests r set
          done_at = now(),
          run_id = ${ending.runId}
        from gone where r.subject_id = gone.id and r.done_at is null
      ),
      ended as (
        update keyferry.runs r set
          status = 'succeeded',
          finished_at = now(),
          counts = ${JSON.stringify(ending.counts)}::jsonb,
          aws_calls = ${JSON.stringify(ending.awsCalls)}::jsonb
        from gone where r.id = ${ending.runId}
      )
      select id from gone`,
  );
  return rows.length === 1;
}
