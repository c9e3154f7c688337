/** Secrets whose names every object of the language has already. */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { createClient } from '../../../src/client/client.ts';
import { execute } from '../../../src/db/statement.ts';
import { openStores } from '../../../src/stores.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld } from './world.ts';

const stage = useStage();
const values = JSON.parse('{"toString":"a","constructor":"b","__proto__":"c","hasOwnProperty":"d"}') as Record<
  string,
  string
>;

test('are synced, and removed, like any other', async () => {
  const world = await createWorld(stage);
  await world.set(values);
  const { id } = await world.createSync();

  await world.runUntilDone(id);

  const atAws = Object.entries(world.parameters()).sort();
  expect(atAws).toEqual(
    Object.entries(values)
      .map(([key, value]) => [`/app/prod/${key}`, value])
      .sort(),
  );
});

test('have no metadata of the language, and the one that a shape would lose is refused', async () => {
  const { databaseUrl, handle } = stage;
  const stores = openStores({ databaseUrl, encryptionKeys: [{ id: 'names', key: Buffer.alloc(32, 7) }] });
  try {
    const client = createClient(stores, { orgId: 'names', name: 'test' });
    const place = { projectId: 'p', environment: 'e', secretPath: '/names' };
    await expect(client.secrets.set(place, { values })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: 'values holds the name __proto__, which no program in JavaScript can hold safely. Choose another name.',
    });
    const { __proto__: lost, ...kept } = values;
    expect(lost).toBe('c');
    await client.secrets.set(place, { values: kept, metadata: { constructor: { owner: 'shop' } } });

    const rows = await execute(
      handle.db,
      sql`select s.key, s.metadata from keyferry.secrets s
        join keyferry.folders f on f.id = s.folder_id where f.org_id = 'names'`,
    );
    expect(Object.fromEntries(rows.map(({ key, metadata }) => [`key ${String(key)}`, metadata]))).toEqual({
      'key toString': {},
      'key constructor': { owner: 'shop' },
      'key hasOwnProperty': {},
    });
  } finally {
    await stores.close();
  }
});
