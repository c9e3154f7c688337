/** Syncs with the folders below, and with patterns of what they take. */
import { describe, expect, test } from 'vitest';

import { syncOptions } from '../../../src/domain/sync/config.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, REGION, type SyncInput, total, type World } from './world.ts';

const stage = useStage();

const kinds: readonly (readonly [string, SyncInput])[] = [
  ['parameters', {}],
  [
    'secrets',
    {
      destination: 'aws-secrets-manager',
      destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: '/app/prod/' },
    },
  ],
  [
    'document',
    {
      destination: 'aws-secrets-manager',
      destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' },
    },
  ],
];

/** Names without the target's prefix. */
function shown(world: World): unknown {
  const document = world.secrets('prod')['prod'];
  if (document !== undefined) return JSON.parse(document);
  const all = Object.entries({ ...world.parameters(), ...world.secrets('/app/prod/') });
  return Object.fromEntries(all.map(([name, value]) => [name.replace('/app/prod/', ''), value]));
}

const change = async (world: World, id: string, options: NonNullable<SyncInput['syncOptions']>) => {
  const row = await world.row(id);
  await world.syncs.update(row, { syncOptions: syncOptions.parse({ ...row.syncOptions, ...options }) }, 'ann');
};

async function plant(world: World) {
  await world.set({ A: 'root' });
  await world.setBelow('db', { A: 'db', URL: 'u' });
  await world.setBelow('db/replica', { A: 'replica' });
}

describe.each(kinds)('%s', (_kind, input) => {
  test('keep the path of the folders below, and follow a change of any of them', async () => {
    const world = await createWorld(stage);
    await plant(world);
    const { id } = await world.createSync({ ...input, syncOptions: { recursive: true } });
    expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
    expect(shown(world)).toEqual({ A: 'root', 'db/A': 'db', 'db/URL': 'u', 'db/replica/A': 'replica' });

    expect(await world.isDue(id)).toBe(false);
    await world.setBelow('db/replica', { A: 'changed' });
    expect(await world.isDue(id)).toBe(true);
    await world.runUntilDone(id);
    await world.setBelow('new/folder', { N: 'n' });
    await world.setBelow('db', { URL: null });
    const { outcome } = await world.runUntilDone(id);
    expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 1, deleted: 1, unchanged: 3 } });
    expect(shown(world)).toEqual({ A: 'root', 'db/A': 'db', 'db/replica/A': 'changed', 'new/folder/N': 'n' });
  });

  test('turned off, on and narrowed by patterns write and delete only the difference', async () => {
    const world = await createWorld(stage);
    await plant(world);
    const { id } = await world.createSync(input);
    await world.runUntilDone(id);
    await change(world, id, { recursive: true });
    expect((await world.runUntilDone(id)).outcome).toMatchObject({ counts: { created: 3, unchanged: 1, updated: 0 } });
    await change(world, id, { include: ['A'], exclude: ['db/replica/*'] });
    expect((await world.runUntilDone(id)).outcome).toMatchObject({ counts: { deleted: 2, unchanged: 2 } });
    expect(shown(world)).toEqual({ A: 'root', 'db/A': 'db' });
    await change(world, id, { recursive: false, include: ['*'] });
    expect((await world.runUntilDone(id)).outcome).toMatchObject({ counts: { deleted: 1, unchanged: 1 } });
    expect(shown(world)).toEqual({ A: 'root' });
  });

  test('secrets of two folders that get one name are told before the first call; the rest is written', async () => {
    const world = await createWorld(stage);
    await plant(world);
    await world.setBelow('other/replica', { A: 'other' });
    const keySchema = '{{folder}}_{{secretKey}}';
    const { id } = await world.createSync({ ...input, syncOptions: { recursive: true, keySchema } });
    const plan = await world.runOnce(id, { request: 'plan' });
    expect(plan.outcome).toMatchObject({
      result: {
        changes: expect.arrayContaining([
          expect.objectContaining({
            action: 'invalid',
            key: 'db/replica:A',
            reason: expect.stringContaining('other/replica/A'),
          }),
        ]),
      },
    });
    expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'partial', code: 'SYNC_ENTRY_INVALID' });
    expect(shown(world)).toEqual({ api_A: 'root', db_A: 'db', db_URL: 'u' });
    // The name goes over to the secret that is left.
    await world.setBelow('db/replica', { A: null });
    expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
    expect(shown(world)).toEqual({ api_A: 'root', db_A: 'db', db_URL: 'u', replica_A: 'other' });
  });
});

