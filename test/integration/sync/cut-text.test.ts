import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, REGION, type SyncInput } from './world.ts';

const stage = useStage();

const inOne: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' },
};

/** An emoji at every place where a message about the tag may be cut. */
test.each([38, 39, 40, 63, 64, 127, 128])(
  'a tag that AWS refuses fails its own secret only, with an emoji after %i characters',
  async (length) => {
    const world = await createWorld(stage);
    await world.set({ A: '1', B: '2' }, { A: { [`${'x'.repeat(length)}😀`]: 'v' } });
    const { id } = await world.createSync({ syncOptions: { syncSecretMetadataAsTags: true } });

    const { outcome } = await world.runUntilDone(id);

    expect(outcome).toMatchObject({ status: 'partial', counts: { created: 1, failed: 1 } });
    const [row] = (await world.entries(id)).filter((entry) => entry.key === 'A');
    expect(row?.errorMessage).toMatch(/does not allow the tag x+/);
    expect(row?.errorMessage).not.toContain('\ufffd');
  },
);

test('keys of a foreign JSON secret that cannot be stored fail nothing else', async () => {
  const world = await createWorld(stage);
  const text = String.raw`{"GOOD":"1","A\ud83d":"2","B\u0000":"3","😀":"4"}`;
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod', value: text });
  const { id } = await world.createSync(inOne);

  for (const request of ['plan', 'check', 'import', 'plan'] as const) {
    const { outcome } = await world.runUntilDone(id, { request });
    expect(outcome).toMatchObject({ status: 'succeeded' });
  }
  const { outcome } = await world.runUntilDone(id, { request: 'import' });
  expect(outcome).toMatchObject({ result: { kept: ['GOOD'], refused: ['A\ufffd', 'B\ufffd', '😀'] } });
});
