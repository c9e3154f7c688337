/**
 * What a person changes while a run is under way: the run has read the settings before the change,
 * so the subject must be due again when it settles, whatever the run found and whenever its
 * schedule would have it run next. The types of the tables below demand every field that can
 * change.
 */
import { randomUUID } from 'node:crypto';

import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import type { ConnectionChanges, ConnectionDescription } from '../../../src/db/connections.ts';
import type { ResolvedChanges } from '../../../src/db/rotation/rotations.ts';
import { createSyncs, type SyncChanges } from '../../../src/db/sync/syncs.ts';
import { createWork } from '../../../src/db/engine/work.ts';
import type { Kind } from '../../../src/domain/run.ts';
import { useStage } from '../../support/use-stage.ts';
import * as rotations from '../rotation/world.ts';
import { connect, createWorld, type World } from '../sync/world.ts';

const stage = useStage();

const IN_AN_HOUR = new Date(Date.now() + 3_600_000);
const IGNORED = 'no run reads it';
const tables = { validate: 'connections', sync: 'syncs', rotate: 'rotations' } as const;

/** A run of this kind during which `change` happens; then whether the subject is due at once. */
async function isDueAfter(kind: Kind, id: string, change: () => Promise<unknown>): Promise<boolean> {
  const { db } = stage.handle;
  const table = sql.raw(`keyferry.${tables[kind]}`);
  await db.execute(sql`
    update ${table}
    set done_revision = wanted_revision, next_due_at = null, run_token = null,
      run_lease_until = null,
      dispatch_lease_until = now() + interval '1 minute'
    where id = ${id}`);
  const work = createWork(db);
  const claim = await work.claim(kind, { subjectId: id, runId: randomUUID(), jobId: undefined });
  if (!claim) throw new Error('It could not be claimed.');
  const changed = await change();
  if (changed === undefined) throw new Error('The change was refused.');
  const isSettled = await work.settle({
    kind,
    subjectId: id,
    runId: claim.runId,
    outcome: { status: 'succeeded' },
    changes: {},
    servedRevision: claim.subject.wantedRevision,
    attempt: 0,
    nextDueAt: IN_AN_HOUR,
    requestIds: claim.requestIds,
    awsCalls: {},
  });
  if (!isSettled) throw new Error('The run was not settled.');
  const [row] = await db.execute(sql`select next_due_at <= now() as is_due from ${table}
    where id = ${id}`);
  return row?.['is_due'] === true;
}

test('a run during which nothing changes leaves its subject to the schedule', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createSync();
  expect(await isDueAfter('sync', id, () => Promise.resolve(true))).toBe(false);
});

/** How each field is changed, or why it need not be tried. */
type Fields<T, W = World> = { readonly [K in keyof Required<T>]: ((world: W) => Promise<T>) | typeof IGNORED };
const entriesOf = <T, W = World>(fields: Fields<T, W>) =>
  Object.entries<((world: W) => Promise<T>) | typeof IGNORED>(fields).flatMap(([name, change]) =>
    change === IGNORED ? [] : [[name, change] as const],
  );
const value =
  <T>(changes: T) =>
  () =>
    Promise.resolve(changes);

const otherFolder = (world: World) =>
  world.folders.ensure(world.orgId, { projectId: 'other', environment: 'prod', secretPath: '/' });

const syncFields: Fields<SyncChanges> = {
  name: IGNORED,
  description: IGNORED,
  projectId: IGNORED,
  connectionId: async (world) => {
    const { orgId, accountId } = world;
    const other = await connect(stage, world.connections, { orgId, accountId, name: 'b', roleArn: world.base.roleArn });
    return { connectionId: other.id };
  },
  folderId: async (world) => ({ folderId: (await otherFolder(world)).id }),
  destinationConfig: value({ destinationConfig: { region: 'eu-west-1', path: '/elsewhere/' } }),
  syncOptions: async (world) => {
    const [sync] = await world.syncs.list(world.orgId);
    if (!sync) throw new Error('There is no sync.');
    return { syncOptions: { ...sync.sync.syncOptions, onExisting: 'adopt' } };
  },
  isAutoSyncEnabled: value({ isAutoSyncEnabled: true }),
};

