/**
 * What the status page, the metrics and the operator's `status` read: across all orgs, never a ciphertext, never a write. Lists are paged and
 * filtered in PostgreSQL, so that a page costs the same with ten rows and with a million.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Kind } from '../domain/run.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { fromRow } from './rows.ts';
import { connections, folders, rotationKeys, rotations, rotationSteps, runs, syncEntries, syncs } from './schema.ts';

type Without<T, K extends keyof T> = Omit<T, K>;
export type ConnectionStatus = Without<typeof connections.$inferSelect, 'secretAccessKey'>;
export type FolderPlace = Pick<typeof folders.$inferSelect, 'id' | 'projectId' | 'environment' | 'secretPath' | 'revision'>;
export type SyncStatus = typeof syncs.$inferSelect & { readonly connectionName: string; readonly folder: FolderPlace };
export type RotationStatus = typeof rotations.$inferSelect & { readonly connectionName: string; readonly folder: FolderPlace };
export type RunStatusRow = typeof runs.$inferSelect & { readonly subjectName: string | null };
export type EntryStatus = Without<typeof syncEntries.$inferSelect, 'fingerprint' | 'inFlight'>;
export type KeyStatus = Without<typeof rotationKeys.$inferSelect, 'secret'>;
export type RotationStep = typeof rotationSteps.$inferSelect;

export interface ListQuery {
  /** Part of a name, an id, a path, an account or a user, whatever case. */
  readonly search?: string | undefined;
  readonly status?: string | undefined;
  readonly orgId?: string | undefined;
  /** From 1. */
  readonly page: number;
  readonly pageSize: number;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Rows that match the filter, on all pages. */
  readonly total: number;
}

export interface Overview {
  readonly connections: Readonly<Record<string, number>>;
  readonly syncs: Readonly<Record<string, number>>;
  readonly rotations: Readonly<Record<string, number>>;
  readonly drifted: number;
  /** Subjects that need a person: all that `attention` would list. */
  readonly troubled: number;
  readonly due: Readonly<Record<Kind, { readonly count: number; readonly oldestSeconds: number }>>;
}

/** A subject that needs a person. */
export interface Attention {
  readonly kind: 'connection' | 'sync' | 'rotation';
  readonly id: string;
  readonly orgId: string;
  readonly name: string;
  readonly status: string;
  readonly statusCode: string | null;
  readonly statusMessage: string | null;
  readonly since: Date;
}

export type StatusQueries = ReturnType<typeof createStatusQueries>;

export function createStatusQueries(db: Database) {
  const all = (statement: SQL) => execute(db, statement);
  return {
    overview: () => overview(all),
    attention: (limit: number) => attention(all, limit),
    connections: (query: ListQuery) => listConnections(all, query),
    syncs: (query: ListQuery) => listSyncs(all, query),
    rotations: (query: ListQuery) => listRotations(all, query),
    connection: async (id: string) => (await connectionRows(all, sql`t.id = ${id}`))[0],
    sync: async (id: string) => (await syncRows(all, sql`t.id = ${id}`))[0],
    rotation: async (id: string) => (await rotationRows(all, sql`t.id = ${id}`))[0],
    syncsOfConnection: (id: string, limit: number) => syncRows(all, sql`t.connection_id = ${id}`, sql`order by t.name limit ${limit}`),
    rotationsOfConnection: (id: string, limit: number) =>
      rotationRows(all, sql`t.connection_id = ${id}`, sql`order by t.name limit ${limit}`),
    runsOf: (subjectId: string, limit: number) => runRows(all, sql`where r.subject_id = ${subjectId}`, limit),
    recentRuns: (limit: number) => runRows(all, sql``, limit),
    latestPlan: (syncId: string) => latestPlan(all, syncId),
    entries: (syncId: string, limit: number) => entries(all, syncId, limit),
    keys: (rotationId: string) => keys(all, rotationId),
    steps: (rotationId: string, limit: number) => steps(all, rotationId, limit),
  };
}

type All = (statement: SQL) => Promise<Record<string, unknown>[]>;

async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}