test('a name that one folder gives up and another takes changes hands', async () => {
  const world = await createWorld(stage);
  await plant(world);
  const keySchema = '{{folder}}_{{secretKey}}';
  const { id } = await world.createSync({ syncOptions: { recursive: true, keySchema } });
  await world.runUntilDone(id);
  await world.setBelow('db/replica', { A: null });
  await world.setBelow('other/replica', { A: 'other' });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(world.parameters()).toMatchObject({ '/app/prod/replica_A': 'other' });
});

test('a tree that is emptied by mistake empties nothing at AWS', async () => {
  const world = await createWorld(stage);
  await plant(world);
  const { id } = await world.createSync({ syncOptions: { recursive: true } });
  await world.runUntilDone(id);
  await change(world, id, { include: ['nothing'] });
  expect((await world.runOnce(id)).outcome).toMatchObject({ status: 'blocked', code: 'SYNC_DELETIONS_UNCONFIRMED' });
  expect(Object.keys(world.parameters())).toHaveLength(4);
  await change(world, id, { include: ['*'] });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
});

test('an import goes into the folder that each name belongs to', async () => {
  const world = await createWorld(stage);
  await plant(world);
  for (const [name, value] of [
    ['db/IMPORTED', 'theirs'],
    ['db/A', 'theirs'],
    ['ROOT', 'r'],
    ['db/SKIPPED', 's'],
    ['unknown/X', 'x'],
  ] as const)
    world.sandbox.foreign.putParameter({ ...world.at, name: `/app/prod/${name}`, value });
  const { id } = await world.createSync({
    syncOptions: {
      recursive: true,
      exclude: ['SKIPPED'],
      onExisting: 'adopt',
      initialSyncBehavior: 'import-prioritize-destination',
    },
  });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  const values = async (secretPath: string) => {
    const folder = await world.folders.find(world.orgId, { projectId: 'app', environment: 'prod', secretPath });
    const { secrets } = await world.folders.read(folder?.id ?? '');
    return Object.fromEntries(secrets.map((one) => [one.key, 'value' in one ? one.value : null]));
  };
  expect([await values('/api'), await values('/api/db')]).toEqual([
    { A: 'root', ROOT: 'r' },
    { A: 'theirs', URL: 'u', IMPORTED: 'theirs' },
  ]);
  expect((await world.row(id)).initialImportAt).not.toBeNull();
});

test('many folders cost the calls of a flat sync, and unchanged none', async () => {
  const values = (from: number, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(from + index)}`, 'v']));
  const calls: Record<string, unknown> = {};
  for (const shape of ['flat', 'tree']) {
    const world = await createWorld(stage);
    if (shape === 'flat') await world.set(values(0, 300));
    else
      for (let folder = 0; folder < 30; folder += 1)
        await world.setBelow(`team-${String(folder % 5)}/f${String(folder)}`, values(folder * 10, 10));
    const { id } = await world.createSync({ syncOptions: { recursive: shape === 'tree' } });
    const first = await world.runUntilDone(id, {}, { maxRuns: 100 });
    expect(first.outcome).toMatchObject({ status: 'succeeded' });
    if (shape === 'flat') await world.set({ K7: 'changed' });
    else await world.setBelow('team-0/f0', { K7: 'changed' });
    const changed = await world.runUntilDone(id);
    await change(world, id, {});
    const unchanged = await world.runUntilDone(id);
    const asked = await world.runUntilDone(id, { request: 'sync' });
    expect(total(unchanged.calls)).toBe(0);
    calls[shape] = [first.calls, changed.calls, asked.calls];
  }
  expect(calls['tree']).toEqual(calls['flat']);
});
