/** Syncs of a database that was restored from a backup, while AWS holds what was written since. */
import { expect, test } from 'vitest';

import { takeBackup } from '../../support/rewind.ts';
import { useStage } from '../../support/use-stage.ts';
import {
  allow,
  createWorld,
  DOCUMENTED_PARAMETER_ACTIONS,
  MINUTE,
  REGION,
  type SyncInput,
  type World,
  type WorldOptions,
} from '../sync/world.ts';
import { acceptAsRestored as accept } from './epoch.ts';
import { isDocument, jsonSecret, kinds, wrote } from './kinds.ts';

const stage = useStage();

const acceptAsRestored = ({ world, restore }: { world: World; restore: () => Promise<void> }): Promise<void> =>
  accept(stage.handle, { clock: world.clock, restore });

async function begin(input: SyncInput, values: Record<string, string>, options: WorldOptions = {}) {
  const world = await createWorld(stage, options);
  await world.set(values);
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  return { world, id, restore: await takeBackup(stage.handle.client) };
}

/** Everything that was written after the backup, then the backup again. */
async function changeAndRestore(input: SyncInput) {
  const started = await begin(input, { KEPT: 'same', CHANGED: 'old', GONE: 'old', BACK: 'first' });
  const { world, id } = started;
  await world.set({ CHANGED: 'new', GONE: null, BACK: 'second' });
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  await world.set({ BACK: 'first', ADDED: 'new' });
  await world.runUntilDone(id);
  await acceptAsRestored(started);
  return started;
}

/** What `ADDED`, which only AWS has, is called. */
const added = (input: SyncInput): Readonly<Record<string, string>> =>
  isDocument(input) ? {} : { ADDED: 'later-create' };

