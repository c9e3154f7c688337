/** Taking over what exists, when any one answer of AWS is lost on the way. */
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, MINUTE, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const NAME = '/app/prod/A';
const secretsManager = (config: Record<string, string>) =>
  ({ destination: 'aws-secrets-manager', destinationConfig: { region: REGION, ...config } }) as SyncInput;
const toSecret = secretsManager({ mappingBehavior: 'one-to-one', prefix: '/app/prod/' });
const toDocument = secretsManager({ mappingBehavior: 'many-to-one', secretName: NAME });

interface Case {
  readonly input: SyncInput;
  readonly service: 'ssm' | 'secretsmanager';
  /** Of the run that takes it over, in order. */
  readonly operations: readonly (readonly [string, number])[];
  put(world: World): void;
  value(world: World): string | undefined;
  readonly wanted: string;
}

const parameter: Case = {
  input: {},
  service: 'ssm',
  operations: [
    ['PutParameter', 1],
    ['ListTagsForResource', 1],
    ['GetParameters', 1],
    ['AddTagsToResource', 1],
    ['PutParameter', 2],
  ],
  put: (world) => world.sandbox.foreign.putParameter({ ...world.at, name: NAME, value: 'theirs' }),
  value: (world) => world.parameters()[NAME],
  wanted: 'ours',
};
const secret: Case = {
  input: toSecret,
  service: 'secretsmanager',
  operations: [
    ['CreateSecret', 1],
    ['DescribeSecret', 1],
    ['TagResource', 1],
    ['UpdateSecret', 1],
  ],
  put: (world) => world.sandbox.foreign.putSecret({ ...world.at, name: NAME, value: 'theirs' }),
  value: (world) => world.secrets()[NAME],
  wanted: 'ours',
};
const document: Case = {
  ...secret,
  input: toDocument,
  operations: [
    ['CreateSecret', 1],
    ['DescribeSecret', 1],
    ['GetSecretValue', 1],
    ['TagResource', 1],
    ['PutSecretValue', 1],
    ['UpdateSecretVersionStage', 1],
  ],
  put: (world) => world.sandbox.foreign.putSecret({ ...world.at, name: NAME, value: '{"A":"theirs","THEIRS":"1"}' }),
  wanted: '{"A":"ours","THEIRS":"1"}',
};

const cases = Object.entries({ parameter, secret, document }).flatMap(([what, one]) =>
  one.operations.flatMap(([operation, nth]) =>
    (['drop-before', 'drop-after'] as const).map((action) => ({
      title: `a ${what} is taken over after ${action} of ${operation} ${String(nth)}`,
      lost: { one, operation, nth, action },
    })),
  ),
);

test.each(cases.map(({ title, lost }) => [title, lost] as const))(
  '%s',
  async (_title, { one, operation, nth, action }) => {
    const world = await createWorld(stage);
    one.put(world);
    await world.set({ A: 'ours' });
    const { id } = await world.createSync({ ...one.input, syncOptions: { onExisting: 'adopt' } });
    let seen = 0;
    // The probes that precede the first write are not counted.
    const isOwn = (parameters: unknown) => !/keyferry-probe|"SecretId":"arn:/.test(JSON.stringify(parameters));
    world.sandbox.faults.add({
      service: one.service,
      operation,
      match: ({ parameters }) => isOwn(parameters) && (seen += 1) === nth,
      action,
    });

    for (let n = 0; n < 4; n += 1) {
      await world.runUntilDone(id, { request: 'sync' }, { maxRuns: 20 });
      world.clock.advance(2 * MINUTE);
    }

    expect(seen).toBeGreaterThanOrEqual(nth);
    expect(one.value(world)).toBe(one.wanted);
    world.clock.advance(HOUR);
    expect((await world.runScheduled(id)).outcome).toMatchObject({ status: 'succeeded', result: { drift: [] } });
  },
);

test('a secret whose tagging was refused is still to be adopted', async () => {
  const world = await createWorld(stage);
  await world.set({ A: 'ours' });
  world.sandbox.foreign.putSecret({ ...world.at, name: NAME, value: 'theirs' });
  const { id } = await world.createSync({ ...toSecret, syncOptions: { onExisting: 'adopt' } });
  const match = { parametersInclude: `"SecretId":"${NAME}"` };
  const error = { code: 'AccessDeniedException', status: 400 };
  world.sandbox.faults.add({ operation: 'TagResource', match, times: 1, action: { error } });

  await world.runUntilDone(id);
  expect(world.secrets()).toEqual({ [NAME]: 'theirs' });
  world.clock.advance(15 * MINUTE);
  const { outcome } = await world.runUntilDone(id, { request: 'sync' });

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { failed: 0 } });
  expect(world.secrets()).toEqual({ [NAME]: 'ours' });
});

test('a JSON secret that others made is not ours to delete, although its takeover was interrupted', async () => {
  const world = await createWorld(stage);
  document.put(world);
  await world.set({ A: 'ours' });
  const { id } = await world.createSync({ ...toDocument, syncOptions: { onExisting: 'adopt' } });
  world.sandbox.faults.add({ service: 'secretsmanager', operation: 'TagResource', nth: 2, action: 'drop-after' });
  await world.runUntilDone(id);
  world.clock.advance(2 * MINUTE);
  await world.runUntilDone(id, { request: 'sync' });
  expect(world.secrets()[NAME]).toBe(document.wanted);

  world.clock.advance(HOUR);
  await world.runUntilDone(id, { request: 'remove' });

  expect(world.secrets()[NAME]).toBe('{"THEIRS":"1"}');
});

test.each([
  ['parameter', parameter],
  ['secret', secret],
  ['document', document],
] as const)(
  'a %s with a forged tag of this sync is a conflict, and taken over where that is allowed',
  async (_what, one) => {
    const world = await createWorld(stage);
    await world.set({ A: 'ours' });
    const { id } = await world.createSync(one.input);
    one.put(world);
    const tags = { 'keyferry:sync': world.tagOf(id) };
    if (one.service === 'ssm') world.sandbox.foreign.tagParameter({ ...world.at, name: NAME, tags });
    else world.sandbox.foreign.tagSecret({ ...world.at, name: NAME, tags });
    const before = one.value(world);

    expect((await world.runUntilDone(id)).outcome).toMatchObject({
      status: 'failed',
      code: 'SYNC_CONFLICT',
      message: expect.stringContaining('which has no record of it') as string,
    });
    expect(one.value(world)).toBe(before);

    const sync = await world.row(id);
    await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, onExisting: 'adopt' } }, 'ann');
    expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
    expect(one.value(world)).toBe(one.wanted);
  },
);

test.each([
  ['parameter', parameter],
  ['secret', secret],
] as const)('a %s whose creation arrives after it was given up is ours', async (_what, one) => {
  const world = await createWorld(stage);
  await world.set({ A: 'late' });
  const { id } = await world.createSync(one.input);
  const operation = one.service === 'ssm' ? 'PutParameter' : 'CreateSecret';
  const lift = world.sandbox.faults.add({ service: one.service, operation, action: 'drop-before' });
  await world.runOnce(id);
  // A look finds nothing: the call is given up.
  await world.runOnce(id);
  lift();
  one.put(world);
  const tags = { 'keyferry:sync': world.tagOf(id) };
  if (one.service === 'ssm') world.sandbox.foreign.tagParameter({ ...world.at, name: NAME, tags });
  else world.sandbox.foreign.tagSecret({ ...world.at, name: NAME, tags });
  await world.set({ A: 'ours' });
  world.clock.advance(HOUR);

  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(one.value(world)).toBe('ours');
});