const isTroubled = {
  connection: sql`status in ('invalid', 'degraded')`,
  rotation: sql`rotation_status in ('failed', 'blocked')`,
  sync: sql`(sync_status in ('failed', 'blocked', 'partial') or drift = 'drifted')`,
} as const;

/** One pass over each table; the rest is added up here. */
async function overview(all: All): Promise<Overview> {
  const [row] = await all(sql`
    select
      ${countsOf(sql`keyferry.connections`, { status: sql`status`, drifted: sql`false`, troubled: isTroubled.connection })} as connections,
      ${countsOf(sql`keyferry.syncs`, { status: sql`sync_status`, drifted: sql`drift = 'drifted'`, troubled: isTroubled.sync })} as syncs,
      ${countsOf(sql`keyferry.rotations`, { status: sql`rotation_status`, drifted: sql`false`, troubled: isTroubled.rotation })} as rotations,
      ${dueOf(sql`keyferry.connections`)} as validate,
      ${dueOf(sql`keyferry.syncs`)} as sync,
      ${dueOf(sql`keyferry.rotations`)} as rotate`);
  const counts = (name: string) => parsed(row?.[name]) as readonly StatusCount[];
  const due = (name: string) => parsed(row?.[name]) as { count: number; oldestSeconds: number };
  const tables = [counts('connections'), counts('syncs'), counts('rotations')] as const;
  const sum = (field: 'drifted' | 'troubled') => tables.flat().reduce((total, count) => total + count[field], 0);
  const [ofConnections, ofSyncs, ofRotations] = tables;
  return {
    connections: byStatus(ofConnections),
    syncs: byStatus(ofSyncs),
    rotations: byStatus(ofRotations),
    drifted: sum('drifted'),
    troubled: sum('troubled'),
    due: { validate: due('validate'), sync: due('sync'), rotate: due('rotate') },
  };
}

interface StatusCount {
  readonly status: string;
  readonly n: number;
  readonly drifted: number;
  readonly troubled: number;
}

function byStatus(counts: readonly StatusCount[]): Readonly<Record<string, number>> {
  return Object.fromEntries(counts.map(({ status, n }) => [status, n]));
}

function countsOf(table: SQL, { status, drifted, troubled }: { readonly status: SQL; readonly drifted: SQL; readonly troubled: SQL }): SQL {
  return sql`(select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
    select ${status} as status, count(*)::int as n, (count(*) filter (where ${drifted}))::int as drifted,
      (count(*) filter (where ${troubled}))::int as troubled
    from ${table} group by 1) c)`;
}

/** Due and not yet taken by a run. */
function dueOf(table: SQL): SQL {
  return sql`(
    select jsonb_build_object('count', count(*)::int, 'oldestSeconds', coalesce(extract(epoch from now() - min(next_due_at)), 0)::float)
    from ${table} where next_due_at <= now() and (run_lease_until is null or run_lease_until < now()))`;
}

function parsed(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : value;
}

