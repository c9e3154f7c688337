import { expect, test } from 'vitest';

import { JobError } from '../../../src/errors.ts';
import type { SyncDependencies } from '../../../src/workers/sync/processor.ts';
import { useStage } from '../../support/use-stage.ts';
import { allow, createWorld, DOCUMENTED_SECRET_ACTIONS, HOUR, MINUTE, REGION, type SyncInput } from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const toDocument: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/app' },
};

/** The worker dies when it is about to record a result. */
function dieOnce(): { wrap: (deps: SyncDependencies) => SyncDependencies; arm: () => void } {
  let isArmed = false;
  return {
    arm: () => {
      isArmed = true;
    },
    wrap: (deps) => ({
      ...deps,
      entries: {
        ...deps.entries,
        store: async (run, entries) => {
          if (!isArmed) return deps.entries.store(run, entries);
          isArmed = false;
          throw new JobError('LEASE_LOST');
        },
      },
    }),
  };
}

test.each([
  ['a parameter', {}, 'ssm', 'PutParameter'],
  ['a secret', toSecrets, 'secretsmanager', 'CreateSecret'],
  ['a JSON secret', toDocument, 'secretsmanager', 'CreateSecret'],
] as const)(
  '%s whose creation lost its answer is found by the next run and not written again',
  async (...[, input, service, operation]) => {
    const world = await createWorld(stage);
    await world.set({ A: '1' });
    const { id } = await world.createSync(input);
    world.sandbox.faults.add({ service, operation, action: 'drop-after', times: 1 });

    const lost = await world.runOnce(id);
    const { outcome, calls } = await world.runOnce(id);

    expect(lost.outcome).toMatchObject({ status: 'retry' });
    expect(outcome).toMatchObject({ status: 'succeeded' });
    expect(calls[`${service}.${operation}`] ?? 0).toBe(0);
    expect(versions(world)).toEqual([1]);
    // What may still be under way is looked at once more.
    const minutes = ((await world.row(id)).nextDueAt!.getTime() - world.clock.now().getTime()) / MINUTE;
    expect(minutes).toBeCloseTo(15);
  },
);

test.each([
  ['a parameter', {}, 'ssm', 'PutParameter', undefined],
  ['a secret', toSecrets, 'secretsmanager', 'UpdateSecret', undefined],
  ['a JSON secret', toDocument, 'secretsmanager', 'UpdateSecret', DOCUMENTED_SECRET_ACTIONS],
  ['a staged JSON secret', toDocument, 'secretsmanager', 'PutSecretValue', undefined],
  ['a promoted JSON secret', toDocument, 'secretsmanager', 'UpdateSecretVersionStage', undefined],
] as const)(
  '%s whose update lost its answer gets no second version',
  async (...[, input, service, operation, actions]) => {
    const world = await createWorld(stage, actions ? { policy: allow(actions) } : {});
    await world.set({ A: '1' });
    const { id } = await world.createSync(input);
    await world.runUntilDone(id);
    await world.set({ A: '2' });
    world.clock.advance(2 * MINUTE);
    world.sandbox.faults.add({ service, operation, action: 'drop-after', times: 1 });

    const lost = await world.runOnce(id);
    const { outcome } = await world.runUntilDone(id);

    expect(lost.outcome).toMatchObject({ status: 'retry' });
    expect(outcome).toMatchObject({ status: 'succeeded' });
    expect(versions(world)).toEqual([2]);
    expect(Object.values({ ...world.parameters(), ...world.secrets() })).toEqual([
      expect.stringMatching(/^(2|\{"A":"2"\})$/),
    ]);
  },
);

test.each([
  ['parameters', {}],
  ['secrets', toSecrets],
  ['a JSON secret', toDocument],
] as const)('a worker that dies before it records leaves no second version of %s', async (_what, input) => {
  const death = dieOnce();
  const world = await createWorld(stage, { wrap: death.wrap });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  await world.set({ A: 'new', B: 'new' });
  world.clock.advance(2 * MINUTE);
  death.arm();

  await expect(world.runOnce(id)).rejects.toThrow('lost its lease');
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded' });
  expect(new Set(versions(world))).toEqual(new Set([2]));
});

test('a write that never arrived is made anew', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toSecrets);
  world.sandbox.faults.add({ service: 'secretsmanager', operation: 'CreateSecret', action: 'drop-before', times: 1 });

  const lost = await world.runOnce(id);
  const { outcome } = await world.runOnce(id);

  expect(lost.outcome).toMatchObject({ status: 'retry' });
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 1 } });
  expect(versions(world)).toEqual([1]);
});

test('what somebody wrote over a lost write is not taken for ours', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: '2' });
  world.clock.advance(2 * MINUTE);
  world.sandbox.faults.add({ service: 'ssm', operation: 'PutParameter', action: 'drop-before', times: 1 });
  await world.runOnce(id);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'theirs' });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED' });
  expect(world.parameters()).toEqual({ '/app/prod/A': 'theirs' });
});

/** How many versions each object has. */
function versions(world: Awaited<ReturnType<typeof createWorld>>): readonly number[] {
  const parameters = world.sandbox.inspect.parameters(world.at).map((parameter) => parameter.version);
  const secrets = world.sandbox.inspect.secrets(world.at).map((secret) => secret.versions.length);
  return [...parameters, ...secrets];
}

test('what a lost write of a JSON secret left as somebody made it is still drift after the recovery', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2', C: '3' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"B":"2","C":"3","D":"theirs"}' });
  await world.set({ B: 'new', D: 'ours' });
  // The first write meets somebody else's version; the second, after a look, arrives but is never
  // answered.
  world.sandbox.faults.add({ operation: 'PutSecretValue', nth: 2, action: 'drop-after' });
  await world.runOnce(id);
  world.sandbox.faults.clear();

  world.clock.advance(HOUR);
  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_PARTIAL' });
  expect(JSON.parse(world.secrets()['prod/app'] ?? '')).toEqual({ B: 'new', C: '3', D: 'theirs' });
  expect(await world.entry(id, 'A')).toMatchObject({ drift: 'missing' });
  expect(await world.entry(id, 'D')).toMatchObject({ status: 'conflict' });

  await world.runUntilDone(id, { request: 'sync' });
  expect(JSON.parse(world.secrets()['prod/app'] ?? '')).toEqual({ A: '1', B: 'new', C: '3', D: 'theirs' });
});
