/**
 * `sync remove` in a new epoch: no deletion before the comparison, and none of what a person has to
 * decide about.
 */
import { expect, test } from 'vitest';

import { takeBackup } from '../../support/rewind.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, type SyncInput, type World } from '../sync/world.ts';
import { acceptAsRestored } from './epoch.ts';
import { isDocument, kinds, wrote } from './kinds.ts';

const stage = useStage();

async function writeAndRestore(input: SyncInput, later?: Readonly<Record<string, string | null>>) {
  const world = await createWorld(stage);
  await world.set({ KEPT: 'same', CHANGED: 'old' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  world.clock.advance(5 * MINUTE);
  const restore = await takeBackup(stage.handle.client);
  if (later) {
    await world.set(later);
    await world.runUntilDone(id);
  }
  world.clock.advance(5 * MINUTE);
  await acceptAsRestored(stage.handle, { clock: world.clock, restore });
  return { world, id };
}

const remove = (world: World, id: string) => world.runUntilDone(id, { request: 'remove' });

test.each(kinds)('a removal of %s deletes nothing that was written after the backup', async (...[, input, valueOf]) => {
  const { world, id } = await writeAndRestore(input, { CHANGED: 'new', ADDED: 'new' });
  for (let round = 0; round < 2; round += 1) {
    const ran = await remove(world, id);
    expect(ran.outcome).toMatchObject({ status: 'blocked', code: 'SYNC_DRIFTED' });
    expect(JSON.stringify(ran.outcome)).toContain('run the sync with `acceptDestination: true`');
    expect(wrote(ran.calls)).toEqual([]);
  }
  expect(['KEPT', 'CHANGED', 'ADDED'].map((key) => valueOf(world, key))).toEqual(['same', 'new', 'new']);
  const row = await world.row(id);
  expect([row.drift, row.comparedAt === null, row.nextReconcileAt === null]).toEqual(['drifted', false, false]);
});

test.each(kinds)('a removal of %s goes on once a person has decided', async (...[, input, valueOf]) => {
  const { world, id } = await writeAndRestore(input, { CHANGED: 'new', ADDED: 'new' });
  await remove(world, id);
  await world.runUntilDone(id, { request: 'import', parameters: { acceptDestination: true } });
  world.clock.advance(5 * MINUTE);
  const ran = await remove(world, id);
  expect(ran.outcome).toMatchObject({ status: 'succeeded' });
  const left = ['KEPT', 'CHANGED', 'ADDED'].map((key) => valueOf(world, key));
  expect(left).toEqual([undefined, undefined, isDocument(input) ? 'new' : undefined]);
});

test.each(kinds)(
  'a removal of %s that did not change since the backup compares, and deletes',
  async (...[, input, valueOf]) => {
    const { world, id } = await writeAndRestore(input);
    const ran = await remove(world, id);
    expect(ran.outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 2 } });
    expect(['KEPT', 'CHANGED'].map((key) => valueOf(world, key))).toEqual([undefined, undefined]);
    expect((await world.row(id)).comparedAt).not.toBeNull();
  },
);
