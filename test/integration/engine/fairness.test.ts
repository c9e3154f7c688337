/**
 * Whose turn it is: accounts share the queue, what somebody waits for goes first, and no producer's
 * flood delays anybody else.
 */
import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { enqueue } from '../../../src/queues/enqueue.ts';
import { createTick } from '../../../src/workers/engine/tick.ts';
import { startWatchdog } from '../../../src/workers/engine/watchdog.ts';
import { addConnection, eventually, rowOf, runsOf, useEngine } from './support.ts';

const engine = useEngine();
const execute = (statement: ReturnType<typeof sql>) => engine().stores.database.db.execute(statement);

beforeAll(async () => {
  await addConnection(engine().stores, 'template');
});
beforeEach(() => execute(sql`delete from keyferry.connections where name <> 'template'`));
afterAll(() => execute(sql`delete from keyferry.connections`));

/** Connections of one AWS account that a schedule made due a minute ago. */
async function addBacklog(accountId: string, count: number): Promise<void> {
  await execute(sql`update keyferry.connections set next_due_at = null where name = 'template'`);
  await execute(sql`
    insert into keyferry.connections (org_id, name, method, role_arn, external_id, account_id,
      next_due_at)
    select org_id, ${accountId} || '-' || n, method, role_arn, external_id, ${accountId},
      now() - interval '60 s' + n * interval '1 ms'
    from keyferry.connections, generate_series(1, ${count}) n where name = 'template'`);
  await execute(sql`analyze keyferry.connections`);
}

/** How many looks it takes, if every run ends before the next look. */
async function countLooks(id: string): Promise<number> {
  for (let looks = 1; looks < 20; looks += 1) {
    const { subjects } = await engine().stores.work.dispatchDue('validate', 500);
    if (subjects.some((subject) => subject.id === id)) return looks;
    for (const subject of subjects)
      await execute(sql`
        update keyferry.connections
        set dispatch_lease_until = null, next_due_at = now() + interval '1 hour'
        where id = ${subject.id}`);
  }
  throw new Error('It was not dispatched in 20 looks.');
}

test('backlogs of thousands hide no other account', async () => {
  await addBacklog('111111111111', 6_000);
  await addBacklog('222222222222', 3_000);
  const { id } = await addConnection(engine().stores, 'small');
  expect(await countLooks(id)).toBe(1);
});

test('what a person requests goes before the backlog of its account', async () => {
  await addBacklog('333333333333', 3_000);
  const { id } = await addConnection(engine().stores, 'asked');
  await execute(sql`
    update keyferry.connections set account_id = '333333333333', due_reason = 'requested'
    where id = ${id}`);
  expect(await countLooks(id)).toBe(1);
});

async function request(accountId: string, name: string): Promise<string> {
  const { id } = await addConnection(engine().stores, name);
  await execute(
    sql`update keyferry.connections set account_id = ${accountId}, due_reason = 'requested'
      where id = ${id}`,
  );
  return id;
}

const dispatchedIds = async () => {
  const { subjects } = await engine().stores.work.dispatchDue('validate', 500);
  return subjects.map((subject) => subject.id);
};

test('what a person requests passes rows of its account that only wait in the queue', async () => {
  await addBacklog('444444444444', 100);
  expect(await dispatchedIds()).toHaveLength(4);
  const id = await request('444444444444', 'asked');
  expect(await dispatchedIds()).toEqual([id]);
});

test('a full queue is filled again by whole batches, and at once with what a person requests', async () => {
  await addBacklog('777777777777', 2_700);
  await execute(sql`update keyferry.connections set account_id = null
    where account_id = '777777777777'`);
  const look = async () => (await engine().stores.work.dispatchDue('validate', 500)).subjects.length;
  const finish = (count: number) =>
    execute(sql`
      update keyferry.connections set dispatch_lease_until = null, next_due_at = null
      where id in (select id from keyferry.connections where dispatch_lease_until is not null
        limit ${count})`);
  expect([await look(), await look(), await look(), await look()]).toEqual([500, 500, 500, 500]);
  await finish(499);
  expect(await engine().stores.work.dispatchDue('validate', 500)).toMatchObject({ hasBacklog: true, subjects: [] });
  const id = await request('888888888888', 'asked');
  expect(await dispatchedIds()).toEqual([id]);
  await finish(2);
  expect(await look()).toBe(500);
});

test('a row that waits in the queue for its schedule is queued again in front when a person requests it', async () => {
  const { stores, backend } = engine();
  await addBacklog('666666666666', 4);
  const { subjects } = await stores.work.dispatchDue('validate', 500);
  await enqueue(backend.queue('validate'), 'validate', subjects);
  const last = subjects.at(-1)?.id ?? '';

  await stores.requests.open({ orgId: 'acme', kind: 'validate', subjectId: last, actor: 'ann', parameters: {} });
  const again = await stores.work.dispatchDue('validate', 500);
  await enqueue(backend.queue('validate'), 'validate', again.subjects);

  expect(again.subjects.map(({ id, reason }) => ({ id, reason }))).toEqual([{ id: last, reason: 'requested' }]);
  const [first] = await backend.queue('validate').getJobs(['prioritized'], 0, -1, true);
  expect(first?.data).toMatchObject({ connectionId: last, reason: 'requested' });
  await backend.queue('validate').obliterate({ force: true });
});

