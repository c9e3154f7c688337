/**
 * The AWS calls of a run are stored while it is under way, so that its death does not hide them.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';

import type { RunCalls, StoredCalls } from '../../../src/db/engine/run-calls.ts';
import { createCallCounts, type CallCounts } from '../../../src/workers/engine/call-counts.ts';
import type { Kind } from '../../../src/domain/run.ts';
import type { Run } from '../../../src/workers/engine/processor.ts';
import { deferred } from '../../support/deferred.ts';
import { addConnection, eventually, runsOf, useEngine } from './support.ts';

const engine = useEngine();
const callsOf = async (id: string) =>
  (await runsOf(engine().stores, id)).map((run) => [run['status'], run['aws_calls']]);

const untilFirst = (id: string, expected: readonly unknown[]) =>
  eventually(
    () => callsOf(id),
    ([first]) => isDeepStrictEqual(first, expected),
  );

/** A run that waits to be released; until then a test makes its calls. */
function heldRun() {
  const [run, end] = [deferred<Run<Kind>>(), deferred<undefined>()];
  return {
    started: run.promise,
    release: () => {
      end.resolve(undefined);
    },
    async perform(started: Run<Kind>) {
      run.resolve(started);
      await end.promise;
      return { status: 'succeeded' } as const;
    },
  };
}

it('shows the calls of a run that is under way, and those of its settlement afterwards', async () => {
  const held = heldRun();
  const worker = await engine().startWorker(held);
  const { id } = await addConnection(engine().stores, 'under way');
  const run = await held.started;
  run.scope.calls.record('sts.AssumeRole');
  await untilFirst(id, ['running', { 'sts.AssumeRole': 1 }]);
  run.scope.calls.record('ssm.PutParameter');
  held.release();
  await untilFirst(id, ['succeeded', { 'ssm.PutParameter': 1, 'sts.AssumeRole': 1 }]);
  await worker.stop();
});

it('shows what a run has found out so far, and its own result afterwards', async () => {
  const held = heldRun();
  const worker = await engine().startWorker(held);
  const { id } = await addConnection(engine().stores, 'finding out');
  const run = await held.started;
  const resultOf = async () => (await runsOf(engine().stores, id)).map(({ status, result }) => [status, result]);
  const found = { checks: [{ name: 'identity', verdict: 'pass' }] };
  run.noteResult(found);
  await eventually(resultOf, ([first]) => isDeepStrictEqual(first, ['running', found]));
  held.release();
  await eventually(resultOf, ([first]) => isDeepStrictEqual(first, ['succeeded', null]));
  await worker.stop();
});

it('keeps the calls of a run whose lease ran out, also those that it makes until it notices', async () => {
  const held = heldRun();
  const worker = await engine().startWorker(held);
  const { id } = await addConnection(engine().stores, 'taken over');
  const run = await held.started;
  run.scope.calls.record('sts.AssumeRole');
  await untilFirst(id, ['running', { 'sts.AssumeRole': 1 }]);
  const { work, database } = engine().stores;
  await database.db.execute(sql`
    update keyferry.connections
    set run_lease_until = now() - interval '1 second', dispatch_lease_until = now()
    where id = ${id}`);
  expect(await work.claim('validate', { subjectId: id, runId: randomUUID(), jobId: undefined })).toBeDefined();
  expect(await callsOf(id)).toContainEqual(['abandoned', { 'sts.AssumeRole': 1 }]);
  run.scope.calls.record('sts.AssumeRole');
  held.release();
  await untilFirst(id, ['abandoned', { 'sts.AssumeRole': 2 }]);
  await worker.stop();
});

/** Counts whose statement a test answers itself. */
function scripted(answer: (given: readonly RunCalls[]) => Promise<Partial<StoredCalls>>) {
  const stored: RunCalls[][] = [];
  const counts = createCallCounts({
    everyMs: 1,
    store(given) {
      stored.push(given.map(({ runId, awsCalls }) => ({ runId, awsCalls: { ...awsCalls } })));
      return answer(given).then((stored) => ({ passedOver: [], cancelled: [], awaited: [], ...stored }));
    },
  });
  return { counts, stored };
}

const record = (counts: CallCounts, runId: string) => {
  counts.open(runId).calls.record('ssm.PutParameter');
};

it('makes no statement for runs that settle soon, and one for all that do not', async () => {
  const { counts, stored } = scripted(() => Promise.resolve({}));
  record(counts, 'quick');
  record(counts, 'slow');
  record(counts, 'slower');
  counts.settled('quick');
  await eventually(
    () => Promise.resolve(stored),
    (all) => all.length > 0,
  );
  await counts.close();
  expect(stored).toEqual([
    [
      { runId: 'slow', awsCalls: { 'ssm.PutParameter': 1 } },
      { runId: 'slower', awsCalls: { 'ssm.PutParameter': 1 } },
    ],
  ]);
});

it('stores again what was passed over or failed, also after the end of the run', async () => {
  const answers: (Partial<StoredCalls> | undefined)[] = [{ passedOver: ['locked'] }, undefined, {}];
  const { counts, stored } = scripted(() => {
    const answer = answers.shift();
    return answer ? Promise.resolve(answer) : Promise.reject(new Error('The database does not answer.'));
  });
  record(counts, 'locked');
  counts.ended('locked');
  await eventually(
    () => Promise.resolve(stored),
    (all) => all.length === 3,
  );
  await counts.close();
  expect(stored.map((given) => given.map(({ runId }) => runId))).toEqual([['locked'], ['locked'], ['locked']]);
});

it('passes over a locked row without waiting, and leaves a settled run alone', async () => {
  const { stores } = engine();
  const [locked, settled] = [randomUUID(), randomUUID()];
  await stores.database.db.execute(sql`
    insert into keyferry.runs (id, kind, subject_id, org_id, attempt, reason, status, aws_calls)
    values (${locked}, 'sync', ${randomUUID()}, 'acme', 1, 'requested', 'running', null),
      (${settled}, 'sync', ${randomUUID()}, 'acme', 1, 'requested', 'succeeded',
        '{"ssm.PutParameter": 2}')`);
  const given = [locked, settled].map((runId) => ({ runId, awsCalls: { 'ssm.PutParameter': 1 } }));
  await stores.database.db.transaction(async (other) => {
    await other.execute(sql`select from keyferry.runs where id = ${locked} for update`);
    expect(await stores.work.storeCalls(given)).toMatchObject({ passedOver: [locked], cancelled: [] });
  });
  expect(await stores.work.storeCalls(given)).toMatchObject({ passedOver: [], cancelled: [] });
  const rows = await stores.database.db.execute(sql`
    select status, aws_calls from keyferry.runs where id in (${locked}, ${settled}) order by status`);
  expect(rows.map(({ aws_calls }) => aws_calls)).toEqual([{ 'ssm.PutParameter': 1 }, { 'ssm.PutParameter': 2 }]);
});

it('a run learns whether somebody waits for its place, and when nobody does any more', async () => {
  const answers = [{}, { awaited: ['long'] }, {}];
  const { counts } = scripted(() => Promise.resolve(answers.shift() ?? {}));
  const run = counts.open('long');
  const seen: boolean[] = [];
  while (answers.length > 0) {
    const before = answers.length;
    run.calls.record('ssm.PutParameter');
    await eventually(
      () => Promise.resolve(answers.length),
      (left) => left < before,
    );
    await new Promise(setImmediate);
    seen.push(run.isAwaited());
  }
  await counts.close();
  expect(seen).toEqual([false, true, false]);
});
