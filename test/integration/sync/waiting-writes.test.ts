import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, type Ran, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const numbered = (prefix: string, count: number, value: string | null = 'v') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${String(index)}`, value]));

/** Uses up the burst of writes that AWS takes to one secret. */
async function useUpPace(world: World, id: string, key: string): Promise<void> {
  for (let edit = 1; edit <= 20; edit += 1) {
    await world.set({ [key]: String(edit) });
    await world.runUntilDone(id);
  }
}

/** The runs until the first one that waits, or ends. */
async function runSlices(world: World, id: string): Promise<readonly Ran[]> {
  const runs: Ran[] = [];
  for (;;) {
    const run = await world.runOnce(id);
    runs.push(run);
    if (runs.length > 20) throw new Error('The sync does not come to an end.');
    const { outcome } = run;
    if (outcome.status !== 'continued' || outcome.at > world.clock.now()) return runs;
  }
}

const waitOf = (world: World, { outcome }: Ran) =>
  outcome.status === 'continued' ? outcome.at.getTime() - world.clock.now().getTime() : 0;

test('a secret that must wait for its next write holds up no other secret of its sync', async () => {
  const world = await createWorld(stage);
  await world.set({ A0: '0' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  await useUpPace(world, id, 'A0');

  await world.set({ A0: 'last', ...numbered('N', 120) });
  const runs = await runSlices(world, id);

  expect(Object.keys(world.secrets('prod/'))).toHaveLength(121);
  expect(runs.map((run) => run.calls['secretsmanager.DescribeSecret'] ?? 0)).toEqual([1, 0, 0]);
  expect(waitOf(world, runs[2] as Ran)).toBeGreaterThan(9 * MINUTE);

  world.clock.advance(10 * MINUTE);
  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 120, updated: 1 } });
  expect(world.secrets('prod/')['prod/A0']).toBe('last');
});

test('more waiting secrets than a slice writes do not hold up the rest, and are looked at once', async () => {
  const world = await createWorld(stage);
  await world.set(numbered('A', 60, '0'));
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  const pace = JSON.stringify({ tokens: 0, at: world.clock.now().toISOString() });
  await stage.handle.db.execute(sql`update keyferry.sync_entries set pace = ${pace}::jsonb
    where sync_id = ${id}`);

  await world.set({ ...numbered('A', 60, 'last'), ...numbered('N', 70) });
  const runs = await runSlices(world, id);

  expect(Object.keys(world.secrets('prod/'))).toHaveLength(130);
  const looks = runs.map((run) => run.calls['secretsmanager.DescribeSecret'] ?? 0);
  expect(looks.reduce((sum, count) => sum + count, 0)).toBe(60);
});

test('parameters deleted a moment ago wait for their names, and hold up no other parameter', async () => {
  const world = await createWorld(stage);
  await world.set(numbered('A', 60));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set(numbered('A', 60, null));
  await world.runUntilDone(id, { request: 'sync', parameters: { confirmDeletions: 60 } });

  await world.set({ ...numbered('A', 60), ...numbered('N', 70) });
  const runs = await runSlices(world, id);

  expect(Object.keys(world.parameters())).toHaveLength(70);
  expect(waitOf(world, runs.at(-1) as Ran)).toBeLessThanOrEqual(30_000);
  world.clock.advance(30_000);
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { created: 130 } });
});

test('a removal that must wait for reliable reads holds up no other removal', async () => {
  const world = await createWorld(stage);
  await world.set(numbered('N', 600));
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(MINUTE);
  await world.set(numbered('A', 40));
  await world.runUntilDone(id);
  for (const name of Object.keys(world.parameters()).filter((one) => one.includes('/A')))
    world.sandbox.foreign.deleteParameter({ ...world.at, name });

  const first = await world.runOnce(id, { request: 'remove' });
  expect(first.outcome.status).toBe('continued');
  const runs = [first, ...(await runSlices(world, id))];

  expect(world.parameters()).toEqual({});
  expect(waitOf(world, runs.at(-1) as Ran)).toBeGreaterThan(0);
});
