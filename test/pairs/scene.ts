/**
 * What a pair of statements is tried on: an org with a connection, a folder, two syncs that are up
 * to date, and a rotation at rest. Runs are simulated: each looks at what a processor would look at
 * when it is claimed, and settles by that.
 */
import { randomUUID } from 'node:crypto';

import { sql, type SQL } from 'drizzle-orm';

import type { Claim } from '../../src/db/engine/claim.ts';
import { readRevision } from './invariants.ts';
import { openDatabase, type Database } from '../../src/db/client.ts';
import { createConnectionStatus } from '../../src/db/connection-status.ts';
import { createConnections } from '../../src/db/connections.ts';
import { createEncryption } from '../../src/db/encryption.ts';
import { createFolders } from '../../src/db/folders.ts';
import { createRequests } from '../../src/db/requests.ts';
import { createRotations } from '../../src/db/rotation/rotations.ts';
import { createSources } from '../../src/db/sources.ts';
import { createSyncEntries } from '../../src/db/sync/entries.ts';
import { createSyncs } from '../../src/db/sync/syncs.ts';
import type { SubjectRows } from '../../src/db/engine/subjects.ts';
import { createWork } from '../../src/db/engine/work.ts';
import type { Kind, Outcome } from '../../src/domain/run.ts';
import { syncOptions } from '../../src/domain/sync/config.ts';

const encryption = createEncryption([{ id: 'test', key: Buffer.alloc(32, 7) }]);

export type Stores = ReturnType<typeof openStores>;

function openStores(db: Database) {
  return {
    db,
    connections: createConnections(db, encryption),
    entries: createSyncEntries(db),
    folders: createFolders(db, encryption),
    requests: createRequests(db),
    rotations: createRotations(db, encryption),
    sources: createSources(db, encryption, { hosts: [] }),
    status: createConnectionStatus(db),
    syncs: createSyncs(db),
    work: createWork(db),
  };
}

export interface Lane {
  /** Of the statement that comes second, and of everything around the pair. */
  readonly stores: Stores;
  /** Of the statement that is held open. */
  readonly held: Stores;
  begin(): Promise<void>;
  commit(): Promise<void>;
  /** Whether a statement waits for the one that is held open. */
  isWaitedFor(): Promise<boolean>;
  close(): Promise<void>;
}

export async function openLane(url: string): Promise<Lane> {
  const handle = openDatabase(url, { poolSize: 4 });
  const holder = openDatabase(url, { poolSize: 1 });
  const [backend] = await holder.db.execute(sql`select pg_backend_pid() as pid`);
  const pid = Number(backend?.['pid']);
  return {
    stores: openStores(handle.db),
    held: openStores(holder.db),
    begin: async () => {
      await holder.client.unsafe('begin');
    },
    commit: async () => {
      await holder.client.unsafe('commit');
    },
    isWaitedFor: async () => {
      const waiting = await handle.db.execute(
        sql`select from pg_stat_activity
          where wait_event_type = 'Lock' and ${pid} = any(pg_blocking_pids(pid)) limit 1`,
      );
      return waiting.length > 0;
    },
    close: async () => {
      await Promise.all([handle.close(), holder.close()]);
    },
  };
}

export interface OpenRun {
  readonly kind: Kind;
  readonly claim: Claim<Kind>;
  /** What the run goes by: read right after its claim. */
  readonly folderRevision: number;
  readonly isUsable: boolean;
}

export interface Scene {
  readonly orgId: string;
  readonly connectionId: string;
  readonly folderId: string;
  readonly otherFolderId: string;
  /** Below the sync's folder. */
  readonly belowId: string;
  readonly ids: Readonly<Record<Kind, string>>;
  /** Of the same folder as the sync. */
  readonly neighbourId: string;
  /** By subject; those that still are open are settled at the end. */
  readonly runs: Map<string, OpenRun>;
  /** By subject, also of a run that has ended. */
  readonly runIds: Map<string, string>;
}

