/**
 * Pulls through the queue `sync`: those that a schedule or a person makes due, and jobs of other
 * programs, on both backends.
 */
import { randomUUID } from 'node:crypto';

import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { queueBackends } from '../../support/backends.ts';
import { useStage } from '../../support/use-stage.ts';
import { openHttpSource, type FakeSource } from './fake-sources.ts';
import { type PullWorker, type PullWorkerInput, startPullWorker } from './pull-worker.ts';
import { createSourceWorld, HOSTS, type SourceWorld } from './world.ts';

const SOON = { timeout: 20_000 };
const TOKEN = 'token-of-a-source';

describe.each(queueBackends)('pulls on $name', ({ redisUrl }) => {
  const stage = useStage();
  let fake: FakeSource;
  let world: SourceWorld;
  let worker: PullWorker;
  beforeEach(async () => {
    fake = await openHttpSource(TOKEN);
    world = await createSourceWorld(stage);
  });
  afterEach(async () => {
    await worker.backend.queue('sync').obliterate({ force: true });
    await worker.stop();
    await fake.server.close();
    await world.db.execute(sql`delete from keyferry.sources`);
  });

  const start = async (input: Partial<PullWorkerInput> = {}) => {
    const { folders, sources } = world;
    worker = await startPullWorker({
      databaseUrl: stage.databaseUrl,
      redisUrl,
      folders,
      sources,
      hosts: HOSTS,
      ...input,
    });
  };
  const setSource = () => world.set({ kind: 'http', url: `${fake.server.url}/x`, token: TOKEN });
  const add = (data: object) => worker.backend.queue('sync').add('pull', data);
  const ended = async (state: 'completed' | 'failed') =>
    (await worker.backend.queue('sync').getJobs([state])).map((job) => ({
      ...{ name: job.name, data: job.data as object, result: job.returnvalue as unknown, reason: job.failedReason },
    }));
  const isAnswered = (count: number) => expect.poll(async () => (await world.source()).answered, SOON).toBe(count);

  test('a worker reads what is due, and what becomes due while it runs, each with a job', async () => {
    fake.values = { A: 'a' };
    await setSource();
    await start();
    await isAnswered(1);
    expect(await world.values()).toEqual({ A: 'a' });
    fake.values = { A: 'b' };
    await world.sources.ask(world.folder, null);
    worker.puller.wake();
    await isAnswered(2);
    expect(await world.values()).toEqual({ A: 'b' });
    await expect.poll(() => ended('completed'), SOON).toHaveLength(2);
    const [job] = await ended('completed');
    expect(job).toMatchObject({
      name: 'pull',
      data: { folderId: world.folder.id, dispatched: true, reason: 'requested' },
      result: { status: 'succeeded', runId: expect.any(String) as unknown },
    });
    const [run] = await world.db.execute(sql`select job_id from keyferry.runs where kind = 'pull'
      limit 1`);
    expect(run?.['job_id']).toEqual(expect.any(String));
    expect(worker.reports).toMatchObject([{ runKind: 'pull', status: 'succeeded' }, { status: 'succeeded' }]);
  });

  test('a source that is not read fails its job with the reason, and is due later', async () => {
    fake.faults = ['denied'];
    await setSource();
    await start();
    await expect.poll(() => ended('failed'), SOON).toHaveLength(1);
    expect((await ended('failed'))[0]?.reason).toMatch(/^SOURCE_DENIED: /);
    const { failures, nextDueAt } = await world.source();
    expect(failures).toBe(1);
    expect(nextDueAt.getTime()).toBeGreaterThan(Date.now() + 5_000);
  });

  test('jobs of other programs become one request, which the next pull answers', async () => {
    fake.values = { A: 'a' };
    await setSource();
    await start();
    await isAnswered(1);
    fake.values = { A: 'b' };
    await worker.puller.stop();
    // One after the other, so that the first asks first.
    for (const [at, requestedBy] of ['ann', 'bob', 'cid'].entries()) {
      await add({ folderId: world.folder.id, requestedBy });
      await expect.poll(() => ended('completed'), SOON).toHaveLength(at + 2);
    }
    const results = (await ended('completed')).flatMap(({ result }) =>
      typeof result === 'object' && result !== null && 'requestId' in result ? [result.requestId] : [],
    );
    expect([results.length, new Set(results).size]).toEqual([3, 1]);
    await worker.stop();
    await start();
    await isAnswered(2);
    expect(await world.values()).toEqual({ A: 'b' });
    const [request] = await world.db.execute(sql`
      select q.status, q.kind, r.kind as run_kind, r.requested_by
      from keyferry.requests q join keyferry.runs r on r.id = q.run_id
      where q.id = ${String(results[0])}`);
    expect(request).toMatchObject({ status: 'answered', kind: 'pull', run_kind: 'pull', requested_by: 'ann' });
  });

  test('a job that comes during a pull is answered by the next one', async () => {
    fake.values = { A: 'a' };
    await setSource();
    const lease = await world.claim();
    await start();
    await worker.puller.stop();
    await add({ folderId: world.folder.id });
    await expect.poll(() => ended('completed'), SOON).toHaveLength(1);
    if (lease) await world.newPull()(lease);
    const open = async () => {
      const rows = await world.db.execute(sql`
        select 1 from keyferry.requests where subject_id = ${world.folder.id} and done_at is null`);
      return rows.length;
    };
    expect(await open()).toBe(1);
    await worker.stop();
    await start();
    await isAnswered(2);
    expect(await open()).toBe(0);
  });

  test.each([
    [{ folderId: randomUUID() }, 'There is no folder with a source with the id'],
    [{ folderId: 'x' }, 'folderId must be a UUID'],
    [{ syncId: randomUUID() }, 'folderId is missing'],
    [{ folderId: randomUUID(), extra: 1 }, 'extra is not a known field'],
  ])('a job %j fails at once', async (data, reason) => {
    await start();
    await add(data);
    await expect.poll(() => ended('failed'), SOON).toHaveLength(1);
    expect((await ended('failed'))[0]?.reason).toContain(reason);
  });

  test('a worker that is killed in a pull delays it by its lease, and nothing is read twice at once', async () => {
    fake.values = { A: 'a' };
    await setSource();
    const dead = await world.claim();
    expect(dead).toBeDefined();
    await start({ everyMs: 100 });
    await add({ folderId: world.folder.id, dispatched: true });
    await expect.poll(() => ended('completed'), SOON).toMatchObject([{ result: { status: 'stale' } }]);
    expect(fake.server.requests).toEqual([]);
    await world.assign(sql`lease_until = now() - interval '1 second'`);
    await isAnswered(1);
    expect(await world.values()).toEqual({ A: 'a' });
  });

  test('a job that was lost with its queue is queued again when its dispatch lease ends', async () => {
    fake.values = { A: 'a' };
    await setSource();
    expect(await world.sources.dispatch(8)).toHaveLength(1);
    await start({ everyMs: 100 });
    expect(await world.sources.dispatch(8)).toEqual([]);
    await world.assign(sql`lease_until = now() - interval '1 second'`);
    await isAnswered(1);
  });

  test('a guarded worker queues and reads nothing', async () => {
    await setSource();
    await start({ isGuarded: () => true });
    await add({ folderId: world.folder.id, dispatched: true });
    await expect.poll(() => ended('completed'), SOON).toMatchObject([{ result: { status: 'stale' } }]);
    expect(fake.server.requests).toEqual([]);
    expect(await world.sources.dispatch(8)).toHaveLength(1);
  });

  test('an org has at most four sources in the queue, and leaves room for another org', async () => {
    await setSource();
    await start({ isGuarded: () => true });
    const insert = (orgId: string) =>
      world.db.execute(sql`
        with made as (
          insert into keyferry.folders (org_id, project_id, environment, secret_path)
          select ${orgId}, 'p', 'e', '/' || n from generate_series(1, 9) n returning id, org_id
        )
        insert into keyferry.sources (folder_id, org_id, kind, config, target, every_seconds,
          next_due_at)
        select id, org_id, 'http', '{}', 'none', 300, now() - interval '1 hour' from made`);
    await insert(`large-${randomUUID()}`);
    expect(await world.sources.dispatch(100)).toHaveLength(4 + 1);
    expect(await world.sources.dispatch(100)).toEqual([]);
    await insert(`other-${randomUUID()}`);
    expect(await world.sources.dispatch(100)).toHaveLength(4);
  });
});
