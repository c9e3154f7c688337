/**
 * Syncs as rows: creation, change and reading. Pause, resume and deletion are in `orders.ts`; what
 * a run does with them is not here.
 */
import { and, asc, eq, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';

import type { DestinationName } from '../../domain/destinations/names.ts';
import type { DestinationConfig } from '../../domain/destinations/registry.ts';
import type { SyncOptions } from '../../domain/sync/config.ts';
import { pickReferred, textOf, type Reference } from '../../domain/reference.ts';
import { nameTemplateOf, type TargetSource, toTarget } from '../../domain/sync/target.ts';
import { JobError } from '../../errors.ts';
import { currentTraceparent } from '../../observe/trace.ts';
import type { Database } from '../client.ts';
import { toDatabaseError, violatedConstraint } from '../database-error.ts';
import { assignments, fromRow, insertion, referred } from '../rows.ts';
import { connections, folders, syncs } from '../schema.ts';
import { type SyncRow } from '../engine/subjects.ts';
import { deleteSync } from './deletion.ts';
import { attachedFolder, createSyncOrders } from './orders.ts';
import { wake } from '../engine/wake.ts';
import { raise } from '../statement.ts';
import { dueBecause } from '../engine/due.ts';
import type { SyncDeletion } from '../../domain/sync/deletion.ts';

export interface NewSync {
  readonly name: string;
  readonly description?: string | null;
  readonly projectId: string;
  readonly connectionId: string;
  readonly folderId: string;
  readonly destination: DestinationName;
  readonly destinationConfig: DestinationConfig;
  readonly syncOptions: SyncOptions;
  readonly isAutoSyncEnabled: boolean;
  /** Created paused: nothing is written until it is resumed or a run is requested. */
  readonly isPaused?: boolean;
  readonly requestedBy: string | null;
}

export interface SyncChanges {
  readonly name?: string;
  readonly description?: string | null;
  readonly connectionId?: string;
  readonly folderId?: string;
  /** Of the folder. */
  readonly projectId?: string;
  readonly destinationConfig?: DestinationConfig;
  readonly syncOptions?: SyncOptions;
  readonly isAutoSyncEnabled?: boolean;
}

/** A sync with the names of what it refers to, for showing. */
export interface SyncView {
  readonly sync: SyncRow;
  readonly connectionName: string;
  readonly folder: typeof folders.$inferSelect;
}

export type Syncs = ReturnType<typeof createSyncs>;

export function createSyncs(db: Database) {
  return {
    create: (orgId: string, input: NewSync) => createSync(db, orgId, input),
    get: async (orgId: string, reference: Reference) => (await getView(db, orgId, reference)).sync,
    view: (orgId: string, reference: Reference) => getView(db, orgId, reference),
    list: (orgId: string) => listViews(db, orgId),
    /**
     * Writes the changes and makes an automatic sync due. Undefined when the row changed since
     * `sync` was read.
     */
    update: (sync: SyncRow, changes: SyncChanges, requestedBy: string | null) =>
      updateSync(db, sync, { changes, requestedBy }),
    ...createSyncOrders(db),
    /**
     * Deletes the sync and its ledger, and returns what stays at AWS. Throws SYNC_STILL_OWNED
     * unless that is abandoned.
     */
    delete: (sync: SyncRow, deletion: SyncDeletion = { abandon: false }) => deleteSync(db, sync, deletion),
  };
}

/**
 * Inserts the sync and touches its folder’s row, so that a change of the folder at the same time
 * is not missed.
 */
async function createSync(db: Database, orgId: string, input: NewSync): Promise<SyncRow> {
  try {
    await refuseTakenTarget(db, orgId, { ...input, exceptId: undefined });
    const { requestedBy, isPaused, ...values } = input;
    const isWanted = input.isAutoSyncEnabled;
    const columns = insertion(syncs, {
      orgId,
      ...values,
      wantedRevision: isWanted ? 1 : 0,
      nextDueAt: isWanted && isPaused !== true ? sql`now()` : null,
      pausedAt: isPaused === true ? sql`now()` : null,
      dueReason: 'created',
      dueRequestedBy: requestedBy,
      dueTraceparent: currentTraceparent(),
    });
    const [row] = await db.execute(sql`
      with ${attachedFolder(input.folderId)},
      created as (insert into keyferry.syncs ${columns} returning *)
      select created.* from created left join folder on true`);
    wake(db, 'sync');
    return fromRow(syncs, row ?? {});
  } catch (error) {
    throw nameTaken(error, input.name);
  }
}

function nameTaken(error: unknown, name: string): JobError {
  if (violatedConstraint(error) !== 'syncs_org_name') return toDatabaseError(error);
  return new JobError('SYNC_NAME_TAKEN', {
    message: `A sync named ${name} already exists. Choose another name, or update that one.`,
  });
}

interface WantedTarget extends TargetSource {
  readonly connectionId: string;
  readonly folderId: string;
  readonly exceptId: string | undefined;
}

/**
 * Two syncs of one org that write the same names would overwrite each other; names of the other
 * org's are never shown. A clash that only some keys would cause is found at run time, by the claim
 * of each name.
 */
async function refuseTakenTarget(db: Database, orgId: string, wanted: WantedTarget): Promise<void> {
  const theirs = alias(connections, 'theirs');
  const ours = alias(connections, 'ours');
  const ourFolder = alias(folders, 'our_folder');
  const rows = await db
    .select({
      name: syncs.name,
      destination: syncs.destination,
      destinationConfig: syncs.destinationConfig,
      syncOptions: syncs.syncOptions,
      folder: folders,
      ourFolder,
    })
    .from(syncs)
    .innerJoin(folders, eq(folders.id, syncs.folderId))
    .innerJoin(theirs, eq(theirs.id, syncs.connectionId))
    .innerJoin(ours, eq(ours.id, wanted.connectionId))
    .innerJoin(ourFolder, eq(ourFolder.id, wanted.folderId))
    .where(
      and(
        eq(syncs.orgId, orgId),
        eq(syncs.destination, wanted.destination),
        sql`${syncs.id} is distinct from ${wanted.exceptId ?? null}::uuid`,
        sql`${syncs.destinationConfig}->>'region' = ${wanted.destinationConfig.region}`,
        // A connection that is not validated yet counts as an account of its own.
        sql`coalesce(${theirs.accountId}, ${theirs.id}::text) = coalesce(${ours.accountId},
          ${ours.id}::text)`,
      ),
    );
  const other = rows.find(
    (row) => nameTemplateOf(toTarget(row, row.folder)) === nameTemplateOf(toTarget(wanted, row.ourFolder)),
  );
  if (other) {
    throw new JobError('SYNC_TARGET_TAKEN', {
      message: `The sync ${other.name} writes to this target already. Choose another prefix, secret name or region, or delete that sync.`,
    });
  }
}

const viewColumns = { sync: syncs, connectionName: connections.name, folder: folders };

async function getView(db: Database, orgId: string, reference: Reference): Promise<SyncView> {
  const views = await db
    .select(viewColumns)
    .from(syncs)
    .innerJoin(connections, eq(connections.id, syncs.connectionId))
    .innerJoin(folders, eq(folders.id, syncs.folderId))
    .where(and(eq(syncs.orgId, orgId), referred(syncs, reference)))
    .catch(raise);
  const found = pickReferred(
    reference,
    views.map(({ sync }) => sync),
  );
  const view = views.find(({ sync }) => sync === found);
  if (!view) throw new JobError('SYNC_NOT_FOUND', { message: `There is no sync ${textOf(reference)}.` });
  return view;
}

async function listViews(db: Database, orgId: string): Promise<readonly SyncView[]> {
  return db
    .select(viewColumns)
    .from(syncs)
    .innerJoin(connections, eq(connections.id, syncs.connectionId))
    .innerJoin(folders, eq(folders.id, syncs.folderId))
    .where(eq(syncs.orgId, orgId))
    .orderBy(asc(syncs.name))
    .catch(raise);
}

async function updateSync(
  db: Database,
  sync: SyncRow,
  input: { changes: SyncChanges; requestedBy: string | null },
): Promise<SyncRow | undefined> {
  const { changes, requestedBy } = input;
  try {
    const after = { ...sync, ...changes };
    await refuseTakenTarget(db, sync.orgId, { ...after, exceptId: sync.id });
    const isAutomatic = sql`coalesce(${changes.isAutoSyncEnabled ?? null}::boolean,
      t.is_auto_sync_enabled)`;
    const [row] = await db.execute(sql`
      with ${attachedFolder(after.folderId)}
      update keyferry.syncs t set
        version = t.version + 1,
        updated_at = now(),
        wanted_revision = t.wanted_revision + ${isAutomatic}::int,
        attempt = case when ${isAutomatic} then 0 else t.attempt end,
        next_due_at = case when t.paused_at is null and ${isAutomatic} then now()
          else t.next_due_at end,
        ${dueBecause('changed')},
        due_requested_by = ${requestedBy}${assignments(syncs, changes)}
      from folder where t.id = ${sync.id} and t.version = ${sync.version} returning t.*`);
    if (row) wake(db, 'sync');
    return row && fromRow(syncs, row);
  } catch (error) {
    throw nameTaken(error, changes.name ?? sync.name);
  }
}
