/**
 * What the status page, the metrics and the operator's `status` read: across all orgs, never a
 * ciphertext, never a write. Lists are paged and filtered in PostgreSQL, so that a page costs the
 * same with ten rows and with a million.
 */
import { sql, type SQL } from 'drizzle-orm';

import { pickReferred, type Reference } from '../../domain/reference.ts';
import type { DestinationName } from '../../domain/destinations/names.ts';
import { createBaseIdentities } from '../base-identities.ts';
import type { Database } from '../client.ts';
import { createReadAll, type ReadAll } from '../read.ts';
import { fromRow, referred } from '../rows.ts';
import { connections, type folders, rotations, runs, syncs } from '../schema.ts';
import { readCount, readEntries, readKeys, readLatestPlan, readRuns, readSteps, type Page } from './details.ts';
import { filter, orderOf, relatives, window, type ListQuery } from './list-query.ts';
import { readAttention, readOverview } from './overview.ts';

export type ConnectionStatus = Omit<typeof connections.$inferSelect, 'secretAccessKey' | 'candidateSecret'>;
export type FolderStatus = Pick<
  typeof folders.$inferSelect,
  'id' | 'projectId' | 'environment' | 'secretPath' | 'revision'
>;
export type RunRowStatus = (typeof runs.$inferSelect)['status'];
/** The last run of one kind; null when there is none in the history. */
export type LastRun = Pick<
  typeof runs.$inferSelect,
  'id' | 'status' | 'reason' | 'startedAt' | 'finishedAt' | 'errorMessage'
> | null;
export type SyncStatus = typeof syncs.$inferSelect & {
  readonly connectionName: string;
  readonly folder: FolderStatus;
  readonly lastImport: LastRun;
  readonly lastRemoval: LastRun;
};
export type RotationStatus = typeof rotations.$inferSelect & {
  readonly connectionName: string;
  readonly folder: FolderStatus;
  readonly lastRun: LastRun;
  /** Keys that were ever published. */
  readonly publishedKeys: number;
};

export type StatusQueries = ReturnType<typeof createStatusQueries>;

export function createStatusQueries(db: Database) {
  const all = createReadAll(db);
  return {
    overview: () => readOverview(all),
    attention: (limit: number) => readAttention(all, limit),
    baseIdentities: createBaseIdentities(db).list,
    connections: (query: ListQuery) => listConnections(all, query),
    syncs: (query: ListQuery) => listSyncs(all, query),
    rotations: (query: ListQuery) => listRotations(all, query),
    connection: async (id: string) => (await connectionRows(all, sql`t.id = ${id}`))[0],
    sync: async (id: string) => (await syncRows(all, sql`t.id = ${id}`))[0],
    rotation: async (id: string) => (await rotationRows(all, sql`t.id = ${id}`))[0],
    /** Within one org. */
    findConnection: async (orgId: string, reference: Reference) =>
      pickReferred(reference, await connectionRows(all, isReferred(orgId, reference))),
    findSync: async (orgId: string, reference: Reference, within: Within = {}) =>
      pickReferred(reference, await syncRows(all, isReferredWithin(orgId, reference, within))),
    findRotation: async (orgId: string, reference: Reference, within: Within = {}) =>
      pickReferred(reference, await rotationRows(all, isReferredWithin(orgId, reference, within))),
    /** The project of another sync that writes to the same place; undefined when there is none. */
    duplicateTarget: (target: DuplicateTarget) => readDuplicateTarget(all, target),
    syncsOfConnection: (id: string, limit: number) =>
      syncRows(all, sql`t.connection_id = ${id}`, sql`order by t.name limit ${limit}`),
    rotationsOfConnection: (id: string, limit: number) =>
      rotationRows(all, sql`t.connection_id = ${id}`, sql`order by t.name limit ${limit}`),
    runsOf: (subjectId: string, limit: number) => readRuns(all, [sql`r.subject_id = ${subjectId}`], limit),
    recentRuns: (limit: number) => readRuns(all, [], limit),
    latestPlan: (syncId: string) => readLatestPlan(all, syncId),
    entries: (syncId: string, limit: number) => readEntries(all, syncId, limit),
    keys: (rotationId: string) => readKeys(all, rotationId),
    steps: (rotationId: string, limit: number) => readSteps(all, rotationId, limit),
  };
}

function isReferred(orgId: string, reference: Reference): SQL {
  return sql`t.org_id = ${orgId} and ${referred({ id: sql`t.id`, name: sql`t.name` }, reference)}`;
}

/** Where an object with a certain name is looked for. */
export interface Within {
  readonly projectId?: string | undefined;
  readonly environment?: string | undefined;
  readonly secretPath?: string | undefined;
}

function isReferredWithin(orgId: string, reference: Reference, within: Within): SQL {
  const { projectId, environment, secretPath } = within;
  const conditions = [isReferred(orgId, reference)];
  if (projectId !== undefined) conditions.push(sql`f.project_id = ${projectId}`);
  if (environment !== undefined) conditions.push(sql`f.environment = ${environment}`);
  if (secretPath !== undefined) conditions.push(sql`f.secret_path = ${secretPath}`);
  return sql.join(conditions, sql` and `);
}

export interface DuplicateTarget {
  readonly orgId: string;
  readonly destination: DestinationName;
  readonly destinationConfig: object;
  readonly exceptSyncId?: string | undefined;
}