const tables: Readonly<Record<Kind, SQL>> = {
  sync: sql`keyferry.syncs`,
  rotate: sql`keyferry.rotations`,
  validate: sql`keyferry.connections`,
};

/** Sets columns of the subject by hand, before the pair begins. */
export async function given({ db }: Stores, kind: Kind, { id, set }: { id: string; set: SQL }): Promise<void> {
  await db.execute(sql`update ${tables[kind]} set ${set} where id = ${id}`);
}

export async function createScene(stores: Stores): Promise<Scene> {
  const orgId = `org-${randomUUID()}`;
  const { connection } = await stores.connections.create(orgId, {
    name: 'aws',
    createdVia: 'operator',
    requestedBy: null,
    credentials: { method: 'access-key', accessKeyId: 'AKIAOLD', secretAccessKey: 'old' },
  });
  const place = { projectId: 'app', environment: 'prod' };
  const [folder, below, other] = await Promise.all([
    stores.folders.ensure(orgId, { ...place, secretPath: '/api' }),
    stores.folders.ensure(orgId, { ...place, secretPath: '/api/below' }),
    stores.folders.ensure(orgId, { ...place, secretPath: '/other' }),
  ]);
  await stores.folders.change(folder, [{ key: 'A', value: '1' }], 'merge');
  const parents = { connectionId: connection.id, folderId: folder.id };
  const [syncId, neighbourId, rotationId] = await Promise.all([
    createSync(stores, orgId, { ...parents, path: '/one/' }),
    createSync(stores, orgId, { ...parents, path: '/two/' }),
    createRotation(stores, orgId, parents),
  ]);
  await settle(stores, orgId);
  const ids = { sync: syncId, rotate: rotationId, validate: connection.id };
  const folderIds = { otherFolderId: other.id, belowId: below.id };
  return { orgId, ...parents, ...folderIds, ids, neighbourId, runs: new Map(), runIds: new Map() };
}

interface Parents {
  readonly connectionId: string;
  readonly folderId: string;
}

async function createSync(stores: Stores, orgId: string, { path, ...parents }: Parents & { path: string }) {
  const { id } = await stores.syncs.create(orgId, {
    name: path.replaceAll('/', ''),
    projectId: 'app',
    ...parents,
    destination: 'aws-parameter-store',
    destinationConfig: { region: 'eu-west-1', path },
    syncOptions: syncOptions.parse({}),
    isAutoSyncEnabled: true,
    requestedBy: null,
  });
  return id;
}

async function createRotation(stores: Stores, orgId: string, parents: Parents): Promise<string> {
  const { id } = await stores.rotations.create(orgId, {
    name: 'r',
    description: null,
    ...parents,
    userName: `robot-${orgId}`,
    secretsMapping: { accessKeyId: 'KEY_ID', secretAccessKey: 'SECRET' },
    rotationIntervalDays: 30,
    rotateAtUtc: { hours: 3, minutes: 0 },
    graceSeconds: 0,
    quietSeconds: 0,
    holdSeconds: 0,
    isAutoRotationEnabled: true,
    onExisting: 'fail',
    requestedBy: null,
  });
  return id;
}

/** As the last runs left it: everything is done, and due in an hour. */
async function settle({ db }: Stores, orgId: string): Promise<void> {
  const done = sql`done_revision = wanted_revision, due_reason = 'scheduled',
    next_due_at = now() + interval '1 hour'`;
  await db.execute(sql`
    with connection as (
      update keyferry.connections set ${done}, status = 'valid', account_id = '111122223333'
      where org_id = ${orgId}
    ),
    rotation as (
      update keyferry.rotations set ${done}, rotation_status = 'succeeded' where org_id = ${orgId}
    ),
    asked as (update keyferry.requests set done_at = now() where org_id = ${orgId})
    update keyferry.syncs t
    set ${done}, sync_status = 'succeeded', drift = 'none', synced_version = version,
      synced_revision = (select f.revision from keyferry.folders f where f.id = t.folder_id)
        where org_id = ${orgId}`);
}

