import { randomUUID } from 'node:crypto';

import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { DUE_CHANNEL } from '../../../src/db/engine/subjects.ts';
import { JobError } from '../../../src/errors.ts';
import { QUEUE_PREFIX } from '../../../src/queues/backend.ts';
import { waitForAnswer } from '../../../src/client/waiting.ts';
import { queueBackends } from '../../support/backends.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { addConnection, eventually, openEngine, rowOf, runsOf, type Engine } from './support.ts';

describe.each(queueBackends)('the engine on $name', ({ redisUrl }) => {
  let database: TestDatabase;
  let engine: Engine;

  beforeAll(async () => {
    if (redisUrl) {
      const redis = new Redis(redisUrl);
      await redis.flushdb();
      redis.disconnect();
    }
    database = await createTestDatabase();
    engine = await openEngine(database.url, redisUrl);
  });
  afterAll(async () => {
    await engine.close();
    await database.drop();
  });

  const failedJob = (reason: RegExp) =>
    eventually(
      async () => (await engine.backend.queue('validate').getFailed()).map((job) => job.failedReason),
      (reasons) => reasons.some((one) => reason.test(one)),
    );

  it('runs a created connection once, for the wish and the request together', async () => {
    const worker = await engine.startWorker({});
    const { id, requestId } = await addConnection(engine.stores, 'created');
    const run = await waitForAnswer(engine.stores.requests, requestId);
    expect(run).toMatchObject({
      status: 'succeeded',
      reason: 'created',
      requestedBy: 'test',
      attempt: 1,
      kind: 'validate',
    });
    const row = await rowOf(engine.stores, id);
    expect(row).toMatchObject({
      run_token: null,
      run_lease_until: null,
      dispatch_lease_until: null,
      next_due_at: null,
      attempt: 0,
    });
    expect(row.done_revision).toBe(row.wanted_revision);
    expect(await runsOf(engine.stores, id)).toHaveLength(1);
    await worker.stop();
  });

  it('retries from PostgreSQL and shows each attempt as a failed job with its clean reason', async () => {
    let attempts = 0;
    const worker = await engine.startWorker({
      perform: async () => {
        attempts += 1;
        if (attempts < 3)
          throw new JobError('AWS_UNREACHABLE', {
            message: `no answer ${attempts}`,
            cause: new Error('planted-secret'),
          });
        return { status: 'succeeded' };
      },
    });
    const { id, requestId } = await addConnection(engine.stores, 'retried');
    await eventually(
      () => runsOf(engine.stores, id),
      (runs) => runs.some((run) => run.status === 'failed'),
    );
    // The backoff is seconds; the test moves the due time instead of waiting.
    for (let round = 0; round < 2; round += 1) {
      await eventually(
        () => rowOf(engine.stores, id),
        (row) => row.run_token === null && Number(row.attempt) === round + 1,
      );
      await engine.stores.database.db.execute(
        sql`update keyferry.connections set next_due_at = now() where id = ${id}`,
      );
      await engine.stores.database.db.execute(sql`select pg_notify(${DUE_CHANNEL}, 'validate')`);
    }
    expect((await waitForAnswer(engine.stores.requests, requestId)).attempt).toBe(3);
    expect((await runsOf(engine.stores, id)).map((run) => [run.status, run.error_code])).toEqual([
      ['failed', 'AWS_UNREACHABLE'],
      ['failed', 'AWS_UNREACHABLE'],
      ['succeeded', null],
    ]);
    const jobs = await engine.backend.queue('validate').getFailed();
    expect(jobs.map((job) => job.failedReason)).toEqual(
      expect.arrayContaining(['AWS_UNREACHABLE: no answer 1', 'AWS_UNREACHABLE: no answer 2']),
    );
    expect(JSON.stringify(jobs.map((job) => job.toJSON()))).not.toContain('planted-secret');
    await worker.stop();
  });

  it('stops at a permanent error and keeps it as the run’s reason', async () => {
    const worker = await engine.startWorker({
      perform: async () => {
        throw new JobError('CONNECTION_SECRET_WRONG');
      },
    });
    const { id, requestId } = await addConnection(engine.stores, 'permanent');
    const run = await waitForAnswer(engine.stores.requests, requestId);
    expect(run).toMatchObject({ status: 'failed', errorCode: 'CONNECTION_SECRET_WRONG', attempt: 1 });
    expect(await rowOf(engine.stores, id)).toMatchObject({ next_due_at: null, attempt: 0 });
    await worker.stop();
  });

  it('runs again when it is wished for while it runs', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const worker = await engine.startWorker({
      perform: async () => {
        await gate;
        return { status: 'succeeded' };
      },
    });
    const { id } = await addConnection(engine.stores, 'woken');
    await eventually(
      () => runsOf(engine.stores, id),
      (runs) => runs.length === 1,
    );
    const second = await engine.stores.requests.open({
      orgId: 'acme',
      kind: 'validate',
      subjectId: id,
      actor: 'someone',
    });
    release();
    expect(await waitForAnswer(engine.stores.requests, second)).toMatchObject({
      requestedBy: 'someone',
      status: 'succeeded',
    });
    expect(await runsOf(engine.stores, id)).toHaveLength(2);
    await worker.stop();
  });

  it('records the job of another program as a request, and dispatches it like all others', async () => {
    const worker = await engine.startWorker({});
    const { id, requestId } = await addConnection(engine.stores, 'outside');
    await waitForAnswer(engine.stores.requests, requestId);
    const job = await engine.backend
      .queue('validate')
      .add('validate', { connectionId: id, requestedBy: 'upstream', reason: 'changed' });
    await eventually(
      () => runsOf(engine.stores, id),
      (runs) => runs.length === 2 && runs[1]?.status === 'succeeded',
    );
    expect((await runsOf(engine.stores, id))[1]).toMatchObject({
      requested_by: 'upstream',
      reason: 'changed',
    });
    const done = await eventually(
      () => engine.backend.queue('validate').getJob(String(job.id)),
      (one) => one?.returnvalue !== null,
    );
    const [request] = await engine.stores.database.db.execute(
      sql`select id, done_at from keyferry.requests where source_job_id = ${String(job.id)}`,
    );
    expect(done?.returnvalue).toEqual({ requestId: request?.['id'] });
    expect(request?.['done_at']).not.toBeNull();
    // The same delivery again starts nothing.
    const source = { queue: 'validate', jobId: String(job.id), timestamp: job.timestamp };
    await engine.stores.work.recordWish({
      kind: 'validate',
      requestKind: 'validate',
      subjectId: id,
      actor: undefined,
      reason: 'requested',
      source,
    });
    expect(await rowOf(engine.stores, id)).toMatchObject({ next_due_at: null, dispatch_lease_until: null });
    await worker.stop();
  });

  it('fails malformed jobs at once, naming the field', async () => {
    const worker = await engine.startWorker({});
    const queue = engine.backend.queue('validate');
    await queue.add('validate', { connectionId: 'no-uuid' });
    await failedJob(/^PAYLOAD_INVALID: .*connectionId/);
    await queue.add('validate', { connectionId: randomUUID(), secret: 'x' });
    await failedJob(/secret is not a known field/);
    const unknown = randomUUID();
    await queue.add('validate', { connectionId: unknown });
    await failedJob(new RegExp(`There is no connection with the id ${unknown}`));
    await queue.add('explode', { connectionId: unknown });
    await failedJob(/job name "explode" is unknown/);
    await worker.stop();
  });

  it('refuses a destructive job that no request stands behind', async () => {
    const worker = await engine.startWorker({});
    await engine.backend.queue('sync').add('remove', { syncId: randomUUID(), requestId: randomUUID() });
    await eventually(
      async () => (await engine.backend.queue('sync').getFailed()).map((job) => job.failedReason),
      (reasons) => reasons.some((reason) => reason.startsWith('PAYLOAD_REQUEST_MISSING')),
    );
    await worker.stop();
  });

  it('finds what is due again when the queue was emptied', async () => {
    const { id, requestId } = await addConnection(engine.stores, 'emptied');
    const dispatch = await engine.stores.work.dispatchDue('validate', 10);
    expect(dispatch.subjects.map((subject) => subject.id)).toContain(id);
    // The dispatch never reached the queue; its lease runs out.
    await engine.stores.database.db.execute(
      sql`update keyferry.connections set dispatch_lease_until = now() - interval '1 second'
        where id = ${id}`,
    );
    const worker = await engine.startWorker({});
    expect((await waitForAnswer(engine.stores.requests, requestId)).status).toBe('succeeded');
    await worker.stop();
  });

  it('refuses every write of a run whose lease was taken over, and closes that run as abandoned', async () => {
    const { id } = await addConnection(engine.stores, 'fenced');
    const { work } = engine.stores;
    await work.dispatchDue('validate', 10);
    const first = await work.claim('validate', { subjectId: id, runId: randomUUID(), jobId: '1' });
    await engine.stores.database.db.execute(
      sql`update keyferry.connections
        set run_lease_until = now() - interval '1 second', dispatch_lease_until = now()
        where id = ${id}`,
    );
    const second = await work.claim('validate', { subjectId: id, runId: randomUUID(), jobId: '2' });
    expect(await work.renew('validate', id, first?.runId ?? '')).toBeUndefined();
    const settlement = {
      kind: 'validate' as const,
      subjectId: id,
      outcome: { status: 'succeeded' as const },
      changes: { status: 'valid' as const },
      servedRevision: 1,
      attempt: 0,
      nextDueAt: null,
      requestIds: [],
      awsCalls: {},
    };
    expect(await work.settle({ ...settlement, runId: first?.runId ?? '' })).toBe(false);
    expect(await rowOf(engine.stores, id)).toMatchObject({ status: 'pending', run_token: second?.runId });
    expect(await work.settle({ ...settlement, runId: second?.runId ?? '' })).toBe(true);
    expect((await runsOf(engine.stores, id)).map((run) => run.status)).toEqual(['abandoned', 'succeeded']);
  });

  it('counts a lease that was lost, and no failure of a run', async () => {
    const lost: string[] = [];
    const worker = await engine.startWorker({
      async perform({ subject }) {
        if (subject.name === 'refused-once') return { status: 'failed', code: 'AWS_REJECTED', message: 'no' };
        if (subject.name === 'lost')
          await engine.stores.database.db.execute(
            sql`update keyferry.connections set run_token = ${randomUUID()}
              where id = ${subject.id}`,
          );
        return { status: 'succeeded' };
      },
      onLeaseLost: (kind) => lost.push(kind),
    });
    await addConnection(engine.stores, 'refused-once');
    await failedJob(/^AWS_REJECTED: no/);
    expect(lost).toEqual([]);
    await addConnection(engine.stores, 'lost');
    await failedJob(/^LEASE_LOST: /);
    await eventually(
      () => Promise.resolve(lost),
      (kinds) => kinds.length > 0,
    );
    await worker.stop();
  });

  it('lets a run settle as continued when the worker stops, without spending an attempt', async () => {
    let isRunning = false;
    const worker = await engine.startWorker({
      perform: async (run) => {
        isRunning = true;
        for (;;) {
          await run.scope.beforeMutation();
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      },
    });
    const { id } = await addConnection(engine.stores, 'stopped');
    await eventually(() => Promise.resolve(isRunning), Boolean);
    await worker.stop();
    expect(await runsOf(engine.stores, id)).toMatchObject([{ status: 'continued' }]);
    expect(await rowOf(engine.stores, id)).toMatchObject({ attempt: 0, run_token: null });
    await engine.stores.database.db.execute(sql`delete from keyferry.connections where id = ${id}`);
  });

  it('runs a failed job that a person retries in Bull Board', async () => {
    let fails = true;
    const worker = await engine.startWorker({
      perform: async () =>
        fails ? { status: 'failed', code: 'CONNECTION_ACCESS_DENIED', message: 'refused' } : { status: 'succeeded' },
    });
    const { id, requestId } = await addConnection(engine.stores, 'board-retry');
    await waitForAnswer(engine.stores.requests, requestId);
    const find = async () =>
      (await engine.backend.queue('validate').getFailed()).find((job) => job.data.connectionId === id);
    const job = await eventually(find, (found) => found !== undefined);
    fails = false;
    await job?.retry();
    await eventually(
      () => runsOf(engine.stores, id),
      (runs) => runs.length === 2 && runs[1]?.status === 'succeeded',
    );
    await worker.stop();
  });

  it('keeps to a window per account, so that a large tenant leaves room for a small one', async () => {
    const { stores } = engine;
    await stores.database.db.execute(sql`delete from keyferry.connections`);
    await stores.database.db.execute(sql`
      insert into keyferry.connections (org_id, name, method, account_id, next_due_at)
      select 'acme', 'big-' || n, 'assume-role', '444455556666', now() - interval '1 hour'
      from generate_series(1, 50) n
      union all select 'acme', 'small', 'assume-role', '777788889999', now()`);
    const dispatch = await stores.work.dispatchDue('validate', 500);
    expect(dispatch.subjects).toHaveLength(5);
    expect(dispatch.hasBacklog).toBe(true);
    expect((await stores.work.dispatchDue('validate', 500)).subjects).toHaveLength(0);
    await stores.database.db.execute(sql`delete from keyferry.connections`);
  });
});

describe.each(queueBackends.filter((backend) => backend.redisUrl !== undefined))(
  'an upstream producer on $name',
  ({ redisUrl }) => {
    it('reaches the worker with a plain BullMQ queue and the documented prefix', async () => {
      const database = await createTestDatabase();
      const engine = await openEngine(database.url, redisUrl);
      const worker = await engine.startWorker({});
      const { id, requestId } = await addConnection(engine.stores, 'plain');
      await waitForAnswer(engine.stores.requests, requestId);
      const queue = new Queue('validate', { prefix: QUEUE_PREFIX, connection: { url: redisUrl ?? '' } });
      await queue.add('validate', { connectionId: id });
      await eventually(
        () => runsOf(engine.stores, id),
        (runs) => runs.length === 2 && runs[1]?.status === 'succeeded',
      );
      await queue.close();
      await worker.stop();
      await engine.close();
      await database.drop();
    });
  },
);
