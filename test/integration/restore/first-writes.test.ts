/** Syncs whose first write came after the backup: their database knows none of what they wrote. */
import { expect, test } from 'vitest';

import { takeBackup } from '../../support/rewind.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, type SyncInput, type World } from '../sync/world.ts';
import { acceptAsRestored } from './epoch.ts';
import { isDocument, jsonSecret, kinds, wrote } from './kinds.ts';

const stage = useStage();

type Values = Readonly<Record<string, string | null>>;

interface Past {
  readonly atBackup: Values;
  /** Written afterwards, one revision each. */
  readonly later: readonly Values[];
  readonly beforeRestore?: (world: World) => void;
}

async function restoreBeforeFirstWrite(input: SyncInput, { atBackup, later, beforeRestore }: Past) {
  const world = await createWorld(stage);
  await world.set(atBackup);
  const { id } = await world.createSync(input);
  const restore = await takeBackup(stage.handle.client);
  for (const values of later) {
    await world.set(values);
    await world.runUntilDone(id);
    world.clock.advance(5 * MINUTE);
  }
  beforeRestore?.(world);
  await acceptAsRestored(stage.handle, { clock: world.clock, restore });
  return { world, id };
}

const changed: Past = {
  atBackup: { KEPT: 'same', CHANGED: 'old' },
  later: [{}, { CHANGED: 'new', ADDED: 'new' }],
};

const adopting = kinds.flatMap(([what, input, valueOf]) =>
  (['fail', 'adopt'] as const).map(
    (onExisting) =>
      [`${what}, --on-existing ${onExisting}`, { ...input, syncOptions: { onExisting } }, valueOf] as const,
  ),
);

test.each(adopting)(
  'what was first written after the backup stays until a person decides: %s',
  async (...[, input, valueOf]) => {
    const { world, id } = await restoreBeforeFirstWrite(input, changed);
    for (let round = 0; round < 2; round += 1) {
      const ran = await world.runUntilDone(id, { request: 'sync' });
      expect(ran.outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
      expect(wrote(ran.calls)).toEqual([]);
      world.clock.advance(5 * MINUTE);
    }
    expect([valueOf(world, 'CHANGED'), valueOf(world, 'ADDED')]).toEqual(['new', 'new']);
    expect((await world.entry(id, 'KEPT'))?.status).toBe('synced');
    expect((await world.entry(id, 'CHANGED'))?.drift).toBe('later-write');
    if (isDocument(input)) expect((await world.entry(id, ''))?.drift).toBe('later-create');
    expect(await world.row(id)).toMatchObject({ drift: 'drifted' });
  },
);

test.each(adopting)(
  'accepting the destination takes a first write into the folder: %s',
  async (...[, input, valueOf]) => {
    const { world, id } = await restoreBeforeFirstWrite(input, changed);
    await world.runUntilDone(id, { request: 'sync' });
    await world.runUntilDone(id, { request: 'import', parameters: { acceptDestination: true } });
    world.clock.advance(5 * MINUTE);
    const ran = await world.runUntilDone(id, { request: 'sync' });
    expect([ran.outcome.status, wrote(ran.calls)]).toEqual(['succeeded', []]);
    expect([valueOf(world, 'CHANGED'), valueOf(world, 'ADDED')]).toEqual(['new', 'new']);
    expect(await world.row(id)).toMatchObject({ drift: 'none' });
    await world.set({ CHANGED: 'newest' });
    await world.runUntilDone(id);
    expect([valueOf(world, 'CHANGED'), valueOf(world, 'KEPT')]).toEqual(['newest', 'same']);
  },
);

test.each(adopting)('accepting the source writes the folder over a first write: %s', async (...[, input, valueOf]) => {
  const { world, id } = await restoreBeforeFirstWrite(input, changed);
  await world.runUntilDone(id, { request: 'sync' });
  world.clock.advance(5 * MINUTE);
  const ran = await world.runUntilDone(id, { request: 'sync', parameters: { acceptSource: true } });
  expect(ran.outcome.status).toBe('succeeded');
  expect([valueOf(world, 'KEPT'), valueOf(world, 'CHANGED')]).toEqual(['same', 'old']);
  // A member of a JSON secret may be somebody else's.
  expect(valueOf(world, 'ADDED')).toBe(isDocument(input) ? 'new' : undefined);
  expect(await world.row(id)).toMatchObject({ drift: 'none' });
});

test.each(kinds)(
  '%s that were first written after the backup and equal the folder need no decision',
  async (...[, input]) => {
    const { world, id } = await restoreBeforeFirstWrite(input, { atBackup: { KEPT: 'same' }, later: [{}] });
    const ran = await world.runUntilDone(id, { request: 'sync' });
    expect([ran.outcome.status, wrote(ran.calls)]).toEqual(['succeeded', []]);
    expect(await world.row(id)).toMatchObject({ drift: 'none' });
  },
);

test('a member that somebody else added to a later JSON secret stays, whatever a person decides', async () => {
  const [, input, valueOf] = jsonSecret;
  const addTheirs = (world: World) => {
    const { value = '{}' } = world.sandbox.inspect.secret({ ...world.at, name: 'prod' }) ?? {};
    const content = { ...(JSON.parse(value) as Record<string, string>), THEIRS: 'of somebody else' };
    world.sandbox.foreign.putSecret({ ...world.at, name: 'prod', value: JSON.stringify(content) });
  };
  const { world, id } = await restoreBeforeFirstWrite(input, { ...changed, beforeRestore: addTheirs });
  await world.runUntilDone(id, { request: 'sync' });
  await world.runUntilDone(id, { request: 'sync', parameters: { acceptSource: true } });
  expect([valueOf(world, 'CHANGED'), valueOf(world, 'THEIRS')]).toEqual(['old', 'of somebody else']);
  await world.runUntilDone(id, { request: 'remove' });
  expect([valueOf(world, 'CHANGED'), valueOf(world, 'THEIRS')]).toEqual([undefined, 'of somebody else']);
});

test('a later JSON secret for which the folder has no key is reported, and can be imported', async () => {
  const [, input, valueOf] = jsonSecret;
  const { world, id } = await restoreBeforeFirstWrite(input, { atBackup: {}, later: [{ FIRST: 'new' }] });
  const ran = await world.runUntilDone(id, { request: 'sync', parameters: { acceptSource: true } });
  expect([ran.outcome.status, wrote(ran.calls), valueOf(world, 'FIRST')]).toEqual(['failed', [], 'new']);
  expect(JSON.stringify(ran.outcome)).toContain('keyferry sync import');
  await world.runUntilDone(id, { request: 'import' });
  world.clock.advance(5 * MINUTE);
  await world.runUntilDone(id, { request: 'sync' });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'succeeded', drift: 'none' });
  expect(valueOf(world, 'FIRST')).toBe('new');
});
