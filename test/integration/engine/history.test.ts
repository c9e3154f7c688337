/**
 * What is kept of runs: what happened, not that time passed; and the statements behind it use their
 * indexes.
 */
import { randomUUID } from 'node:crypto';

import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';

import { dispatchStatement } from '../../../src/db/engine/dispatch.ts';
import { deleteExpired } from '../../../src/db/engine/retention.ts';
import { kinds, noCounts, type Outcome } from '../../../src/domain/run.ts';
import { addConnection, runsOf, useEngine } from './support.ts';

const engine = useEngine();

/** One run from dispatch to settlement, as a worker would make it. */
async function runOnce(
  id: string,
  outcome: Outcome,
  awsCalls: Readonly<Record<string, number>> = { 'sts.GetCallerIdentity': 1 },
): Promise<void> {
  const { work, database: open } = engine().stores;
  await open.db.execute(sql`update keyferry.connections set next_due_at = now() where id = ${id}`);
  await work.dispatchDue('validate', 100);
  const claim = await work.claim('validate', { subjectId: id, runId: randomUUID(), jobId: undefined });
  const isSettled = await work.settle({
    kind: 'validate',
    subjectId: id,
    runId: claim?.runId ?? '',
    outcome,
    changes: {},
    servedRevision: claim?.subject.wantedRevision ?? 0,
    attempt: 0,
    nextDueAt: new Date(Date.now() + 3_600_000),
    requestIds: claim?.requestIds ?? [],
    awsCalls,
  });
  expect(isSettled).toBe(true);
}

const succeeded: Outcome = { status: 'succeeded', counts: noCounts };

describe('the history of runs', () => {
  it('keeps one run for all scheduled ones in a row that found everything as before', async () => {
    const { id } = await addConnection(engine().stores, 'quiet');
    await runOnce(id, succeeded);
    for (let round = 0; round < 4; round += 1) await runOnce(id, succeeded);
    const runs = await runsOf(engine().stores, id);
    expect(runs).toMatchObject([
      { reason: 'created', repeats: null },
      { reason: 'scheduled', repeats: 3 },
    ]);
    expect(new Date(String(runs[1]?.first_started_at)) < new Date(String(runs[1]?.started_at))).toBe(true);
  });

  it('counts the calls of all runs that it keeps as one', async () => {
    const { id } = await addConnection(engine().stores, 'counted');
    await runOnce(id, succeeded);
    await runOnce(id, succeeded, { 'sts.AssumeRole': 3 });
    await runOnce(id, succeeded, {});
    await runOnce(id, succeeded, { 'sts.AssumeRole': 2, 'ssm.GetParameters': 1 });
    const runs = await runsOf(engine().stores, id);
    expect(runs.map(({ aws_calls, repeats }) => [aws_calls, repeats])).toEqual([
      [{ 'sts.GetCallerIdentity': 1 }, null],
      [{ 'sts.AssumeRole': 5, 'ssm.GetParameters': 1 }, 2],
    ]);
  });

  it('keeps what changed something, ended otherwise, or was asked for', async () => {
    const { id } = await addConnection(engine().stores, 'eventful');
    await runOnce(id, succeeded);
    await runOnce(id, succeeded);
    await runOnce(id, { status: 'succeeded', counts: { ...noCounts, updated: 1 } });
    await runOnce(id, succeeded);
    await runOnce(id, { status: 'failed', code: 'CONNECTION_KEY_UNKNOWN', message: 'one' });
    await runOnce(id, { status: 'failed', code: 'CONNECTION_KEY_UNKNOWN', message: 'another wording' });
    await runOnce(id, { status: 'failed', code: 'CONNECTION_SECRET_WRONG', message: 'other' });
    await runOnce(id, succeeded);
    const runs = await runsOf(engine().stores, id);
    expect(runs.map(({ status, error_code, repeats }) => [status, error_code, repeats])).toEqual([
      ['succeeded', null, null],
      ['succeeded', null, 0],
      ['succeeded', null, null],
      ['succeeded', null, 0],
      ['failed', 'CONNECTION_KEY_UNKNOWN', 1],
      ['failed', 'CONNECTION_SECRET_WRONG', 0],
      ['succeeded', null, 0],
    ]);
  });

  it('lets go of what is older than it is kept, and of nothing open or running', async () => {
    const { db } = engine().stores.database;
    await db.execute(sql`delete from keyferry.runs`);
    await db.execute(sql`delete from keyferry.requests`);
    await db.execute(sql`
      insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status, started_at)
      select 'validate', gen_random_uuid(), 'acme', 1, 'scheduled', status, now() - age
      from unnest(array['succeeded', 'failed', 'running']) status,
        unnest(array[interval '100 days', interval '10 days']) age`);
    await db.execute(sql`
      insert into keyferry.requests (org_id, kind, subject_id, created_at, done_at)
      values ('acme', 'sync', gen_random_uuid(), now() - interval '200 days', null),
        ('acme', 'sync', gen_random_uuid(), now() - interval '200 days',
          now() - interval '100 days'),
        ('acme', 'sync', gen_random_uuid(), now() - interval '200 days', now() - interval '1 day')`);
    expect(await deleteExpired(db, 90 * 86_400_000)).toEqual({ deleted: 3, mayHaveMore: false });
    const [left] = await db.execute(sql`
      select (select count(*) from keyferry.runs)::int as runs,
        (select count(*) from keyferry.requests)::int as requests`);
    expect(left).toEqual({ runs: 4, requests: 2 });
    await db.execute(sql`delete from keyferry.runs`);
    await db.execute(sql`delete from keyferry.requests`);
  });
});

