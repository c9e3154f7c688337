import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: '/app/prod/' },
};
const inOne: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' },
};
const chain = { A: 'a', XA: 'xa', XXA: 'xxa', XXXA: 'xxxa', B: 'b' };

async function rename(world: World, id: string, keySchema: string | undefined) {
  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, keySchema } }, 'ann');
}

const shown = (world: World, kind: string): unknown => {
  if (kind === 'parameters') return world.parameters();
  if (kind === 'secrets') return world.secrets('/app/prod/');
  return JSON.parse(world.secrets('prod')['prod'] ?? '{}');
};
const named = (kind: string, values: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [kind === 'document' ? name : `/app/prod/${name}`, value]),
  );

test.each([
  ['parameters', {}],
  ['secrets', toSecrets],
  ['document', inOne],
] as const)('%s whose new names are old names of others are renamed there and back', async (kind, input) => {
  const world = await createWorld(stage);
  await world.set(chain);
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);

  await rename(world, id, 'X{{secretKey}}');
  const there = await world.runUntilDone(id);
  expect(there.outcome).toMatchObject({ status: 'succeeded' });
  expect(shown(world, kind)).toEqual(named(kind, { XA: 'a', XXA: 'xa', XXXA: 'xxa', XXXXA: 'xxxa', XB: 'b' }));

  await rename(world, id, undefined);
  const back = await world.runUntilDone(id);
  expect(back.outcome).toMatchObject({ status: 'succeeded' });
  expect(shown(world, kind)).toEqual(named(kind, chain));
});

test('a name that leaves the source in the same change is free for the key that gets it', async () => {
  const world = await createWorld(stage);
  await world.set({ A: 'a', XA: 'xa' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ XA: null });
  await rename(world, id, 'X{{secretKey}}');

  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(world.parameters()).toEqual({ '/app/prod/XA': 'a' });
});

test('a key whose new name another key of the sync cannot leave is reported as such, and loses no copy', async () => {
  const world = await createWorld(stage);
  await world.set({ A: 'a', XA: 'xa' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const lift = world.sandbox.faults.add({
    service: 'ssm',
    operation: 'PutParameter',
    match: { parametersInclude: '/app/prod/XXA' },
    action: { error: { code: 'ParameterPatternMismatchException' } },
  });
  await rename(world, id, 'X{{secretKey}}');

  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'partial', counts: { failed: 1, conflicts: 1 } });
  expect(world.parameters()).toEqual({ '/app/prod/A': 'a', '/app/prod/XA': 'xa' });
  const [row] = (await world.entries(id)).filter((one) => one.key === 'A' && one.remoteName === '/app/prod/XA');
  expect(row?.errorMessage).toContain('still holds XA of this sync');
  expect(row?.errorMessage).not.toContain('another sync');

  lift();
  expect((await world.runUntilDone(id, { request: 'sync' })).outcome).toMatchObject({ status: 'succeeded' });
  expect(world.parameters()).toEqual({ '/app/prod/XA': 'a', '/app/prod/XXA': 'xa' });
});
