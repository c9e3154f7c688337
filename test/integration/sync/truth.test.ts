/** The check after every test of syncs sees what it is there for. */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const secretsManager = (config: Record<string, string>) =>
  ({ destination: 'aws-secrets-manager', destinationConfig: { region: REGION, ...config } }) as SyncInput;
const toSecrets = secretsManager({ mappingBehavior: 'one-to-one', prefix: '/app/prod/' });
const toDocument = secretsManager({ mappingBehavior: 'many-to-one', secretName: '/app/prod' });
const A = '/app/prod/A';

interface Lie {
  readonly title: string;
  readonly input?: SyncInput;
  tell(world: World, syncId: string): unknown;
  readonly untruth: string;
}

const execute = (statement: ReturnType<typeof sql>) => stage.handle.db.execute(statement);

const lies: readonly Lie[] = [
  {
    title: 'a parameter that holds another value',
    tell: ({ sandbox, at }) => sandbox.foreign.putParameter({ ...at, name: A, value: 'theirs' }),
    untruth: '/app/prod/A does not hold the value of A',
  },
  {
    title: 'a parameter of another type',
    tell: ({ sandbox, at }) => {
      sandbox.foreign.deleteParameter({ ...at, name: A });
      sandbox.foreign.putParameter({ ...at, name: A, value: '1', type: 'String' });
    },
    untruth: '/app/prod/A is a String',
  },
  {
    title: 'a parameter without our tag',
    tell: ({ sandbox, at }) => {
      sandbox.foreign.untagParameter({ ...at, name: A, tagKeys: ['keyferry:sync'] });
    },
    untruth: '/app/prod/A does not carry the tag of the sync',
  },
  {
    title: 'a parameter that is gone',
    tell: ({ sandbox, at }) => {
      sandbox.foreign.deleteParameter({ ...at, name: A });
    },
    untruth: '/app/prod/A is not at AWS',
  },
  {
    title: 'a parameter with our tag that nobody knows',
    tell: (world, id) =>
      world.sandbox.foreign.putParameter({
        ...{ ...world.at, name: '/stray', value: 'x' },
        tags: { 'keyferry:sync': world.tagOf(id) },
      }),
    untruth: 'parameter/stray carries the tag of the sync and is not on record',
  },
  {
    title: 'a secret that waits for its deletion',
    input: toSecrets,
    tell: ({ sandbox, at }) => {
      sandbox.foreign.deleteSecret({ ...at, name: A });
    },
    untruth: '/app/prod/A is not at AWS',
  },
  {
    title: 'a key of a JSON secret that holds another value',
    input: toDocument,
    tell: ({ sandbox, at }) => sandbox.foreign.putSecret({ ...at, name: '/app/prod', value: '{"A":"theirs","B":"2"}' }),
    untruth: '/app/prod does not hold the value of A',
  },
  {
    title: 'a folder change that was never carried out',
    tell: async (world, id) => {
      await world.set({ C: '3' });
      await execute(sql`
        update keyferry.syncs s set synced_revision = f.revision from keyferry.folders f
        where s.id = ${id} and f.id = s.folder_id`);
    },
    untruth: '/app/prod/C C is in the folder and not owned',
  },
  {
    title: 'a folder change for which the sync is never due',
    tell: async (world, id) => {
      await world.set({ A: '3' });
      await execute(sql`update keyferry.syncs set next_due_at = null where id = ${id}`);
    },
    untruth: 'it is behind its folder and never due',
  },
];

test.each(lies)('$title is no success', async ({ input, tell, untruth }) => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(input ?? {});
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  expect(await world.untruths()).toEqual([]);

  await tell(world, id);

  expect((await world.untruths()).join()).toContain(untruth);
  world.meddled('this test makes the status untrue');
});
