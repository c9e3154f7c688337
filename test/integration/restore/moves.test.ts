/**
 * A backup that still wants objects deleted where the sync wrote before it moved. Afterwards the
 * sync came back, and wrote there again: that deletion would destroy what nobody has decided about.
 */
import { expect, test } from 'vitest';

import { takeBackup } from '../../support/rewind.ts';
import { useStage } from '../../support/use-stage.ts';
import {
  allow,
  ALL_ACTIONS,
  connect,
  createRole,
  createWorld,
  MINUTE,
  REGION,
  type SyncInput,
  type World,
} from '../sync/world.ts';
import { acceptAsRestored } from './epoch.ts';
import { type RestoredKind, kinds } from './kinds.ts';

const stage = useStage();

type Config = NonNullable<SyncInput['destinationConfig']>;

const FAR = 'us-east-1';
const oneToOne: Config = { region: REGION, mappingBehavior: 'one-to-one', prefix: 'moved/' };
const manyToOne: Config = { region: REGION, mappingBehavior: 'many-to-one', secretName: 'moved' };

/**
 * Where the sync moves to: another region, other names, or the other mapping of Secrets Manager.
 */
const moves: readonly (readonly [string, RestoredKind, Config])[] = kinds.flatMap((kind) => {
  const [what, { destinationConfig = { region: REGION, path: '/app/prod/' } }] = kind;
  const isParameters = what === 'parameters';
  const isDocument = what === 'a JSON secret';
  const renamed = isParameters ? { region: REGION, path: '/app/moved/' } : isDocument ? manyToOne : oneToOne;
  const remapped = isParameters ? [] : [isDocument ? oneToOne : manyToOne];
  return [
    [`${what} in another region`, kind, { ...destinationConfig, region: FAR }] as const,
    [`${what} under other names`, kind, renamed] as const,
    ...remapped.map((config) => [`${what} in another mapping`, kind, config] as const),
  ];
});

interface Moved {
  readonly world: World;
  readonly id: string;
  readonly valueOf: (key: string) => string | undefined;
}

const update = async (world: World, id: string, destinationConfig: Config): Promise<unknown> =>
  world.syncs.update(await world.row(id), { destinationConfig }, 'ann');

async function moveAndRestore([, input, read]: RestoredKind, to: Config, later: Record<string, string | null>) {
  const world = await createWorld(stage);
  await world.set({ KEPT: 'same', CHANGED: 'old', GONE: 'old' });
  const { id, destinationConfig: home } = await world.createSync({ ...input, syncOptions: { drift: 'repair' } });
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  await update(world, id, to);
  const restore = await takeBackup(stage.handle.client);
  await update(world, id, home);
  await world.set(later);
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  await acceptAsRestored(stage.handle, { clock: world.clock, restore });
  return { world, id, home, valueOf: (key: string) => read(world, key) };
}

const lookAtHome = ({ valueOf }: Moved) => ['KEPT', 'CHANGED', 'GONE'].map(valueOf);

test.each(moves)('what was written at a former place stays until a person decides: %s', async (_what, kind, to) => {
  const moved = await moveAndRestore(kind, to, { CHANGED: 'new', GONE: null });
  const { world, id } = moved;
  for (let round = 0; round < 3; round += 1) {
    const ran = await world.runUntilDone(id, { request: 'sync' });
    expect(ran.outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
    expect(JSON.stringify(ran.outcome)).toContain('acceptSource: true');
    world.clock.advance(5 * MINUTE);
  }
  expect(lookAtHome(moved)).toEqual([undefined, 'new', undefined]);
  expect(await world.row(id)).toMatchObject({ drift: 'drifted' });
  await world.runUntilDone(id, { request: 'sync', parameters: { acceptSource: true } });
  world.clock.advance(5 * MINUTE);
  const ran = await world.runUntilDone(id, { request: 'sync' });
  expect(ran.outcome.status).toBe('succeeded');
  expect(lookAtHome(moved)).toEqual([undefined, undefined, undefined]);
  expect(await world.row(id)).toMatchObject({ drift: 'none' });
});

test.each(moves)('a removal deletes nothing that was written later at a former place: %s', async (_what, kind, to) => {
  const moved = await moveAndRestore(kind, to, { CHANGED: 'new', GONE: null });
  const { world, id } = moved;
  const ran = await world.runUntilDone(id, { request: 'remove' });
  expect(ran.outcome).toMatchObject({ status: 'blocked', code: 'SYNC_DRIFTED' });
  expect(lookAtHome(moved)).toEqual(['same', 'new', undefined]);
});

test.each(moves)('a sync that goes back to its former place can keep what is there: %s', async (_what, kind, to) => {
  const moved = await moveAndRestore(kind, to, { CHANGED: 'new', GONE: null });
  const { world, id, home } = moved;
  await world.runUntilDone(id, { request: 'sync' });
  await update(world, id, home);
  world.clock.advance(5 * MINUTE);
  await world.runUntilDone(id, { request: 'sync' });
  expect(lookAtHome(moved)[1]).toBe('new');
  await world.runUntilDone(id, { request: 'import', parameters: { acceptDestination: true } });
  world.clock.advance(5 * MINUTE);
  await world.runUntilDone(id, { request: 'sync' });
  expect(lookAtHome(moved).slice(0, 2)).toEqual(['same', 'new']);
  expect(await world.row(id)).toMatchObject({ drift: 'none' });
});

test.each(moves)('a former place that nobody wrote to since the backup is cleared: %s', async (_what, kind, to) => {
  const [, input, read] = kind;
  const world = await createWorld(stage);
  await world.set({ KEPT: 'same' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  await update(world, id, to);
  await acceptAsRestored(stage.handle, { clock: world.clock });
  await world.runUntilDone(id, { request: 'sync' });
  world.clock.advance(5 * MINUTE);
  const ran = await world.runUntilDone(id, { request: 'sync' });
  expect(ran.outcome.status).toBe('succeeded');
  expect(read(world, 'KEPT')).toBeUndefined();
  expect(await world.row(id)).toMatchObject({ drift: 'none' });
});

test('an object in another account is compared once its connection is valid again', async () => {
  const world = await createWorld(stage);
  const { orgId, sandbox } = world;
  await world.set({ CHANGED: 'old' });
  const { id, connectionId: former } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  const accountId = '222100000013';
  const roleArn = createRole(sandbox, { orgId, accountId, policy: allow(ALL_ACTIONS) });
  const { id: other } = await connect(stage, world.connections, { orgId, name: 'other', roleArn, accountId });
  const moveTo = async (connectionId: string) => world.syncs.update(await world.row(id), { connectionId }, 'ann');
  await moveTo(other);
  const setStatus = (status: string) =>
    stage.handle.client`update keyferry.connections set status = ${status} where id = ${former}`;
  await setStatus('invalid');
  const restore = await takeBackup(stage.handle.client);
  await setStatus('valid');
  await moveTo(former);
  await world.set({ CHANGED: 'new' });
  await world.runUntilDone(id);
  await acceptAsRestored(stage.handle, { clock: world.clock, restore });
  await world.runUntilDone(id, { request: 'sync' });
  expect((await world.row(id)).comparedAt).not.toBeNull();
  await setStatus('valid');
  for (let round = 0; round < 2; round += 1) {
    world.clock.advance(5 * MINUTE);
    const ran = await world.runUntilDone(id, { request: 'sync' });
    expect(ran.outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
  }
  expect(world.parameters()).toEqual({ '/app/prod/CHANGED': 'new' });
});
