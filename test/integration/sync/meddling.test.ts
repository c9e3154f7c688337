import { expect, test } from 'vitest';

import type { SyncDependencies } from '../../../src/workers/sync/processor.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput } from './world.ts';

/** What somebody does between our look at an object and our write of it. */
const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const toDocument: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/app' },
};

/** Somebody else, who is quicker once. */
function createMeddler() {
  let act: (() => void) | undefined;
  const meddle = () => {
    act?.();
    act = undefined;
  };
  return {
    once: (next: () => void) => {
      act = next;
    },
    wrap: (deps: SyncDependencies): SyncDependencies => ({
      ...deps,
      openParameterStore: (session) => {
        const store = deps.openParameterStore(session);
        return {
          ...store,
          overwrite: (write) => {
            meddle();
            return store.overwrite(write);
          },
        };
      },
      openSecretsManager: (session) => {
        const secrets = deps.openSecretsManager(session);
        return {
          ...secrets,
          update: (write) => {
            meddle();
            return secrets.update(write);
          },
          promote: (move) => {
            meddle();
            return secrets.promote(move);
          },
        };
      },
    }),
  };
}

async function syncedWorld(input: SyncInput = {}) {
  const meddler = createMeddler();
  const world = await createWorld(stage, { wrap: meddler.wrap });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  return { world, id, meddler };
}

test('a parameter that is deleted in between is created again, and is ours by its tag', async () => {
  const { world, id, meddler } = await syncedWorld();
  meddler.once(() => {
    world.sandbox.foreign.deleteParameter({ ...world.at, name: '/app/prod/A' });
  });
  await world.set({ A: 'new' });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1, unchanged: 1 } });
  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/A' })).toMatchObject({
    value: 'new',
    version: 1,
    type: 'SecureString',
    tags: { 'keyferry:sync': world.tagOf(id) },
  });
  world.clock.advance(HOUR);
  expect((await world.runScheduled(id)).outcome).toMatchObject({ status: 'succeeded', result: { drift: [] } });
});

test('a parameter that is edited in between is overwritten: the one race that AWS leaves open', async () => {
  const { world, id, meddler } = await syncedWorld();
  meddler.once(() => {
    world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'theirs' });
  });
  await world.set({ A: 'new' });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
  expect(world.parameters()).toEqual({ '/app/prod/A': 'new', '/app/prod/B': '2' });
  expect((await world.entry(id, 'A'))?.remoteVersion).toBe('3');
});

test('a secret that is scheduled for deletion in between is drift, not restored', async () => {
  const { world, id, meddler } = await syncedWorld(toSecrets);
  meddler.once(() => {
    world.sandbox.foreign.deleteSecret({ ...world.at, name: 'prod/A' });
  });
  await world.set({ A: 'new' });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED', counts: { conflicts: 1 } });
  expect('message' in outcome && outcome.message).toContain('A (prod/A) was scheduled for deletion outside keyferry');
  expect(world.secrets()).toEqual({ 'prod/B': '2' });
});

test('a key that somebody adds to the JSON secret in between is kept', async () => {
  const { world, id, meddler } = await syncedWorld(toDocument);
  meddler.once(() => {
    world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","B":"2","theirs":"x"}' });
  });
  await world.set({ A: 'new' });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
  expect(JSON.parse(world.secrets()['prod/app'] ?? '')).toEqual({ A: 'new', B: '2', theirs: 'x' });
});

test('A, then B, then A again is written each time, however it came about', async () => {
  for (const input of [{}, toSecrets, toDocument]) {
    const { world, id } = await syncedWorld(input);
    for (const value of ['b', '1']) {
      await world.set({ A: value });
      expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
      const found = JSON.stringify({ ...world.parameters(), ...world.secrets() });
      expect(found.replaceAll('\\', '')).toContain(`A":"${value}"`);
    }
  }
});
