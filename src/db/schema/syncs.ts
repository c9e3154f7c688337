/** Syncs, and the ledger of what they wrote. */
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

import type { DestinationName, DestinationService } from '../../domain/destinations/names.ts';
import type { DestinationConfig } from '../../domain/destinations/registry.ts';
import type { SyncOptions } from '../../domain/sync/config.ts';
import type { DriftKind, EntrySettings, EntryState, InFlight, ObservedObject } from '../../domain/sync/ledger.ts';
import type { Pace } from '../../domain/sync/pace.ts';
import type { SyncProgress } from '../../domain/sync/progress.ts';
import { moment } from '../moment.ts';
import { created, keyferry, troubled, updated, work, workIndexes } from './columns.ts';
import { connections } from './connections.ts';
import { folders } from './secrets.ts';

export const syncs = keyferry.table(
  'syncs',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    connectionId: uuid('connection_id').notNull(),
    folderId: uuid('folder_id').notNull(),
    destination: text('destination').$type<DestinationName>().notNull(),
    destinationConfig: jsonb('destination_config').$type<DestinationConfig>().notNull(),
    syncOptions: jsonb('sync_options').$type<SyncOptions>().notNull(),
    isAutoSyncEnabled: boolean('is_auto_sync_enabled').notNull().default(true),
    syncStatus: text('sync_status')
      .$type<'pending' | 'running' | 'succeeded' | 'partial' | 'failed' | 'blocked' | 'cancelled'>()
      .notNull()
      .default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    lastRunId: uuid('last_run_id'),
    lastSyncedAt: moment('last_synced_at'),
    /** When the first run imported what the destination held: that is never done again. */
    initialImportAt: moment('initial_import_at'),
    syncedRevision: bigint('synced_revision', { mode: 'number' }),
    /**
     * The sync's own `version` at its last success: with `synced_revision` it decides without a
     * call that nothing is to do.
     */
    syncedVersion: integer('synced_version'),
    /** Where the next slice continues; null when nothing is begun. */
    progress: jsonb('progress').$type<SyncProgress>(),
    drift: text('drift').$type<'unknown' | 'none' | 'drifted'>().notNull().default('unknown'),
    lastCheckedAt: moment('last_checked_at'),
    nextReconcileAt: moment('next_reconcile_at'),
    pausedAt: moment('paused_at'),
    /** The run that a person asked to stop; null again once no run continues its work. */
    cancelledRunId: uuid('cancelled_run_id'),
    /**
     * When this subject last compared itself with AWS because of a new epoch of the installation.
     */
    comparedAt: moment('compared_at'),
    createdAt: created(),
    updatedAt: updated(),
    isTroubled: troubled(sql`sync_status in ('failed', 'blocked', 'partial') or drift = 'drifted'`),
    ...work(),
  },
  (t) => [
    uniqueIndex('syncs_org_name').on(t.orgId, t.name, sql`coalesce(${t.projectId}, '')`),
    // What needs a person: few rows, read by the status page and the webhook.
    index('syncs_troubled')
      .on(t.statusSince)
      .where(sql`${t.isTroubled}`),
    foreignKey({
      name: 'syncs_connection',
      columns: [t.orgId, t.connectionId],
      foreignColumns: [connections.orgId, connections.id],
    }),
    foreignKey({ name: 'syncs_folder', columns: [t.orgId, t.folderId], foreignColumns: [folders.orgId, folders.id] }),
    index('syncs_by_folder').on(t.folderId),
    index('syncs_by_connection').on(t.connectionId),
    ...workIndexes('syncs', t),
  ],
);

export const syncEntries = keyferry.table(
  'sync_entries',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    syncId: uuid('sync_id')
      .notNull()
      .references(() => syncs.id, { onDelete: 'cascade' }),
    remoteName: text('remote_name').notNull(),
    /**
     * The secret's key in the folder; many-to-one has one entry per key under the same remote name.
     */
    key: text('key').notNull(),
    // Where the object lives: a sync that moves still deletes through the place it wrote to.
    connectionId: uuid('connection_id').notNull(),
    /** The folder that `synced_revision` belongs to. */
    folderId: uuid('folder_id'),
    partition: text('partition').notNull(),
    accountId: text('account_id').notNull(),
    region: text('region').notNull(),
    service: text('service').$type<DestinationService>().notNull(),
    /**
     * True for the one entry per remote object that claims its name; false for further keys of a
     * many-to-one secret.
     */
    isClaim: boolean('is_claim').notNull().default(true),
    remoteVersion: text('remote_version'),
    /** HMAC over value and settings under the org's key; never shown. */
    fingerprint: text('fingerprint'),
    /**
     * The write in flight: operation, token, resulting fingerprint, time; null once its answer is
     * recorded.
     */
    inFlight: jsonb('in_flight').$type<InFlight>(),
    status: text('status').$type<'synced' | 'failed' | 'conflict' | 'skipped'>().notNull(),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    /** What was asked of AWS besides the value: key, tier, tags. */
    settings: jsonb('settings').$type<EntrySettings>().notNull().default({ keyId: null, tags: {} }),
    /** Last state that AWS reported; drift checks compare against it. */
    observed: jsonb('observed').$type<ObservedObject>().notNull().default({}),
    /** Differences that the last drift check found; null when there were none. */
    drift: text('drift').$type<DriftKind>(),
    checkedAt: moment('checked_at'),
    tagsCheckedAt: moment('tags_checked_at'),
    /** How many more writes the object takes for now. */
    pace: jsonb('pace').$type<Pace>(),
    writtenAt: moment('written_at'),
    deletedAt: moment('deleted_at'),
    /** The folder's revision that this entry's value comes from. */
    syncedRevision: bigint('synced_revision', { mode: 'number' }),
    /** False: written or deleted since the last `sync.changed`. */
    isTold: boolean('is_told').notNull().default(true),
    /** What readers see; `status` is what workers write, those of the release before included. */
    state: text('state')
      .$type<EntryState>()
      .notNull()
      .generatedAlwaysAs(
        sql`case when in_flight is not null and (status <> 'failed' or error_code is null)
          then 'writing' when status = 'skipped' and checked_at is null then 'imported'
          when status = 'skipped' then 'left-behind' when deleted_at is not null then 'deleted'
          when status = 'failed' and remote_version is null and error_code is null then 'new'
          else status end`,
      ),
  },
  (t) => [
    unique('sync_entries_name').on(t.syncId, t.region, t.accountId, t.remoteName, t.key),
    index('sync_entries_untold')
      .on(t.syncId)
      .where(sql`not ${t.isTold}`),
    // The claim of a remote name: two syncs, of whatever orgs, never own the same object.
    uniqueIndex('sync_entries_claim')
      .on(t.partition, t.accountId, t.region, t.service, t.remoteName)
      .where(sql`${t.isClaim} and ${t.deletedAt} is null and ${t.status} in ('synced', 'failed')`),
  ],
);