test('requests of one account fill no more than its window, and do not pass what runs', async () => {
  await addBacklog('555555555555', 100);
  const [first, second] = await dispatchedIds();
  for (const id of [first, second])
    await execute(sql`
      update keyferry.connections
      set run_token = gen_random_uuid(), run_lease_until = now() + interval '30 s'
      where id = ${id ?? ''}`);
  const asked: string[] = [];
  for (let n = 0; n < 5; n += 1) asked.push(await request('555555555555', `asked-${String(n)}`));

  expect(await dispatchedIds()).toEqual(asked.slice(0, 2));
  expect(await dispatchedIds()).toEqual([]);
});

test('no more is queued than workers take within a dispatch lease, except what is requested', async () => {
  await execute(sql`update keyferry.connections set next_due_at = null where name = 'template'`);
  await execute(sql`
    insert into keyferry.connections (org_id, name, method, role_arn, external_id, account_id,
      next_due_at)
    select org_id, 'many-' || n, method, role_arn, external_id, n::text, now()
    from keyferry.connections, generate_series(1, 3000) n
    where name = 'template'`);
  let queued = 0;
  for (let batch = 0; batch < 8; batch += 1)
    queued += (await engine().stores.work.dispatchDue('validate', 500)).subjects.length;
  expect(queued).toBe(2_000);
  expect(await engine().stores.work.dispatchDue('validate', 500)).toMatchObject({
    hasBacklog: true,
    isQueueFull: true,
  });
  const { id } = await addConnection(engine().stores, 'person');
  await execute(sql`update keyferry.connections set due_reason = 'requested' where id = ${id}`);
  expect((await engine().stores.work.dispatchDue('validate', 500)).subjects.map((one) => one.id)).toEqual([id]);
});

test('a long round that is answered is no dead database, and it ends', async () => {
  const ANSWER_MS = 60;
  const SILENT_MS = 1_000;
  let answers = 0;
  let deaf = 0;
  const log = pino({ level: 'silent' });
  const subject = { reason: 'scheduled' as const, requestedBy: undefined, traceparent: undefined, isPatient: false };
  const subjects = Array.from({ length: 500 }, () => ({ ...subject, id: crypto.randomUUID() }));
  const dispatchDue = async () => {
    await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
    answers += 1;
    return { hadGuard: true, hasBacklog: true, isQueueFull: false, subjects };
  };
  let rounds = 0;
  const queue = { addBulk: () => Promise.resolve([]), getJobCountByTypes: () => Promise.resolve(0) };
  const tick = createTick({
    work: { ...engine().stores.work, dispatchDue },
    kinds: ['validate'],
    queue: () => queue as never,
    log,
    random: () => 0.5,
    roundEnded: () => (rounds += 1),
  });
  const watchdog = startWatchdog({
    kinds: ['validate'],
    concurrency: { validate: 5, sync: 5, rotate: 5 },
    countWaiting: () => Promise.resolve(0),
    checkAfresh: () => Promise.resolve(),
    unansweredMs: tick.pendingMs,
    onDeaf: () => (deaf += 1),
    log,
    // Longer than one answer takes, shorter than a round.
    times: { silentMs: SILENT_MS, lookEveryMs: 10 },
  });
  tick.start();
  await eventually(
    () => Promise.resolve(rounds),
    (ended) => ended >= 1,
  );
  watchdog.stop();
  await tick.stop();
  expect({ deaf, isLong: answers * ANSWER_MS > SILENT_MS }).toEqual({ deaf: 0, isLong: true });
});

test('thousands of jobs of another program for one row are one request, and delay nobody else', async () => {
  const { stores, backend } = engine();
  const { id } = await addConnection(stores, 'flooded');
  const { id: other } = await addConnection(stores, 'other');
  await execute(sql`update keyferry.connections set next_due_at = null`);
  await execute(sql`update keyferry.requests set done_at = now()`);
  const jobs = Array.from({ length: 2_000 }, () => ({ name: 'validate', data: { connectionId: id } }));
  await backend.queue('validate').addBulk(jobs);
  const worker = await engine().startWorker({});
  await stores.requests.open({ orgId: 'acme', kind: 'validate', subjectId: other, actor: 'ann', parameters: {} });
  await eventually(
    () => runsOf(stores, other),
    (runs) => runs.some((run) => run.status === 'succeeded'),
  );
  expect(await backend.queue('validate').getJobCountByTypes('waiting')).toBeGreaterThan(0);
  await eventually(
    () => backend.queue('validate').getJobCountByTypes('waiting', 'active', 'prioritized'),
    (count) => count === 0,
    60_000,
  );
  await eventually(
    () => rowOf(stores, id),
    (row) => row.next_due_at === null && row.run_token === null,
  );
  await worker.stop();
  const requests = await execute(
    sql`select done_at from keyferry.requests where subject_id = ${id} and source_queue is not null`,
  );
  expect(requests.filter((one) => one['done_at'] === null)).toEqual([]);
  expect(requests).toHaveLength(1);
}, 90_000);
