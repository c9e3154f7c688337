/**
 * What every kind of destination promises, run through one table: whoever adds a kind adds a line
 * to it, no test.
 */
import { expect, test } from 'vitest';

import { BYSTANDER, type Destination, DESTINATIONS } from '../../sweep/destinations.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, type SyncInput, type World } from './world.ts';

const stage = useStage();

const each = test.each(DESTINATIONS.map((destination) => [destination.name, destination] as const));

async function synced(destination: Destination, options: SyncInput['syncOptions'] = {}) {
  const world = await createWorld(stage);
  await world.set({ A: 'a', B: 'b' });
  const { id } = await world.createSync({ ...destination.input, syncOptions: options });
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  return { world, id };
}

async function folderOf(world: World): Promise<Record<string, string>> {
  const { secrets } = await world.folders.read(world.folder.id);
  return Object.fromEntries(secrets.map((secret) => [secret.key, 'value' in secret ? secret.value : '?']));
}

each('%s: apply writes what is wanted, once', async (_, destination) => {
  const { world, id } = await synced(destination);
  expect(destination.look(world, 'first')).toEqual({ A: 'a', B: 'b' });
  await world.set({ A: 'new', B: null, C: 'c' });
  await world.runUntilDone(id);
  expect(destination.look(world, 'first')).toEqual({ A: 'new', C: 'c' });
  world.clock.advance(HOUR);
  const again = await world.runUntilDone(id, { request: 'sync' });
  expect(again.outcome).toMatchObject({ status: 'succeeded', counts: { created: 0, updated: 0, deleted: 0 } });
});

each('%s: check reports what somebody else changed, and a sync repairs it', async (_, destination) => {
  const { world, id } = await synced(destination);
  destination.putForeign(world, 'A', 'theirs');
  world.clock.advance(HOUR);
  const checked = await world.runUntilDone(id, { request: 'check' });
  expect(checked.outcome).toMatchObject({ result: { drift: [{ key: 'A', kind: 'changed' }] } });
  expect(destination.look(world, 'first')).toEqual({ A: 'theirs', B: 'b' });
  await world.runUntilDone(id, { request: 'sync' });
  expect(destination.look(world, 'first')).toEqual({ A: 'a', B: 'b' });
});

each('%s: what is somebody else’s conflicts, and stays', async (_, destination) => {
  const { world, id } = await synced(destination);
  destination.putForeign(world, BYSTANDER, 'theirs');
  const before = destination.bystander(world);
  await world.set({ [BYSTANDER]: 'ours' });
  const plan = await world.runUntilDone(id, { request: 'plan' });
  expect(plan.outcome).toMatchObject({ result: { changes: [{ action: 'conflict', key: BYSTANDER }] } });
  const refused = await world.runUntilDone(id);
  expect(refused.outcome).toMatchObject({ status: 'partial' });
  expect(destination.bystander(world)).toEqual(before);
});

each('%s: readAll gives an import every value', async (_, destination) => {
  const { world, id } = await synced(destination);
  destination.putForeign(world, 'C', 'from aws');
  world.clock.advance(HOUR);
  await world.runUntilDone(id, { request: 'import', parameters: { importBehavior: 'prioritize-destination' } });
  expect(await folderOf(world)).toEqual({ A: 'a', B: 'b', C: 'from aws' });
});

each('%s: remove deletes what is ours and leaves the rest', async (_, destination) => {
  const { world, id } = await synced(destination);
  destination.putForeign(world, BYSTANDER, 'theirs');
  const removed = await world.runUntilDone(id, { request: 'remove' });
  expect(removed.outcome).toMatchObject({ status: 'succeeded' });
  expect(destination.look(world, 'first')).toEqual({});
  expect(destination.bystander(world)).toBeDefined();
});