test.each(entriesOf(syncFields))('%s of a sync, changed during its run, is acted on at once', async (name, change) => {
  const world = await createWorld(stage);
  const { id } = await world.createSync({ isAutoSyncEnabled: name !== 'isAutoSyncEnabled' });
  const changes = await change(world);
  const update = async () => createSyncs(stage.handle.db).update(await world.row(id), changes, null);
  expect(await isDueAfter('sync', id, update)).toBe(true);
});

test('a manual sync that is changed during its run waits for a request all the same', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createSync({ isAutoSyncEnabled: false });
  const changes = { destinationConfig: { region: 'eu-west-1', path: '/elsewhere/' } };
  const update = async () => createSyncs(stage.handle.db).update(await world.row(id), changes, null);
  expect(await isDueAfter('sync', id, update)).toBe(false);
});

const by = { via: 'operator', requestedBy: 'ann' } as const;
const newRole = {
  method: 'assume-role',
  roleArn: 'arn:aws:iam::444455556666:role/another',
  externalId: 'acme',
} as const;
type Change = ConnectionDescription & Omit<ConnectionChanges, 'description'>;

const connectionFields: Fields<Change> = {
  name: IGNORED,
  description: IGNORED,
  via: IGNORED,
  requestedBy: IGNORED,
  region: value({ ...by, region: 'us-west-2' }),
  narrowAccessKey: value({ ...by, narrowAccessKey: true }),
  credentials: value({ ...by, credentials: { are: 'offered', by: newRole } }),
  externalIdException: value({
    ...by,
    externalIdException: {
      reason: 'an old role',
      allowedBy: 'ann',
      allowedAt: '2026-11-26T00:00:00Z',
      roleArn: newRole.roleArn,
    },
  }),
};

test.each([
  ...entriesOf(connectionFields),
  ['credentials at once', value<Change>({ ...by, credentials: { are: 'replaced', by: newRole } })] as const,
])('%s of a connection, changed during its validation, is validated at once', async (_, change) => {
  const world = await createWorld(stage);
  const { region, narrowAccessKey, ...changes } = await change(world);
  const { id } = world.connection;
  const description = {
    ...(region === undefined ? {} : { region }),
    ...(narrowAccessKey === undefined ? {} : { narrowAccessKey }),
  };
  const update = async () => world.connections.update(await world.connections.byId(id), { ...changes, description });
  expect(await isDueAfter('validate', id, update)).toBe(true);
});

const rotationFields: Fields<ResolvedChanges, rotations.World> = {
  name: IGNORED,
  description: IGNORED,
  region: IGNORED,
  onExisting: value({ onExisting: 'adopt' }),
  connectionId: async ({ connections, connectionId, orgId }) => {
    const { roleArn } = await connections.byId(connectionId);
    const other = await connect(stage, connections, { orgId, name: 'r', accountId: '1', roleArn: roleArn ?? '' });
    return { connectionId: other.id };
  },
  rotationIntervalDays: value({ rotationIntervalDays: 1 }),
  rotateAtUtc: value({ rotateAtUtc: { hours: 3, minutes: 0 } }),
  graceSeconds: value({ graceSeconds: 1 }),
  quietSeconds: value({ quietSeconds: 1 }),
  holdSeconds: value({ holdSeconds: 1 }),
  isAutoRotationEnabled: value({ isAutoRotationEnabled: false }),
};

test.each(entriesOf(rotationFields))(
  '%s of a rotation, changed during its run, is acted on at once',
  async (_, change) => {
    const world = await rotations.createWorld(stage);
    const { id } = await world.createRotation();
    await world.runUntilDone(id);
    const changes = await change(world);
    const update = async () => world.rotations.updateAsRead(await world.row(id), changes);
    expect(await isDueAfter('rotate', id, update)).toBe(true);
  },
);

test('a sync that is paused and resumed during its run is due at once', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createSync();
  const resume = async () => {
    await world.syncs.pause(await world.row(id));
    await world.set({ A: 'changed meanwhile' });
    return world.syncs.resume(await world.row(id));
  };
  expect(await isDueAfter('sync', id, resume)).toBe(true);
});

test('a rotation that is paused and resumed during its run is due at once', async () => {
  const world = await rotations.createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const resume = async () => {
    await world.rotations.pause(await world.row(id));
    return world.rotations.resume(await world.row(id));
  };
  expect(await isDueAfter('rotate', id, resume)).toBe(true);
});
