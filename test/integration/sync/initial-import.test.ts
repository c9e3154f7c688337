import { expect, test } from 'vitest';

import { JobError } from '../../../src/errors.ts';
import type { SyncDependencies } from '../../../src/workers/sync/processor.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, type World } from './world.ts';

/**
 * An initial import is done once. Whatever became of the run that did it, a later run never reverts
 * what a person edits in the folder.
 */
const stage = useStage();

const secretsManager = (destinationConfig: NonNullable<SyncInput['destinationConfig']>): SyncInput => ({
  destination: 'aws-secrets-manager',
  destinationConfig,
});
const destinations: readonly (readonly [string, SyncInput])[] = [
  ['parameters', {}],
  ['secrets', secretsManager({ region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' })],
  ['JSON secret', secretsManager({ region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' })],
];

const valuesOf = async (world: World) =>
  Object.fromEntries(
    (await world.folders.read(world.folder.id)).secrets.map((one) => [one.key, 'value' in one ? one.value : undefined]),
  );

function occupy(world: World): void {
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'theirs' });
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/A', value: 'theirs' });
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod', value: '{"A":"theirs"}' });
}

/** Dies right after the import is in the folder. */
const dying =
  (isArmed: { value: boolean }) =>
  (deps: SyncDependencies): SyncDependencies => ({
    ...deps,
    folders: {
      ...deps.folders,
      importInto: async (...given) => {
        const change = await deps.folders.importInto(...given);
        if (isArmed.value) throw new JobError('LEASE_LOST');
        return change;
      },
    },
  });

const endings: readonly (readonly [
  string,
  (world: World, id: string, isDying: { value: boolean }) => Promise<unknown>,
])[] = [
  [
    'was partial',
    async (world, id) => {
      await world.set({ BAD: '{{x}}', EMPTY: '' });
      return world.runUntilDone(id);
    },
  ],
  [
    'was refused every write',
    async (world, id) => {
      const error = { code: 'AccessDeniedException', status: 400, message: 'no' };
      world.sandbox.faults.add({
        match: ({ operation }) => /^(Put|Create|Update|AddTags|Tag)/.test(operation),
        action: { error },
      });
      await world.runUntilDone(id);
      world.sandbox.faults.clear();
    },
  ],
  [
    'has to be tried again',
    async (world, id) => {
      world.sandbox.faults.add({
        match: ({ operation }) => /^(Put|Create|Update)/.test(operation),
        action: 'drop-before',
      });
      await world.runOnce(id);
      world.sandbox.faults.clear();
    },
  ],
  [
    'died right after the import',
    async (world, id, isDying) => {
      isDying.value = true;
      await world.runOnce(id).catch(() => undefined);
      isDying.value = false;
    },
  ],
];

test.each(endings.flatMap(([how, end]) => destinations.map(([what, input]) => ({ what, how, input, end }))))(
  'an edit stays after a first run to $what that $how',
  async ({ input, end }) => {
    const isDying = { value: false };
    const world = await createWorld(stage, { wrap: dying(isDying) });
    occupy(world);
    await world.set({ A: 'ours', B: 'ours' });
    const syncOptions = { initialSyncBehavior: 'import-prioritize-destination' } as const;
    const { id } = await world.createSync({ ...input, syncOptions: { ...syncOptions, onExisting: 'adopt' } });
    await end(world, id, isDying);
    expect((await valuesOf(world))['A']).toBe('theirs');

    await world.set({ A: 'edited' });
    world.clock.advance(HOUR);
    await world.runUntilDone(id);
    expect((await valuesOf(world))['A']).toBe('edited');
    expect(JSON.stringify({ ...world.parameters(), ...world.secrets() })).toContain('edited');
  },
);

test('a run that lost its lease imports nothing any more', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createSync();
  const importer = { syncId: id, runId: crypto.randomUUID() };
  await expect(
    world.folders.importInto(
      await world.folders.ensure(world.orgId, { ...world.folder }),
      [{ key: 'A', value: '1' }],
      importer,
    ),
  ).rejects.toMatchObject({ code: 'LEASE_LOST' });
  expect(await valuesOf(world)).toEqual({});
});
