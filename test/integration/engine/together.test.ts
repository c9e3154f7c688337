import { randomUUID } from 'node:crypto';

import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDatabase } from '../../../src/db/client.ts';
import type { Settlement } from '../../../src/db/engine/settle.ts';
import { createWork } from '../../../src/db/engine/work.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { addConnection, ENCRYPTION_KEYS, rowOf, runsOf } from './support.ts';

const database = useTestDatabase();

describe('claims and settlements that are wanted at the same time', () => {
  let stores: OpenStores;
  let other: postgres.Sql;

  beforeEach(() => {
    stores = openStores({ databaseUrl: database().url, encryptionKeys: ENCRYPTION_KEYS });
    other = postgres(database().url, { max: 1 });
  });
  afterEach(async () => {
    await stores.database.db.execute(sql`delete from keyferry.connections`);
    await other.end();
    await stores.close();
  });

  async function dispatched(count: number): Promise<string[]> {
    const made = await Promise.all(
      Array.from({ length: count }, () => addConnection(stores, `c-${randomUUID().slice(0, 8)}`)),
    );
    await stores.database.db.execute(
      sql`update keyferry.connections set dispatch_lease_until = now() + interval '1 minute'`,
    );
    return made.map(({ id }) => id);
  }

  const claim = (subjectId: string) =>
    stores.work.claim('validate', { subjectId, runId: randomUUID(), jobId: `job "${subjectId}", of {them}` });

  const settlementOf = (subjectId: string, runId: string): Settlement<'validate'> => ({
    kind: 'validate',
    subjectId,
    runId,
    outcome: { status: 'succeeded' },
    changes: { status: 'valid', statusMessage: null, checks: [], lastValidatedAt: new Date() },
    servedRevision: 1,
    attempt: 0,
    nextDueAt: null,
    requestIds: [],
    awsCalls: {},
  });

  it('are each under their own token, whatever their number', async () => {
    const ids = await dispatched(150);
    const claims = await Promise.all(ids.map(claim));
    expect(claims.map((one) => one?.subject.id)).toEqual(ids);
    expect(new Set(claims.map((one) => one?.runId)).size).toBe(150);
    const settled = await Promise.all(
      claims.map((one) => stores.work.settle(settlementOf(one?.subject.id ?? '', one?.runId ?? ''))),
    );
    expect(settled).toEqual(ids.map(() => true));
    expect(await runsOf(stores, ids[77] ?? '')).toMatchObject([
      { id: claims[77]?.runId, status: 'succeeded', job_id: `job "${String(ids[77])}", of {them}` },
    ]);
    expect(await rowOf(stores, ids[77] ?? '')).toMatchObject({ status: 'valid', checks: [], run_token: null });
  });

  it('give a subject that comes twice to one of the two', async () => {
    const [id = ''] = await dispatched(1);
    const claims = await Promise.all([claim(id), claim(id)]);
    expect(claims.filter((one) => one !== undefined)).toHaveLength(1);
    expect(await runsOf(stores, id)).toHaveLength(1);
  });

  it('are planned once, though few come together', async () => {
    const single = openDatabase(database().url, { poolSize: 1 });
    const work = createWork(single.db);
    for (const subjectId of await dispatched(12)) {
      const claimed = await work.claim('validate', { subjectId, runId: randomUUID(), jobId: undefined });
      await work.settle(settlementOf(subjectId, claimed?.runId ?? ''));
    }
    const plans = await single.client`
      select custom_plans from pg_prepared_statements
      where statement ~ 'with (wanted|given) as' and statement !~ 'pg_prepared_statements'`;
    await single.close();
    // PostgreSQL tries five before it compares.
    expect(plans.map((row) => Number(row['custom_plans']))).toEqual([5, 5]);
  });

  it('do not wait for a row that somebody else has locked, which comes when it is free', async () => {
    const [locked = '', free = ''] = await dispatched(2);
    const order: string[] = [];
    const waiting = await other.begin(async (holder) => {
      await holder`select id from keyferry.connections where id = ${locked} for update`;
      const late = claim(locked).then((one) => {
        order.push('locked');
        return one;
      });
      expect(await claim(free)).toBeDefined();
      order.push('free');
      // A promise that a transaction resolves with would be waited for inside it.
      return { late };
    });
    const first = await waiting.late;
    expect(order).toEqual(['free', 'locked']);
    expect(first?.subject.id).toBe(locked);
  });

  it('do not suffer from one that PostgreSQL refuses', async () => {
    const ids = await dispatched(3);
    const claims = await Promise.all(ids.map(claim));
    const results = await Promise.allSettled(
      claims.map((one, index) =>
        stores.work.settle({
          ...settlementOf(one?.subject.id ?? '', one?.runId ?? ''),
          // No integer of PostgreSQL holds this.
          ...(index === 1 ? { attempt: 2 ** 40 } : {}),
        }),
      ),
    );
    expect(results.map((one) => (one.status === 'fulfilled' ? one.value : 'refused'))).toEqual([true, 'refused', true]);
    expect((await rowOf(stores, ids[1] ?? '')).status).toBe('pending');
  });
});
