/** A change that sets what is set already changes nothing: no version, no run. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createClient } from '../../../src/client/client.ts';
import type { Client } from '../../../src/client/types/client.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { createSubjects, newRotation, newSync, ORG, roleArn, type Subjects } from '../audit/subjects.ts';

const database = useTestDatabase();
let stores: OpenStores;
let client: Client;
let subjects: Subjects;
beforeAll(async () => {
  stores = openStores({ databaseUrl: database().url, encryptionKeys: [{ id: 'test', key: Buffer.alloc(32, 7) }] });
  client = createClient(stores, { orgId: ORG, name: 'scene' });
  subjects = await createSubjects(stores);
});
afterAll(() => stores.close());

const http = { kind: 'http', url: 'https://secrets.example.com/', token: null } as const;

/** What sets each subject, and what sets it otherwise. */
const changes: Readonly<Record<string, readonly [same: () => Promise<unknown>, other: () => Promise<unknown>]>> = {
  connections: [
    () =>
      client.connections.update(subjects.connection, {
        name: `${subjects.unique}-c`,
        description: null,
        region: null,
        credentials: { method: 'assume-role', roleArn },
      }),
    () => client.connections.update(subjects.connection, { region: 'eu-central-1' }),
  ],
  syncs: [
    () => {
      const { name, connection, source, destinationConfig } = newSync(`${subjects.unique}-s`, subjects);
      const present = { name, connection, source, destinationConfig, isAutoSyncEnabled: true };
      return client.syncs.update(subjects.sync, { ...present, syncOptions: { drift: 'detect', tier: 'standard' } });
    },
    () => client.syncs.update(subjects.sync, { syncOptions: { drift: 'repair' } }),
  ],
  rotations: [
    () => {
      const { name, connection, rotationIntervalDays } = newRotation(`${subjects.unique}-r`, subjects.connection);
      const times = { graceSeconds: 86_400, isAutoRotationEnabled: true, onExisting: 'fail' } as const;
      return client.rotations.update(subjects.rotation, { name, connection, rotationIntervalDays, ...times });
    },
    () => client.rotations.update(subjects.rotation, { graceSeconds: 3_600 }),
  ],
  sources: [
    () => client.sources.set(subjects.sourced, { ...http, everySeconds: 300 }),
    () => client.sources.set(subjects.sourced, { ...http, token: 'another' }),
  ],
  folders: [
    () => client.secrets.set(subjects.place, { values: { A: 'a' } }),
    () => client.secrets.set(subjects.place, { values: { A: 'b' } }),
  ],
};

test.each(Object.entries(changes))('%s stay as they are when the same is set again', async (table, [same, other]) => {
  const before = await rowsOf(table);
  await same();
  expect(await rowsOf(table)).toEqual(before);
  await other();
  expect(await rowsOf(table)).not.toEqual(before);
});

async function rowsOf(table: string): Promise<readonly unknown[]> {
  const rows = await stores.database.db.execute(
    sql`select to_jsonb(t) as row from keyferry.${sql.identifier(table)} t`,
  );
  return rows.map(({ row }) => row).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