describe('the claim of the tick', () => {
  it.each(kinds)('finds what is due of %s by its index, however many rows there are', async (kind) => {
    const { db } = engine().stores.database;
    const table = { validate: 'connections', sync: 'syncs', rotate: 'rotations' }[kind];
    await fill();
    const explained = await db.execute(sql`explain (format json) ${dispatchStatement(kind, 500)}`);
    const plan = JSON.stringify(explained[0]?.['QUERY PLAN']);
    expect(plan).toContain(`"Index Name":"${table}_due"`);
    expect(plan).toContain(`"Index Name":"${table}_in_flight"`);
    expect(plan).not.toMatch(new RegExp(`"Node Type":"Seq Scan"[^{]*"Relation Name":"${table}"`));
  });

  /**
   * 20,000 of each kind, of which few are due and fewer in flight: what a large installation looks
   * like at any moment.
   */
  async function fill(): Promise<void> {
    const { db } = engine().stores.database;
    const [has] = await db.execute(sql`select count(*)::int as n from keyferry.connections`);
    if (Number(has?.n) > 10_000) return;
    await db.execute(sql`
      insert into keyferry.connections (org_id, name, method, account_id, next_due_at)
      select 'acme', 'c' || n, 'assume-role', lpad(n::text, 12, '0'),
        now() + make_interval(secs => n - 100)
      from generate_series(1, 20000) n`);
    await db.execute(
      sql`insert into keyferry.folders (org_id, project_id, environment, secret_path)
        values ('acme', 'p', 'e', '/')`,
    );
    await db.execute(sql`
      insert into keyferry.syncs (org_id, name, connection_id, folder_id, destination,
        destination_config, sync_options, next_due_at)
      select 'acme', 's' || c.name, c.id, f.id, 'aws-parameter-store', '{}', '{}', c.next_due_at
      from keyferry.connections c, keyferry.folders f where c.name like 'c%' and f.project_id = 'p'`);
    await db.execute(sql`
      insert into keyferry.rotations (org_id, name, connection_id, folder_id, user_name,
        secrets_mapping, rotation_interval_days,
        rotate_at_utc, grace, quiet_seconds, hold_seconds, next_due_at)
      select 'acme', 'r' || c.name, c.id, f.id, c.name, '{}', 30, '{}', '1 day', 1, 1, c.next_due_at
      from keyferry.connections c, keyferry.folders f where c.name like 'c%' and f.project_id = 'p'`);
    await db.execute(sql`analyze keyferry.connections, keyferry.syncs, keyferry.rotations,
      keyferry.folders`);
  }
});
