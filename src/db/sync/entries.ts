/**
 * The ledger: what each sync wrote, and what it is about to write. Rows are stored many at a time,
 * always in one statement that is bound to the run's token, so that a run that lost its lease
 * changes nothing any more. Nothing here knows what a write is.
 */
import { asc, eq, getTableColumns, sql, type SQL } from 'drizzle-orm';

import type { LedgerEntry, AwsLocation } from '../../domain/sync/ledger.ts';
import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { violatedConstraint } from '../database-error.ts';
import { textArray } from '../engine/subjects.ts';
import { isWanted, staysTold } from '../events.ts';
import { syncEntries } from '../schema.ts';
import { toStorableJson } from '../rows.ts';
import { deleteRemovedSync, type RemovalEnding } from './deletion.ts';
import { execute, raise, renderedOnce } from '../statement.ts';

/** Who writes: refused once the run has lost its lease. */
export interface LedgerRun {
  readonly syncId: string;
  readonly runId: string;
}

export type SyncEntries = ReturnType<typeof createSyncEntries>;

export function createSyncEntries(db: Database) {
  return {
    list: (syncId: string) => listEntries(db, syncId),
    /**
     * Stores entries whose remote name is to be claimed, before anything is written there. Returns
     * the ids of those that could be stored; a name that another sync holds, of whatever org, is
     * not among them.
     */
    claim: (run: LedgerRun, entries: readonly LedgerEntry[]) => claimEntries(db, run, entries),
    /** Of these names, those that another sync holds, of whatever org. */
    heldByOthers: (syncId: string, place: AwsLocation, names: readonly string[]) =>
      findHeldByOthers(db, { syncId, place, names }),
    store: async (run: LedgerRun, entries: readonly LedgerEntry[]): Promise<void> => {
      await storeEntries(db, run, entries);
    },
    forget: (run: LedgerRun, ids: readonly string[]) => forgetEntries(db, run, ids),
    /**
     * Ends the removal as succeeded and deletes the sync. False when the lease is lost or the
     * ledger owns anything.
     */
    deleteSync: (ending: RemovalEnding) => deleteRemovedSync(db, ending),
  };
}

/** Without what PostgreSQL derives: a row that changes in memory would keep the old state. */
const { state: _derived, ...ledgerColumns } = getTableColumns(syncEntries);

async function listEntries(db: Database, syncId: string): Promise<readonly LedgerEntry[]> {
  return db
    .select(ledgerColumns)
    .from(syncEntries)
    .where(eq(syncEntries.syncId, syncId))
    .orderBy(asc(syncEntries.remoteName), asc(syncEntries.key))
    .catch(raise);
}

interface NameQuestion {
  readonly syncId: string;
  readonly place: AwsLocation;
  readonly names: readonly string[];
}

async function findHeldByOthers(db: Database, { syncId, place, names }: NameQuestion): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const rows = await execute(
    db,
    sql`
      select distinct e.remote_name from keyferry.sync_entries e
      where e.partition = ${place.partition}
        and e.account_id = ${place.accountId}
        and e.region = ${place.region}
        and e.service = ${place.service}
        and e.remote_name = any(${textArray(names)}::text[])
        and e.is_claim
        and e.deleted_at is null
        and e.status in ('synced', 'failed')
        and e.sync_id <> ${syncId}`,
  );
  return new Set(rows.map((row) => String(row['remote_name'])));
}

async function claimEntries(
  db: Database,
  run: LedgerRun,
  entries: readonly LedgerEntry[],
): Promise<ReadonlySet<string>> {
  try {
    return new Set(await storeEntries(db, run, entries));
  } catch (error) {
    if (violatedConstraint(causeOf(error)) !== 'sync_entries_claim') throw error;
  }
  if (entries.length === 1) return new Set();
  // Another sync has just taken one of the names: stored one by one, only that one is refused.
  const stored = new Set<string>();
  for (const entry of entries) for (const id of await claimEntries(db, run, [entry])) stored.add(id);
  return stored;
}

const causeOf = (error: unknown): unknown => (error instanceof JobError ? error.cause : error);

/**
 * Columns as they are named in the table, so that one list serves the record's shape, the insert
 * and the update.
 */
const columns = [
  ['id', 'uuid'],
  ['remote_name', 'text'],
  ['key', 'text'],
  ['connection_id', 'uuid'],
  ['folder_id', 'uuid'],
  ['partition', 'text'],
  ['account_id', 'text'],
  ['region', 'text'],
  ['service', 'text'],
  ['is_claim', 'boolean'],
  ['remote_version', 'text'],
  ['fingerprint', 'text'],
  ['in_flight', 'jsonb'],
  ['status', 'text'],
  ['error_code', 'text'],
  ['error_message', 'text'],
  ['settings', 'jsonb'],
  ['observed', 'jsonb'],
  ['drift', 'text'],
  ['pace', 'jsonb'],
  ['written_at', 'timestamptz'],
  ['deleted_at', 'timestamptz'],
  ['checked_at', 'timestamptz'],
  ['tags_checked_at', 'timestamptz'],
  ['synced_revision', 'bigint'],
] as const;

