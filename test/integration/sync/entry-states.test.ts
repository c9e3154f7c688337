/**
 * The states of ledger entries: one rule, which PostgreSQL keeps for readers and the domain for
 * runs.
 */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { syncEntries } from '../../../src/db/schema.ts';
import { stateOf } from '../../../src/domain/sync/ledger.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld } from './world.ts';

const stage = useStage();

/** Copies of the one entry with every combination of the columns that the state is derived from. */
const everyCombination = sql`
  insert into keyferry.sync_entries (sync_id, remote_name, key, connection_id, folder_id, partition,
    account_id, region, service, is_claim, status, in_flight, checked_at, deleted_at,
    remote_version, error_code)
  select e.sync_id, '/copy/' || row_number() over (), e.key, e.connection_id, e.folder_id,
    e.partition,
    e.account_id, e.region, e.service, false, s.status, f.in_flight, c.at, d.at, v.version, o.code
  from keyferry.sync_entries e
  cross join (values ('synced'), ('failed'), ('conflict'), ('skipped')) s (status)
  cross join (values (null), ('{"operation":"create"}'::jsonb)) f (in_flight)
  cross join (values (null), (now())) c (at)
  cross join (values (null), (now())) d (at)
  cross join (values (null), ('1')) v (version)
  cross join (values (null), ('AWS_THROTTLED')) o (code)`;

test('the column and the domain derive the same state of every entry, and all eight occur', async () => {
  const world = await createWorld(stage);
  await world.set({ A: 'x' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  await stage.handle.db.execute(everyCombination);

  const rows = await stage.handle.db.select().from(syncEntries);
  await stage.handle.db.execute(sql`delete from keyferry.sync_entries
    where remote_name like '/copy/%'`);
  expect(rows).toHaveLength(129);
  expect(rows.filter((row) => stateOf(row) !== row.state)).toEqual([]);
  expect([...new Set(rows.map(({ state }) => state))].sort()).toEqual([
    'conflict',
    'deleted',
    'failed',
    'imported',
    'left-behind',
    'new',
    'synced',
    'writing',
  ]);
});
