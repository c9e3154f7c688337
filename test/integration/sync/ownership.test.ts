import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { expect, test } from 'vitest';

import { createInstallation } from '../../../src/db/installation.ts';
import { migrate } from '../../../src/db/migrate.ts';
import { createEmptyDatabase } from '../../support/postgres.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, REGION, type SyncInput } from './world.ts';

const stage = useStage();

const secretsManager = (config: Record<string, string>) =>
  ({
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, ...config },
  }) as SyncInput;
const destinations: readonly (readonly [string, SyncInput])[] = [
  ['a parameter', {}],
  ['a secret', secretsManager({ mappingBehavior: 'one-to-one', prefix: '/app/prod/' })],
  ['a JSON secret', secretsManager({ mappingBehavior: 'many-to-one', secretName: '/app/prod/A' })],
];

test('migrations that start at once make one installation, and later ones keep it', async () => {
  const empty = await createEmptyDatabase();
  await Promise.all([migrate(empty.url), migrate(empty.url), migrate(empty.url)]);
  const client = postgres(empty.url, { max: 1 });
  const [first, ...others] = await client`select * from keyferry.installation`;
  expect(others).toEqual([]);
  expect(first).toMatchObject({
    epoch: 1,
    counter: '0',
    // The first worker records where it is.
    database_name: null,
    system_identifier: null,
    timeline: null,
  });

  await migrate(empty.url);
  expect(await client`select id from keyferry.installation`).toEqual([{ id: first?.['id'] as string }]);
  await expect(client`insert into keyferry.installation (database_name) values ('second')`).rejects.toMatchObject({
    code: '23505',
  });
  await client.end();
  await empty.drop();
});

test('an installation without its row is not migrated', async () => {
  await stage.handle.db.execute(sql`delete from keyferry.installation`);
  await expect(createInstallation(stage.handle.db).get()).rejects.toMatchObject({ code: 'DB_NOT_MIGRATED' });
  await migrate(stage.databaseUrl);
  expect((await createInstallation(stage.handle.db).get()).epoch).toBe(1);
});

test.each(destinations)('%s of another installation is a conflict, also for adopt', async (_what, destination) => {
  const world = await createWorld(stage);
  await world.set({ A: 'theirs' });
  const { id } = await world.createSync({ ...destination, syncOptions: { onExisting: 'adopt' } });
  await world.runUntilDone(id);
  // What a copy of this database would find: the same sync, another installation, nothing of its
  // own yet.
  await stage.handle.db.execute(sql`update keyferry.installation set id = gen_random_uuid()`);
  await stage.handle.db.execute(sql`delete from keyferry.sync_entries where sync_id = ${id}`);
  const before = [world.parameters(), world.secrets()];
  await world.set({ A: 'ours' });

  const { outcome } = await world.runUntilDone(id, { request: 'sync' });

  expect(outcome).toMatchObject({
    status: 'failed',
    code: 'SYNC_CONFLICT',
    message: expect.stringContaining('belongs to another keyferry installation') as string,
  });
  expect([world.parameters(), world.secrets()]).toEqual(before);
});

test.each(destinations)('%s with the tag of an earlier version stays ours', async (_what, destination) => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ ...destination, syncOptions: { tags: [{ key: 'team', value: 'core' }] } });
  await world.runUntilDone(id);
  const { foreign, inspect } = world.sandbox;
  const at = { ...world.at, name: '/app/prod/A' };
  const isParameter = inspect.parameter(at) !== undefined;
  const tags = { 'keyferry:sync': id };
  if (isParameter) foreign.tagParameter({ ...at, tags });
  else foreign.tagSecret({ ...at, tags });
  const tagNow = () => (isParameter ? inspect.parameter(at) : inspect.secret(at))?.tags['keyferry:sync'];

  await world.set({ A: '2' });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
  // No call of its own for the tag.
  expect(tagNow()).toBe(id);

  const sync = await world.row(id);
  const syncOptions = { ...sync.syncOptions, tags: [{ key: 'team', value: 'web' }] };
  await world.syncs.update(sync, { syncOptions }, 'ann');
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded' });
  expect(tagNow()).toBe(world.tagOf(id));
});
