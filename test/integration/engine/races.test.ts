/**
 * Two transactions at one row: one of them has not committed yet, the other waits. Whichever comes
 * first, nothing that was wished for is lost. All pairs of writers and engine statements are in
 * `test/pairs`; here is what needs a closer look.
 */
import { randomUUID } from 'node:crypto';

import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import type { Claim } from '../../../src/db/engine/claim.ts';
import { openDatabase, type Database } from '../../../src/db/client.ts';
import { createConnectionStatus } from '../../../src/db/connection-status.ts';
import { createFolders } from '../../../src/db/folders.ts';
import { createRequests } from '../../../src/db/requests.ts';
import type { Settlement } from '../../../src/db/engine/settle.ts';
import { createSyncEntries } from '../../../src/db/sync/entries.ts';
import { createSyncs } from '../../../src/db/sync/syncs.ts';
import { createWork } from '../../../src/db/engine/work.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, type World } from '../sync/world.ts';
import { eventually } from './support.ts';

const stage = useStage();

/** Holds what `write` did open until `meanwhile` waits for a lock or has ended. */
async function heldOpen<T>(write: (db: Database) => Promise<unknown>, meanwhile: () => Promise<T>): Promise<T> {
  const other = openDatabase(stage.databaseUrl, { poolSize: 1 });
  await other.client.unsafe('begin');
  await write(other.db);
  let hasEnded = false;
  // Settled here: a refusal that comes while the other commits is nobody's unhandled rejection.
  const waiting = Promise.allSettled([meanwhile()]).finally(() => {
    hasEnded = true;
  });
  const countWaiting = () =>
    stage.handle.db.execute(sql`
      select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
  await eventually(countWaiting, (waits) => hasEnded || waits.length > 0);
  await other.client.unsafe('commit');
  const [result] = await waiting;
  await other.close();
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** A sync that has run, dispatched again by its schedule. */
async function dispatchedSync(world: World): Promise<string> {
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await stage.handle.db.execute(
    sql`update keyferry.syncs set dispatch_lease_until = now() + interval '1 minute'
      where id = ${id}`,
  );
  return id;
}

const changeFolder = (world: World, value: string) => async (db: Database) =>
  createFolders(db, stage.encryption).change(await world.folders.get(world.folder.id), [{ key: 'A', value }], 'merge');

test('a claim that waits for a folder change does not call the sync unchanged', async () => {
  const world = await createWorld(stage);
  const id = await dispatchedSync(world);
  const before = await world.row(id);
  const claim = await heldOpen(changeFolder(world, '2'), () =>
    createWork(stage.handle.db).claim('sync', { subjectId: id, runId: randomUUID(), jobId: undefined }),
  );
  expect(claim?.subject.wantedRevision).toBe(before.wantedRevision + 1);
  expect(claim?.unchangedEntries).toBeUndefined();
});

test('a folder change reaches a sync that is created, resumed or moved to the folder at the same time', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ isPaused: true });
  const row = await world.row(id);
  const folder = await world.folders.ensure(world.orgId, { projectId: 'b', environment: 'prod', secretPath: '/' });
  const { id: moved } = await world.createSync({ folderId: folder.id, destinationConfig: at('/moved/') });
  const attach: Readonly<Record<string, (db: Database) => Promise<{ id: string }>>> = {
    created: (db) =>
      createSyncs(db).create(world.orgId, {
        name: 'late',
        projectId: 'app',
        connectionId: row.connectionId,
        folderId: row.folderId,
        destination: row.destination,
        destinationConfig: at('/late/'),
        syncOptions: row.syncOptions,
        isAutoSyncEnabled: true,
        requestedBy: null,
      }),
    resumed: (db) => createSyncs(db).resume(row),
    moved: async (db) => {
      const changes = { folderId: world.folder.id, destinationConfig: at('/m/') };
      await createSyncs(db).update(await world.row(moved), changes, null);
      return { id: moved };
    },
  };
  for (const [how, write] of Object.entries(attach)) {
    let attached = '';
    await heldOpen(
      async (db) => (attached = (await write(db)).id),
      () => changeFolder(world, how)(stage.handle.db),
    );
    // Once by its own writer, once by the change.
    const { wantedRevision, doneRevision } = await world.row(attached);
    expect([how, wantedRevision - doneRevision]).toEqual([how, 2]);
    await stage.handle.db.execute(sql`update keyferry.syncs set done_revision = wanted_revision`);
  }
});

test('a change of a folder below reaches a recursive sync that is created, resumed or made one at the same time', async () => {
  const world = await createWorld(stage);
  await world.setBelow('db', { A: '1' });
  const recursive = syncOptions.parse({ recursive: true });
  const { id } = await world.createSync({ isPaused: true, syncOptions: recursive });
  const flat = await world.createSync({ destinationConfig: at('/flat/') });
  const row = await world.row(id);
  const attach: Readonly<Record<string, (db: Database) => Promise<unknown>>> = {
    created: (db) =>
      createSyncs(db).create(world.orgId, {
        name: 'late',
        projectId: 'app',
        connectionId: row.connectionId,
        folderId: row.folderId,
        destination: row.destination,
        destinationConfig: at('/late/'),
        syncOptions: recursive,
        isAutoSyncEnabled: true,
        requestedBy: null,
      }),
    resumed: (db) => createSyncs(db).resume(row),
    changed: async (db) => createSyncs(db).update(await world.row(flat.id), { syncOptions: recursive }, null),
  };
  for (const [how, write] of Object.entries(attach)) {
    await stage.handle.db.execute(sql`update keyferry.syncs set done_revision = wanted_revision`);
    await heldOpen(write, async () => {
      const place = { projectId: 'app', environment: 'prod', secretPath: '/api/db' };
      const folder = await world.folders.ensure(world.orgId, place);
      return createFolders(stage.handle.db, stage.encryption).change(folder, [{ key: 'A', value: how }], 'merge');
    });
    const rows = await stage.handle.db.execute(
      sql`select max(wanted_revision - done_revision)::int as ahead from keyferry.syncs
        where org_id = ${world.orgId}`,
    );
    // Once by its own writer, once by the change.
    expect([how, rows[0]?.['ahead']]).toEqual([how, 2]);
  }
});

const LATER = new Date(Date.now() + 3_600_000);

function succeeded(id: string, claim: Claim<'sync'> | undefined): Settlement<'sync'> {
  return {
    kind: 'sync',
    subjectId: id,
    runId: claim?.runId ?? '',
    outcome: { status: 'succeeded' },
    changes: {},
    servedRevision: claim?.subject.wantedRevision ?? 0,
    attempt: 0,
    nextDueAt: LATER,
    requestIds: claim?.requestIds ?? [],
    awsCalls: {},
  };
}

const at = (path: string) => ({ region: 'eu-west-1', path });

test('a pause that waits for a request leaves it due', async () => {
  const world = await createWorld(stage);
  const id = await dispatchedSync(world);
  const sync = await world.row(id);
  const paused = await heldOpen(
    (db) => createRequests(db).open({ orgId: world.orgId, kind: 'check', subjectId: id, actor: 'ann', parameters: {} }),
    () => world.syncs.pause(sync),
  );
  expect(paused.pausedAt).not.toBeNull();
  expect(paused.nextDueAt).not.toBeNull();
});

test('a deletion that waits for a request closes it', async () => {
  const world = await createWorld(stage);
  const id = await dispatchedSync(world);
  const sync = await world.row(id);
  await heldOpen(
    (db) => createRequests(db).open({ orgId: world.orgId, kind: 'sync', subjectId: id, actor: 'ann', parameters: {} }),
    () => world.syncs.delete(sync, { abandon: true }),
  );
  const open = await stage.handle.db.execute(
    sql`select id from keyferry.requests where subject_id = ${id} and done_at is null`,
  );
  expect(open).toEqual([]);
});

test('a request of a subject that is deleted at the same time is refused', async () => {
  const world = await createWorld(stage);
  const id = await dispatchedSync(world);
  const sync = await world.row(id);
  const asking = heldOpen(
    (db) => createSyncs(db).delete(sync, { abandon: true }),
    () =>
      createRequests(stage.handle.db)
        .open({ orgId: world.orgId, kind: 'sync', subjectId: id, actor: 'ann', parameters: {} })
        .catch((error: unknown) => error),
  );
  expect(await asking).toMatchObject({ code: 'SYNC_NOT_FOUND' });
});

test('a settlement that waits for a request to plan or check leaves the sync due', async () => {
  const world = await createWorld(stage);
  const work = createWork(stage.handle.db);
  for (const kind of ['plan', 'check'] as const) {
    const id = await dispatchedSync(world);
    const claim = await work.claim('sync', { subjectId: id, runId: randomUUID(), jobId: undefined });
    await heldOpen(
      (db) => createRequests(db).open({ orgId: world.orgId, kind, subjectId: id, actor: 'ann', parameters: {} }),
      () => work.settle(succeeded(id, claim)),
    );
    expect((await world.row(id)).nextDueAt?.getTime()).toBeLessThan(LATER.getTime());
    await world.syncs.delete(await world.row(id), { abandon: true });
  }
});

test('a paused sync continues a requested run after a slice, and stops when it is answered', async () => {
  const world = await createWorld(stage);
  await world.set(Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`K${String(n)}`, 'v'])));
  const { id } = await world.createSync({ isPaused: true });
  const first = await world.runOnce(id, { request: 'sync' });
  expect(first.outcome.status).toBe('continued');
  expect((await world.row(id)).nextDueAt).not.toBeNull();
  const last = await world.runUntilDone(id);
  expect(last.outcome.status).toBe('succeeded');
  expect((await world.row(id)).nextDueAt).toBeNull();
});

test('a sync that is resumed while it runs is due at once', async () => {
  const world = await createWorld(stage);
  const id = await dispatchedSync(world);
  const work = createWork(stage.handle.db);
  const claim = await work.claim('sync', { subjectId: id, runId: randomUUID(), jobId: undefined });
  await world.syncs.pause(await world.row(id));
  await world.set({ A: '2' });
  await world.syncs.resume(await world.row(id));
  await work.settle(succeeded(id, claim));
  const row = await world.row(id);
  expect(row.nextDueAt?.getTime()).toBeLessThan(LATER.getTime());
  expect(row.wantedRevision).toBeGreaterThan(row.doneRevision);
});

test('a validation releases what is blocked, also when it is to be tried again at a later time', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createSync();
  const runId = randomUUID();
  await stage.handle.db.execute(sql`
    update keyferry.syncs
    set sync_status = 'blocked', status_code = 'AWS_ACCESS_DENIED',
      next_due_at = now() + interval '1 hour'
    where id = ${id}`);
  await stage.handle.db.execute(
    sql`update keyferry.connections set run_token = ${runId} where id = ${world.connection.id}`,
  );
  const released = await createConnectionStatus(stage.handle.db).release({
    connectionId: world.connection.id,
    runId,
    credentialsRevision: 1,
    status: 'valid',
    accountId: world.accountId,
    principalArn: null,
    isPermitted: true,
  });
  expect(released).toBe(1);
  expect((await world.row(id)).dueReason).toBe('recovered');
});

test('a ledger write that waits for a takeover is refused', async () => {
  const world = await createWorld(stage);
  const id = await dispatchedSync(world);
  const work = createWork(stage.handle.db);
  const runId = randomUUID();
  await work.claim('sync', { subjectId: id, runId, jobId: undefined });
  const entries = createSyncEntries(stage.handle.db);
  const [entry] = await entries.list(id);
  if (!entry) throw new Error('The sync has no entry.');
  const takeOver = (db: Database) =>
    db.execute(sql`update keyferry.syncs set run_token = ${randomUUID()} where id = ${id}`);
  const refused = { code: 'LEASE_LOST' };
  const stored = () => entries.store({ syncId: id, runId }, [{ ...entry, errorMessage: 'too late' }]);
  await expect(heldOpen(takeOver, stored)).rejects.toMatchObject(refused);
  expect(await entries.list(id)).toEqual([entry]);

  await stage.handle.db.execute(sql`update keyferry.syncs set run_token = ${runId} where id = ${id}`);
  await heldOpen(takeOver, () => entries.forget({ syncId: id, runId }, [entry.id]));
  expect(await entries.list(id)).toHaveLength(1);
});

test('a folder change locks its syncs in the order in which a validation does', async () => {
  const world = await createWorld(stage);
  const made: string[] = [];
  for (const path of ['/p1/', '/p2/', '/p3/', '/p4/']) {
    const { id } = await world.createSync({ destinationConfig: at(path) });
    made.push(id);
  }
  const [first = '', ...others] = made.toSorted();
  // Its row moves behind the others, where a statement without an order finds it last.
  await stage.handle.db.execute(sql`update keyferry.syncs set updated_at = now()
    where id = ${first}`);
  const validation = openDatabase(stage.databaseUrl, { poolSize: 1 });
  const lock = (id: string) => validation.client.unsafe('select 1 from keyferry.syncs where id = $1 for update', [id]);
  await validation.client.unsafe('begin');
  await lock(first);
  const change = world.set({ A: 'new' });
  await eventually(
    () =>
      stage.handle.db.execute(sql`
        select 1 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`),
    (waits) => waits.length > 0,
  );
  for (const id of others) await lock(id);
  await validation.client.unsafe('commit');
  await validation.close();
  expect(await change).toMatchObject({ dueSyncs: 4 });
});