/** Due by its schedule, and dispatched as the tick leaves it. */
export function makeDispatched(stores: Stores, kind: Kind, id: string): Promise<void> {
  const set = sql`next_due_at = now(), dispatch_lease_until = now() + interval '1 minute'`;
  return given(stores, kind, { id, set });
}

/** Claims a dispatched subject and begins a simulated run. False when there is nothing to claim. */
export async function beginRun(stores: Stores, scene: Scene, { kind, id }: { kind: Kind; id: string }) {
  const claim = await stores.work.claim(kind, { subjectId: id, runId: randomUUID(), jobId: undefined });
  if (claim === undefined) return false;
  scene.runIds.set(id, claim.runId);
  scene.runs.set(id, { kind, claim, ...(await look(stores, scene, { kind, id })) });
  return true;
}

async function look({ db }: Stores, scene: Scene, { kind, id }: { kind: Kind; id: string }) {
  const [row] = await db.execute(sql`
    select c.status in ('valid', 'degraded') as is_usable, coalesce(
      (select ${readRevision} from keyferry.syncs t where ${kind === 'sync'} and t.id = ${id}),
      (select f.revision from keyferry.folders f where f.id = ${scene.folderId})
    ) as folder_revision
    from keyferry.connections c where c.id = ${scene.connectionId}`);
  return { folderRevision: Number(row?.['folder_revision']), isUsable: row?.['is_usable'] === true };
}

/**
 * Ends the run of a subject as a processor would, by what it saw. Undefined when no run is open.
 */
export async function endRun(
  stores: Stores,
  scene: Scene,
  { id, isOver = true }: { id: string; isOver?: boolean },
): Promise<boolean | undefined> {
  const run = scene.runs.get(id);
  if (run === undefined) return undefined;
  const later = new Date(Date.now() + 600_000);
  const outcome = outcomeOf(run, { isOver, later });
  const isSettled = await stores.work.settle({
    kind: run.kind,
    subjectId: id,
    runId: run.claim.runId,
    outcome,
    changes: isOver ? changesOf(run, outcome) : {},
    servedRevision: run.claim.subject.wantedRevision,
    attempt: 0,
    nextDueAt: outcome.status === 'blocked' ? null : later,
    requestIds: run.claim.requestIds,
    awsCalls: {},
  });
  scene.runs.delete(id);
  return isSettled;
}

function outcomeOf({ kind, isUsable }: OpenRun, { isOver, later }: { isOver: boolean; later: Date }): Outcome {
  if (!isOver) return { status: 'continued', at: later };
  if (kind === 'validate' || isUsable) return { status: 'succeeded' };
  return { status: 'blocked', code: 'CONNECTION_INVALID', message: 'The connection is invalid.' };
}

function changesOf(run: OpenRun, outcome: Outcome): Partial<SubjectRows[Kind]> {
  const { claim, kind, folderRevision } = run;
  const blocked = outcome.status === 'blocked' ? { statusCode: outcome.code } : { statusCode: null };
  const status = outcome.status === 'blocked' ? 'blocked' : 'succeeded';
  if (kind === 'validate') return {};
  if (kind === 'rotate') return { rotationStatus: status, ...blocked };
  if (status === 'blocked') return { syncStatus: status, ...blocked };
  // A plan and a check look only; what is unchanged by the claim is not looked at.
  const looksOnly = claim.requestKind === 'plan' || claim.requestKind === 'check';
  const isRead = claim.unchangedEntries === undefined && !looksOnly;
  const read = { syncedRevision: folderRevision, syncedVersion: claim.subject.version };
  return { syncStatus: status, ...blocked, ...(isRead ? read : {}) };
}