async function attention(all: All, limit: number): Promise<readonly Attention[]> {
  const part = (kind: string, table: SQL, status: SQL, where: SQL) => sql`
    (select ${kind}::text as kind, id, org_id, name, ${status} as status, status_code, status_message, updated_at
     from ${table} where ${where} order by updated_at desc limit ${limit})`;
  const rows = await all(sql`
    ${part('connection', sql`keyferry.connections`, sql`status`, isTroubled.connection)}
    union all ${part('rotation', sql`keyferry.rotations`, sql`rotation_status`, isTroubled.rotation)}
    union all ${part(
      'sync',
      sql`keyferry.syncs`,
      sql`case when sync_status in ('failed', 'blocked', 'partial') then sync_status else 'drifted' end`,
      isTroubled.sync,
    )}
    order by kind, updated_at desc limit ${limit}`);
  return rows.map((row) => ({
    kind: row.kind as Attention['kind'],
    id: String(row.id),
    orgId: String(row.org_id),
    name: String(row.name),
    status: String(row.status),
    statusCode: textOrNull(row.status_code),
    statusMessage: textOrNull(row.status_message),
    since: new Date(String(row.updated_at)),
  }));
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** `%` and `_` of the reader are letters. */
function pattern(search: string): string {
  return `%${search.replace(/[\\%_]/g, (character) => `\\${character}`)}%`;
}

/** A condition of its own, or a column that is searched for the reader's words. */
type Searched = SQL | { readonly condition: SQL };

/** Subjects whose connection or folder fits: looked up once, instead of joined to every row. */
function relatives({ search }: ListQuery): readonly Searched[] {
  if (search === undefined) return [];
  const like = pattern(search);
  return [
    { condition: sql`t.connection_id in (select id from keyferry.connections where name ilike ${like})` },
    { condition: sql`t.folder_id in (select id from keyferry.folders where secret_path ilike ${like} or environment ilike ${like})` },
  ];
}

function filter(query: ListQuery, statusColumn: SQL, searched: readonly Searched[]): SQL {
  const conditions = [sql`true`];
  if (query.orgId !== undefined) conditions.push(sql`t.org_id = ${query.orgId}`);
  if (query.status === 'drifted') conditions.push(sql`t.drift = 'drifted'`);
  else if (query.status === 'paused') conditions.push(sql`t.paused_at is not null`);
  else if (query.status !== undefined) conditions.push(sql`${statusColumn} = ${query.status}`);
  if (query.search !== undefined) {
    const like = pattern(query.search);
    const matches = searched.map((one) => ('condition' in one ? one.condition : sql`${one} ilike ${like}`));
    conditions.push(sql`(${sql.join(matches, sql` or `)})`);
  }
  return sql.join(conditions, sql` and `);
}

function window(query: ListQuery): SQL {
  return sql`limit ${query.pageSize} offset ${(query.page - 1) * query.pageSize}`;
}

async function count(all: All, from: SQL): Promise<number> {
  const [row] = await all(sql`select count(*)::int as n from ${from}`);
  return Number(row?.n ?? 0);
}

/** What needs a person first, then by name. */
function troubleFirst(column: SQL): SQL {
  return sql`order by case ${column} when 'invalid' then 0 when 'failed' then 0 when 'blocked' then 1 when 'degraded' then 2 when 'partial' then 2
    when 'running' then 3 when 'pending' then 4 else 5 end, t.name, t.id`;
}

async function listConnections(all: All, query: ListQuery): Promise<Page<ConnectionStatus>> {
  const searched = ['t.name', 't.id::text', 't.account_id', 't.principal_arn', 't.role_arn', 't.access_key_id', 't.org_id'];
  const where = filter(query, sql`t.status`, searched.map((column) => sql.raw(column)));
  const [total, rows] = await Promise.all([
    count(all, sql`keyferry.connections t where ${where}`),
    connectionRows(all, where, sql`${troubleFirst(sql`t.status`)} ${window(query)}`),
  ]);
  return { rows, total };
}

async function connectionRows(all: All, where: SQL, rest: SQL = sql``): Promise<ConnectionStatus[]> {
  const rows = await all(sql`select t.* from keyferry.connections t where ${where} ${rest}`);
  return rows.map((row) => {
    const { secretAccessKey: _hidden, ...shown } = fromRow(connections, row);
    return shown;
  });
}

const withPlace = sql`join keyferry.folders f on f.id = t.folder_id join keyferry.connections c on c.id = t.connection_id`;
const placeColumns = sql`c.name as _connection, f.project_id as _project, f.environment as _environment, f.secret_path as _path, f.revision as _revision`;

function placeOf(row: Record<string, unknown>, folderId: string): FolderPlace {
  return {
    id: folderId,
    projectId: String(row._project),
    environment: String(row._environment),
    secretPath: String(row._path),
    revision: Number(row._revision),
  };
}

async function listSyncs(all: All, query: ListQuery): Promise<Page<SyncStatus>> {
  const searched = ['t.name', 't.id::text', 't.org_id', 't.destination_config::text'];
  const where = filter(query, sql`t.sync_status`, [...searched.map((column) => sql.raw(column)), ...relatives(query)]);
  const order = troubleFirst(sql`t.sync_status`);
  const [total, rows] = await Promise.all([
    count(all, sql`keyferry.syncs t where ${where}`),
    syncRows(all, sql`t.id in (select t.id from keyferry.syncs t where ${where} ${order} ${window(query)})`, order),
  ]);
  return { rows, total };
}

async function syncRows(all: All, where: SQL, rest: SQL = sql``): Promise<SyncStatus[]> {
  const rows = await all(sql`select t.*, ${placeColumns} from keyferry.syncs t ${withPlace} where ${where} ${rest}`);
  return rows.map((row) => {
    const sync = fromRow(syncs, row);
    return { ...sync, connectionName: String(row._connection), folder: placeOf(row, sync.folderId) };
  });
}

async function listRotations(all: All, query: ListQuery): Promise<Page<RotationStatus>> {
  const searched = ['t.name', 't.id::text', 't.org_id', 't.user_name', 't.account_id', 't.active_access_key_id'];
  const where = filter(query, sql`t.rotation_status`, [...searched.map((column) => sql.raw(column)), ...relatives(query)]);
  const order = troubleFirst(sql`t.rotation_status`);
  const [total, rows] = await Promise.all([
    count(all, sql`keyferry.rotations t where ${where}`),
    rotationRows(all, sql`t.id in (select t.id from keyferry.rotations t where ${where} ${order} ${window(query)})`, order),
  ]);
  return { rows, total };
}

async function rotationRows(all: All, where: SQL, rest: SQL = sql``): Promise<RotationStatus[]> {
  const rows = await all(sql`select t.*, ${placeColumns} from keyferry.rotations t ${withPlace} where ${where} ${rest}`);
  return rows.map((row) => {
    const rotation = fromRow(rotations, row);
    return { ...rotation, connectionName: String(row._connection), folder: placeOf(row, rotation.folderId) };
  });
}

async function runRows(all: All, where: SQL, limit: number): Promise<readonly RunStatusRow[]> {
  const rows = await all(sql`
    with r as materialized (select * from keyferry.runs r ${where} order by r.started_at desc limit ${limit})
    select r.*, coalesce(c.name, s.name, t.name) as _name from r
    left join keyferry.connections c on c.id = r.subject_id
    left join keyferry.syncs s on s.id = r.subject_id
    left join keyferry.rotations t on t.id = r.subject_id
    order by r.started_at desc`);
  return rows.map((row) => ({ ...fromRow(runs, row), subjectName: textOrNull(row._name) }));
}

async function latestPlan(all: All, syncId: string): Promise<RunStatusRow | undefined> {
  const [row] = await runRows(all, sql`where r.subject_id = ${syncId} and r.kind = 'plan' and r.result is not null`, 1);
  return row;
}

/** Entries with trouble first, then by name. Deleted ones are history. */
async function entries(all: All, syncId: string, limit: number): Promise<Page<EntryStatus>> {
  const where = sql`keyferry.sync_entries t where t.sync_id = ${syncId} and t.deleted_at is null`;
  const [total, rows] = await Promise.all([
    count(all, where),
    all(sql`select t.* from ${where}
      order by case t.status when 'failed' then 0 when 'conflict' then 1 when 'skipped' then 2 else 3 end, t.remote_name, t.key limit ${limit}`),
  ]);
  return {
    total,
    rows: rows.map((row) => {
      const { fingerprint: _fingerprint, inFlight: _inFlight, ...shown } = fromRow(syncEntries, row);
      return shown;
    }),
  };
}

async function keys(all: All, rotationId: string): Promise<readonly KeyStatus[]> {
  const rows = await all(sql`select * from keyferry.rotation_keys where rotation_id = ${rotationId} order by created_at desc limit 20`);
  return rows.map((row) => {
    const { secret: _hidden, ...shown } = fromRow(rotationKeys, row);
    return shown;
  });
}

async function steps(all: All, rotationId: string, limit: number): Promise<readonly RotationStep[]> {
  const rows = await all(sql`select * from keyferry.rotation_steps where rotation_id = ${rotationId} order by id desc limit ${limit}`);
  return rows.map((row) => fromRow(rotationSteps, row));
}
