/** A sync with the prefix `/`: AWS may return `/NAME` as `NAME`, which is the same parameter. */
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const atRoot: SyncInput = { destinationConfig: { region: REGION, path: '/' } };
const behaviours = ['without-slash', 'as-requested'] as const;
const open = (rootParameterName: (typeof behaviours)[number]) =>
  createWorld(stage, { sandbox: { behaviour: { rootParameterName } } });
const found = (world: World, name: string) => world.sandbox.inspect.parameter({ ...world.at, name });

test.each(behaviours)('its parameters are found again, changed, checked and deleted (%s)', async (behaviour) => {
  const world = await open(behaviour);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(atRoot);
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ counts: { created: 2 } });
  world.clock.advance(HOUR);

  const checked = await world.runScheduled(id);
  expect(checked).toMatchObject({
    outcome: { status: 'succeeded', result: { drift: [] } },
    calls: { 'ssm.DescribeParameters': 1 },
  });

  await world.set({ A: 'changed', B: null });
  const { outcome, calls } = await world.runUntilDone(id, {}, { maxRuns: 3 });
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1, deleted: 1 } });
  expect(calls).toEqual({ 'ssm.DescribeParameters': 2, 'ssm.PutParameter': 1, 'ssm.DeleteParameters': 1 });
  expect([found(world, '/A')?.value, found(world, '/B')]).toEqual(['changed', undefined]);

  await world.runUntilDone(id, { request: 'remove' });
  expect(found(world, '/A')).toBeUndefined();
});

test.each(behaviours)('what exists is seen, planned, imported and taken over (%s)', async (behaviour) => {
  const world = await open(behaviour);
  world.sandbox.foreign.putParameter({ ...world.at, name: 'A', value: 'theirs' });
  await world.set({ A: 'ours' });
  const { id } = await world.createSync(atRoot);

  const plan = await world.runOnce(id, { request: 'plan' });
  expect(plan.outcome).toMatchObject({ result: { changes: [{ action: 'conflict', remoteName: '/A' }] } });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ code: 'SYNC_CONFLICT' });
  const imported = await world.runOnce(id, {
    request: 'import',
    parameters: { importBehavior: 'prioritize-destination' },
  });
  expect(imported.outcome).toMatchObject({ result: { imported: ['A'] } });

  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, onExisting: 'adopt' } }, 'ann');
  await world.set({ A: 'ours' });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { adopted: 1 } });
  expect(found(world, 'A')).toMatchObject({ value: 'ours', tags: { 'keyferry:sync': world.tagOf(id) } });
});

test.each(behaviours)('a lost answer is found again (%s)', async (behaviour) => {
  const world = await open(behaviour);
  await world.set({ A: '1' });
  const { id } = await world.createSync(atRoot);
  world.sandbox.faults.add({ service: 'ssm', operation: 'PutParameter', times: 1, action: 'drop-after' });

  const { outcome, calls } = await world.runUntilDone(id, {}, { maxRuns: 5 });

  expect(outcome).toMatchObject({ status: 'succeeded' });
  expect(calls['ssm.PutParameter']).toBe(1);
});

const secretsManager = (config: Record<string, string>) =>
  ({ destination: 'aws-secrets-manager', destinationConfig: { region: REGION, ...config } }) as SyncInput;

test.each([
  ['parameter', {}, 'ssm', 'PutParameter', 'ParameterAlreadyExists'],
  [
    'secret',
    secretsManager({ mappingBehavior: 'one-to-one', prefix: '/app/prod/' }),
    'secretsmanager',
    'CreateSecret',
    'InvalidRequestException',
  ],
] as const)(
  'the name of a %s that AWS calls taken and never returns ends as a failure',
  async (_what, input, service, operation, code) => {
    const world = await createWorld(stage);
    await world.set({ A: '1', B: '2' });
    const { id } = await world.createSync(input);
    world.sandbox.faults.add({
      operation,
      match: { parametersInclude: '"/app/prod/A"' },
      action: { error: { code } },
    });
    const started = world.clock.now().getTime();

    const { outcome, calls } = await world.runUntilDone(id, {}, { maxRuns: 30 });

    expect(outcome).toMatchObject({ status: 'partial', counts: { created: 1, failed: 1 } });
    expect((await world.entry(id, 'A'))?.errorMessage).toMatch(/AWS says that the name is taken.*does not return/);
    expect(calls[`${service}.${operation}`]).toBeLessThan(12);
    // Long enough for reads that lag.
    expect(world.clock.now().getTime() - started).toBeGreaterThan(60_000);
  },
);

test('a name that stays busy after a deletion ends as a failure, too', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  world.sandbox.faults.add({
    service: 'ssm',
    operation: 'PutParameter',
    match: { parametersInclude: '"/app/prod/A"' },
    action: { error: { code: 'TooManyUpdates' } },
  });

  const { outcome } = await world.runUntilDone(id, {}, { maxRuns: 30 });

  expect(outcome).toMatchObject({ status: 'partial', counts: { created: 1, failed: 1 } });
  expect((await world.entry(id, 'A'))?.errorMessage).toMatch(/AWS says that the name is busy/);
});
