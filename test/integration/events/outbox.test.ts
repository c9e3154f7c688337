import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { claiming } from '../../../src/db/outbox.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

/**
 * A claim is made for each free lane: what it reads must not grow with what waits or was delivered.
 */
describe('the claim of the outbox', () => {
  let database: TestDatabase;
  let handle: DatabaseHandle;

  beforeEach(async () => {
    database = await createTestDatabase();
    handle = openDatabase(database.url, { poolSize: 1 });
  });

  afterEach(async () => {
    await handle.close();
    await database.drop();
  });

  it.each([
    ['to an endpoint that gives no answer', `'dead'`, 'now()'],
    ['that are delivered to it', `'live'`, 'null'],
  ])('reads a few rows, however many events there are %s', async (_which, name, nextAttemptAt) => {
    await handle.db.execute(sql`
      insert into keyferry.webhooks (org_id, name, origin, target, format, failures, retry_at)
      values
        ('acme', 'dead', 'https://a.example', 'x', 'standard', 9, now() + interval '1 hour'),
        ('acme', 'live', 'https://b.example', 'x', 'standard', 0, null)`);
    await add(sql.raw(name), { count: 10_000, nextAttemptAt: sql.raw(nextAttemptAt) });
    await add(sql`'live'`, { count: 500, nextAttemptAt: sql`now()` });
    await handle.db.execute(sql`analyze`);
    const explained = await handle.db.execute(
      sql`explain (analyze, format json) ${claiming({ busy: [], hasOperator: false })}`,
    );
    const plan = explained[0]?.['QUERY PLAN'];
    expect(rowsRead(plan)).toBeLessThan(300);
    const [taken] = await handle.db.execute(
      sql`select count(*)::int as n from keyferry.notifications where attempts = 1`,
    );
    expect(taken).toEqual({ n: 10 });
  });

  async function add(
    webhook: ReturnType<typeof sql>,
    { count, nextAttemptAt }: { readonly count: number; readonly nextAttemptAt: ReturnType<typeof sql> },
  ): Promise<void> {
    await handle.db.execute(sql`
      insert into keyferry.notifications (webhook_id, subject_id, event, payload, next_attempt_at)
      select w.id, gen_random_uuid(), 'sync.changed', '{}', ${nextAttemptAt}
      from keyferry.webhooks w, generate_series(1, ${count}::int) where w.name = ${webhook}`);
  }
});

/** Of all nodes of an executed plan, with what their filters threw away. */
function rowsRead(node: unknown): number {
  if (Array.isArray(node)) return node.reduce((sum: number, one) => sum + rowsRead(one), 0);
  if (typeof node !== 'object' || node === null) return 0;
  const facts = node as Readonly<Record<string, unknown>>;
  const number = (name: string) => Number(facts[name] ?? 0);
  const own = (number('Actual Rows') + number('Rows Removed by Filter')) * number('Actual Loops');
  return own + Object.values(facts).reduce((sum: number, one) => sum + rowsRead(one), 0);
}
