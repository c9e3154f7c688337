/** A JSON secret of ours whose text somebody replaced by something else than a JSON object. */
import { describe, expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, type World } from './world.ts';

const stage = useStage();

const NAME = 'prod/app';
const texts = ['plain text', '"a string"', '["A","1"]', '{"A":"1"', 'null', '7'];

async function replacedWorld(text: string, drift: 'detect' | 'repair' = 'detect') {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync({
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: NAME },
    syncOptions: { drift },
  } satisfies SyncInput);
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  replace(world, text);
  return { world, id };
}

function replace(world: World, value: string): void {
  world.sandbox.foreign.putSecret({ ...world.at, name: NAME, value });
}

type Occasion = (world: World, syncId: string) => Promise<unknown>;
const occasions: Readonly<Record<string, Occasion>> = {
  'a run that a person asks for': (world, id) => world.runUntilDone(id, { request: 'sync' }),
  'a check that a person asks for': (world, id) => world.runUntilDone(id, { request: 'check' }),
  'the scheduled check': (world, id) => world.runScheduled(id),
  'a changed value': async (world, id) => {
    await world.set({ A: 'new' });
    await world.runUntilDone(id);
  },
  'a new key': async (world, id) => {
    await world.set({ C: '3' });
    await world.runUntilDone(id);
  },
  'a removed key': async (world, id) => {
    await world.set({ B: null });
    await world.runUntilDone(id);
  },
  'a new tag': async (world, id) => {
    const { syncOptions } = await world.row(id);
    await world.syncs.update(
      await world.row(id),
      { syncOptions: { ...syncOptions, tags: [{ key: 'k', value: 'v' }] } },
      'ann',
    );
    await world.runUntilDone(id);
  },
  'an import': async (world, id) => {
    await world.runUntilDone(id, { request: 'import' });
    await world.runUntilDone(id, { request: 'check' });
  },
  'a removal': (world, id) => world.runUntilDone(id, { request: 'remove' }),
};

describe.each(Object.entries(occasions))('%s', (_what, happen) => {
  test.each(texts)('leaves %s as it is, and is no success', async (text) => {
    const { world, id } = await replacedWorld(text);

    await happen(world, id);

    expect(world.secrets()[NAME]).toBe(text);
    const { syncStatus, statusCode, statusMessage } = await world.row(id);
    expect([syncStatus, statusCode]).not.toContain('succeeded');
    expect(statusMessage).toContain(NAME);
  });
});

test.each(['a run that a person asks for', 'the scheduled check', 'a changed value', 'a new key', 'a removed key'])(
  'a sync that repairs drift leaves the text as it is, too, after %s',
  async (occasion) => {
    const { world, id } = await replacedWorld('plain text', 'repair');
    await occasions[occasion]?.(world, id);
    expect(world.secrets()[NAME]).toBe('plain text');
    expect((await world.row(id)).syncStatus).toBe('partial');
  },
);

test.each(['a run that a person asks for', 'the scheduled check', 'a changed value'])(
  'the sync continues once the secret holds its JSON again, after %s',
  async (occasion) => {
    const { world, id } = await replacedWorld('plain text');
    await occasions[occasion]?.(world, id);
    world.clock.advance(HOUR);
    replace(world, '{"A":"1","B":"2"}');

    const { outcome } = await world.runScheduled(id);

    expect(outcome).toMatchObject({ status: 'succeeded' });
    expect(await world.row(id)).toMatchObject({ syncStatus: 'succeeded', drift: 'none' });
  },
);