async function readDuplicateTarget(all: ReadAll, target: DuplicateTarget): Promise<string | undefined> {
  const [row] = await all(sql`
    select f.project_id
    from keyferry.syncs t join keyferry.folders f on f.id = t.folder_id
    where t.org_id = ${target.orgId} and t.destination = ${target.destination}
      and t.destination_config = ${JSON.stringify(target.destinationConfig)}::jsonb
      and t.id is distinct from ${target.exceptSyncId ?? null}::uuid
    order by t.created_at
    limit 1`);
  return row === undefined ? undefined : String(row.project_id);
}

async function listConnections(all: ReadAll, query: ListQuery): Promise<Page<ConnectionStatus>> {
  const searched = [
    't.name',
    't.id::text',
    't.account_id',
    't.principal_arn',
    't.role_arn',
    't.access_key_id',
    't.org_id',
  ];
  const where = filter(
    query,
    sql`t.status`,
    searched.map((column) => sql.raw(column)),
  );
  const [total, rows] = await Promise.all([
    readCount(all, sql`keyferry.connections t where ${where}`),
    connectionRows(all, where, sql`${orderOf(query, sql`t.status`)} ${window(query)}`),
  ]);
  return { rows, total };
}

async function connectionRows(all: ReadAll, where: SQL, rest: SQL = sql``): Promise<ConnectionStatus[]> {
  const rows = await all(sql`select t.* from keyferry.connections t where ${where} ${rest}`);
  return rows.map((row) => {
    const { secretAccessKey: _secret, candidateSecret: _candidate, ...shown } = fromRow(connections, row);
    return shown;
  });
}

const withPlace = sql`join keyferry.folders f on f.id = t.folder_id
  join keyferry.connections c on c.id = t.connection_id`;
const placeColumns = sql`c.name as _connection, f.project_id as _project,
  f.environment as _environment, f.secret_path as _path, f.revision as _revision`;

function placeOf(row: Record<string, unknown>, folderId: string): FolderStatus {
  return {
    id: folderId,
    projectId: String(row._project),
    environment: String(row._environment),
    secretPath: String(row._path),
    revision: Number(row._revision),
  };
}

function lastRun(kinds: SQL): SQL {
  return sql`(
    select jsonb_build_object(
      'id', r.id,
      'status', r.status,
      'reason', r.reason,
      'started_at', r.started_at,
      'finished_at', r.finished_at,
      'error_message', r.error_message
    )
    from keyferry.runs r
    where r.subject_id = t.id and r.kind in (${kinds})
    order by r.started_at desc limit 1
  )`;
}

function toLastRun(found: unknown): LastRun {
  return found === null || found === undefined ? null : fromRow(runs, found as Record<string, unknown>);
}

async function listSyncs(all: ReadAll, query: ListQuery): Promise<Page<SyncStatus>> {
  const searched = ['t.name', 't.id::text', 't.org_id', 't.destination_config::text'];
  const where = filter(query, sql`t.sync_status`, [...searched.map((column) => sql.raw(column)), ...relatives(query)]);
  const order = orderOf(query, sql`t.sync_status`);
  const page = sql`select t.id from keyferry.syncs t where ${where} ${order} ${window(query)}`;
  const [total, rows] = await Promise.all([
    readCount(all, sql`keyferry.syncs t where ${where}`),
    syncRows(all, sql`t.id in (${page})`, order),
  ]);
  return { rows, total };
}

async function syncRows(all: ReadAll, where: SQL, rest: SQL = sql``): Promise<SyncStatus[]> {
  const rows = await all(sql`
    select t.*, ${placeColumns},
      ${lastRun(sql`'import'`)} as _import,
      ${lastRun(sql`'remove'`)} as _removal
    from keyferry.syncs t ${withPlace} where ${where} ${rest}`);
  return rows.map((row) => {
    const sync = fromRow(syncs, row);
    const last = { lastImport: toLastRun(row._import), lastRemoval: toLastRun(row._removal) };
    return { ...sync, ...last, connectionName: String(row._connection), folder: placeOf(row, sync.folderId) };
  });
}

async function listRotations(all: ReadAll, query: ListQuery): Promise<Page<RotationStatus>> {
  const searched = ['t.name', 't.id::text', 't.org_id', 't.user_name', 't.account_id', 't.active_access_key_id'];
  const where = filter(query, sql`t.rotation_status`, [
    ...searched.map((column) => sql.raw(column)),
    ...relatives(query),
  ]);
  const order = orderOf(query, sql`t.rotation_status`);
  const page = sql`select t.id from keyferry.rotations t where ${where} ${order} ${window(query)}`;
  const [total, rows] = await Promise.all([
    readCount(all, sql`keyferry.rotations t where ${where}`),
    rotationRows(all, sql`t.id in (${page})`, order),
  ]);
  return { rows, total };
}

async function rotationRows(all: ReadAll, where: SQL, rest: SQL = sql``): Promise<RotationStatus[]> {
  const rows = await all(sql`
    select t.*, ${placeColumns},
      ${lastRun(sql`'rotate'`)} as _run,
      (
        select count(*) from keyferry.rotation_keys k
        where k.rotation_id = t.id and k.published_at is not null
      )::int as _published
    from keyferry.rotations t ${withPlace} where ${where} ${rest}`);
  return rows.map((row) => {
    const rotation = fromRow(rotations, row);
    const last = { lastRun: toLastRun(row._run), publishedKeys: Number(row._published) };
    return { ...rotation, ...last, connectionName: String(row._connection), folder: placeOf(row, rotation.folderId) };
  });
}