const names = columns.map(([name]) => name);
const list = (parts: readonly string[]): SQL => sql.raw(parts.join(', '));
const record = list(columns.map(([name, type]) => `${name} ${type}`));
const identity = new Set(['id', 'remote_name', 'key', 'region', 'account_id']);
const assignments = list(names.filter((name) => !identity.has(name)).map((name) => `${name} = excluded.${name}`));

/**
 * Locked: a run that takes over waits for this statement, or this statement finds the other run's
 * token.
 */
const fence = sql`
        select s.id, ${isWanted('sync.changed')} as is_wanted
        from keyferry.syncs s
        where s.id = ${sql.placeholder('syncId')} and s.run_token = ${sql.placeholder('runId')}
        for share of s`;

/**
 * Inserts or updates entries; returns the ids of those stored. Locks the sync’s row (share),
 * fenced by the run’s lease. An entry that would claim a name of another sync is left out.
 */
async function storeEntries(db: Database, run: LedgerRun, entries: readonly LedgerEntry[]): Promise<readonly string[]> {
  if (entries.length === 0) return [];
  const rows = await storeStatement(db, {}, { ...run, entries: toStorableJson(entries.map(toRecord)) });
  return idsOf(rows[0]);
}

const storeStatement = renderedOnce(
  () => sql`
      with fence as materialized (${fence}),
      wanted as (
        select * from jsonb_to_recordset(${sql.placeholder('entries')}::jsonb)
          as w(${record})
      ),
      free as (
        select w.* from wanted w
        where not (w.is_claim and w.deleted_at is null and w.status in ('synced', 'failed'))
          or not exists (
            select 1 from keyferry.sync_entries o
            where o.partition = w.partition and o.account_id = w.account_id and o.region = w.region
              and o.service = w.service and o.remote_name = w.remote_name and o.is_claim
              and o.deleted_at is null
              and o.status in ('synced', 'failed') and o.sync_id <> ${sql.placeholder('syncId')})
        ),
      stored as (
        insert into keyferry.sync_entries (sync_id, is_told, ${list(names)})
        select fence.id,
          not fence.is_wanted or (free.written_at is null and free.deleted_at is null),
          ${list(names.map((name) => `free.${name}`))} from free, fence
        on conflict (sync_id, region, account_id, remote_name, key) do update
        set is_told = ${staysTold}, ${assignments}
        returning id
      )
      select (select count(*) from fence)::int as held,
        (select coalesce(jsonb_agg(id), '[]') from stored) as ids`,
);

function toRecord(entry: LedgerEntry): Record<string, unknown> {
  return {
    id: entry.id,
    remote_name: entry.remoteName,
    key: entry.key,
    connection_id: entry.connectionId,
    folder_id: entry.folderId,
    partition: entry.partition,
    account_id: entry.accountId,
    region: entry.region,
    service: entry.service,
    is_claim: entry.isClaim,
    remote_version: entry.remoteVersion,
    fingerprint: entry.fingerprint,
    in_flight: entry.inFlight,
    status: entry.status,
    error_code: entry.errorCode,
    error_message: entry.errorMessage,
    settings: entry.settings,
    observed: entry.observed,
    drift: entry.drift,
    pace: entry.pace,
    written_at: entry.writtenAt,
    deleted_at: entry.deletedAt,
    checked_at: entry.checkedAt,
    tags_checked_at: entry.tagsCheckedAt,
    synced_revision: entry.syncedRevision,
  };
}

function idsOf(row: Record<string, unknown> | undefined): readonly string[] {
  if (Number(row?.['held'] ?? 0) === 0) throw new JobError('LEASE_LOST');
  const ids = row?.['ids'];
  return (typeof ids === 'string' ? JSON.parse(ids) : ids) as string[];
}

/**
 * Deletes entries whose removal was reported; locks the sync’s row (share), fenced by the run’s
 * lease.
 */
async function forgetEntries(db: Database, run: LedgerRun, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await forgetStatement(db, {}, { ...run, ids: JSON.stringify(ids) });
}

const forgetStatement = renderedOnce(
  () => sql`
      with fence as materialized (${fence})
      delete from keyferry.sync_entries e
      using fence
      where e.sync_id = fence.id
        and e.is_told
        and e.id in (select value::uuid
          from jsonb_array_elements_text(${sql.placeholder('ids')}::jsonb))`,
);