test.each(kinds)('nothing of %s is overwritten or made again after a restore', async (_what, input, valueOf) => {
  const { world, id } = await changeAndRestore(input);
  const ran = await world.runUntilDone(id, { request: 'sync' });
  expect(wrote(ran.calls)).toEqual([]);
  expect(['KEPT', 'CHANGED', 'GONE', 'BACK', 'ADDED'].map((key) => valueOf(world, key))).toEqual([
    'same',
    'new',
    undefined,
    'first',
    'new',
  ]);
  expect(ran.outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
  const open = (await world.entries(id)).filter((entry) => entry.drift !== null && entry.key !== '');
  expect(Object.fromEntries(open.map((entry) => [entry.key, entry.drift]))).toEqual({
    CHANGED: 'later-write',
    GONE: 'later-delete',
    ...added(input),
  });
});

test.each(kinds)('accepting the destination makes the folder of %s follow', async (_what, input, valueOf) => {
  const { world, id } = await changeAndRestore(input);
  await world.runUntilDone(id, { request: 'sync' });
  const accepted = await world.runUntilDone(id, { request: 'import', parameters: { acceptDestination: true } });
  expect(accepted.outcome).toMatchObject({ result: { managed: [] } });
  expect((accepted.outcome as { result: { accepted: string[] } }).result.accepted.toSorted()).toEqual([
    ...Object.keys(added(input)),
    'CHANGED',
    'GONE',
  ]);
  const ran = await world.runUntilDone(id);
  expect(wrote(ran.calls)).toEqual([]);
  expect(ran.outcome.status).toBe('succeeded');
  expect(await world.row(id)).toMatchObject({ drift: 'none' });
  expect([valueOf(world, 'CHANGED'), valueOf(world, 'GONE'), valueOf(world, 'ADDED')]).toEqual([
    'new',
    undefined,
    'new',
  ]);
});

test.each(kinds)('accepting the source writes the folder of %s', async (_what, input, valueOf) => {
  const { world, id } = await changeAndRestore(input);
  await world.runUntilDone(id, { request: 'sync' });
  world.clock.advance(5 * MINUTE);
  const ran = await world.runUntilDone(id, { request: 'sync', parameters: { acceptSource: true } });
  expect(ran.outcome.status).toBe('succeeded');
  expect([valueOf(world, 'CHANGED'), valueOf(world, 'GONE'), valueOf(world, 'BACK')]).toEqual(['old', 'old', 'first']);
  expect(await world.row(id)).toMatchObject({ drift: 'none' });
  expect(valueOf(world, 'ADDED')).toBe('ADDED' in added(input) ? undefined : 'new');
});

test('a later write in a JSON secret stays a decision for a person when other keys are written', async () => {
  const [, input, valueOf] = jsonSecret;
  const { world, id } = await changeAndRestore({ ...input, syncOptions: { drift: 'repair' } });
  await world.runUntilDone(id, { request: 'sync' });
  for (const KEPT of ['edited', 'edited again']) {
    world.clock.advance(5 * MINUTE);
    await world.set({ KEPT });
    await world.runUntilDone(id);
  }
  expect([valueOf(world, 'KEPT'), valueOf(world, 'CHANGED')]).toEqual(['edited again', 'new']);
  expect((await world.entry(id, 'CHANGED'))?.drift).toBe('later-write');
});

const objects = kinds.filter(([, input]) => 'ADDED' in added(input));

test.each(objects)(
  'a name of the folder that %s got after the backup stays a decision',
  async (_what, input, valueOf) => {
    const started = await begin(input, { KEPT: 'same' });
    const { world, id } = started;
    await world.set({ EARLY: 'old' });
    const restore = await takeBackup(stage.handle.client);
    await world.runUntilDone(id);
    world.clock.advance(5 * MINUTE);
    await world.set({ EARLY: 'new' });
    await world.runUntilDone(id);
    await acceptAsRestored({ world, restore });
    for (let round = 0; round < 3; round += 1) {
      const ran = await world.runUntilDone(id, { request: 'sync' });
      expect(wrote(ran.calls)).toEqual([]);
      world.clock.advance(5 * MINUTE);
    }
    expect(valueOf(world, 'EARLY')).toBe('new');
    expect((await world.entry(id, 'EARLY'))?.drift).toBe('later-write');
  },
);

test.each(objects)('the deletion of %s that the folder lacks waits for the brake', async (_what, input, valueOf) => {
  const started = await begin(input, { KEPT: 'same' });
  const { world, id } = started;
  const names = Array.from({ length: 12 }, (_name, index) => `MADE_${String(index)}`);
  await world.set(Object.fromEntries(names.map((name) => [name, 'new'])));
  await world.runUntilDone(id);
  await acceptAsRestored(started);
  await world.runUntilDone(id, { request: 'sync' });
  const refused = await world.runUntilDone(id, { request: 'sync', parameters: { acceptSource: true } });
  expect(refused.outcome).toMatchObject({ status: 'blocked', code: 'SYNC_DELETIONS_UNCONFIRMED' });
  expect(names.map((name) => valueOf(world, name))).toEqual(names.map(() => 'new'));
  const parameters = { acceptSource: true, confirmDeletions: names.length };
  const ran = await world.runUntilDone(id, { request: 'sync', parameters });
  expect(ran.outcome).toMatchObject({ status: 'succeeded', counts: { deleted: names.length } });
});

test('an object that a later removal cleared away is no decision any more', async () => {
  const { world, id } = await changeAndRestore({});
  await world.runUntilDone(id, { request: 'sync' });
  world.sandbox.foreign.deleteParameter({ ...world.at, name: '/app/prod/ADDED' });
  world.clock.advance(5 * MINUTE);
  await world.runUntilDone(id, { request: 'sync' });
  expect((await world.entry(id, 'ADDED'))?.deletedAt).not.toBeNull();
});

test('what a move wrote after the backup is reported, and no choice deletes it or loses its keys', async () => {
  const started = await begin({}, { KEPT: 'same' });
  const { world, id } = started;
  await world.syncs.update(await world.row(id), { destinationConfig: { region: REGION, path: '/app/moved/' } }, 'ann');
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  expect(world.parameters('/app/')).toEqual({ '/app/moved/KEPT': 'same' });
  await acceptAsRestored(started);
  const ran = await world.runUntilDone(id, { request: 'sync' });
  expect(ran.outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
  const accepted = await world.runUntilDone(id, { request: 'import', parameters: { acceptDestination: true } });
  expect(accepted.outcome).toMatchObject({ result: { accepted: [] } });
  world.clock.advance(5 * MINUTE);
  await world.runUntilDone(id, { request: 'sync', parameters: { acceptSource: true } });
  expect(world.parameters('/app/')).toEqual({ '/app/moved/KEPT': 'same', '/app/prod/KEPT': 'same' });
  expect(await world.row(id)).toMatchObject({ drift: 'drifted' });
});

test('a role that may not search leaves the drift unknown', async () => {
  const actions = DOCUMENTED_PARAMETER_ACTIONS.filter((action) => action !== 'ssm:DescribeParameters');
  const started = await begin({}, { KEPT: 'same' }, { policy: allow(actions) });
  const { world, id } = started;
  await acceptAsRestored(started);
  const ran = await world.runUntilDone(id, { request: 'sync' });
  expect(ran.outcome).toMatchObject({ status: 'succeeded', result: { isLookDenied: true } });
  expect(await world.row(id)).toMatchObject({ drift: 'unknown' });
});
