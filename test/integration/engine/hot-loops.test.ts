/**
 * A subject whose runs follow each other without getting anywhere is slowed, whatever makes it due.
 */
import { randomUUID } from 'node:crypto';

import { expect, it } from 'vitest';

import { addConnection, eventually, rowOf, runsOf, useEngine } from './support.ts';

const engine = useEngine();

/** Seconds from the last end of a run to the moment at which the connection is due again. */
async function slowedSeconds(id: string): Promise<number> {
  const [row, runs] = [await rowOf(engine().stores, id), await runsOf(engine().stores, id)];
  const endedAt = runs.at(-1)?.['finished_at'];
  return (Date.parse(String(row['next_due_at'])) - Date.parse(String(endedAt))) / 1_000;
}

it('slows a run that always continues at once, and still runs a new request', async () => {
  const { stores } = engine();
  const slowed: string[] = [];
  const worker = await engine().startWorker({
    perform: (run) => Promise.resolve({ status: 'continued', at: run.now() }),
    onHotLoop: (kind) => slowed.push(kind),
  });
  const { id } = await addConnection(stores, 'hot');
  await eventually(
    () => rowOf(stores, id),
    (row) => slowed.length === 1 && row['run_token'] === null,
    30_000,
  );
  expect(await runsOf(stores, id)).toHaveLength(21);
  expect(await slowedSeconds(id)).toBeGreaterThan(58);
  await stores.requests.open({ orgId: 'acme', kind: 'validate', subjectId: id, actor: 'ann', parameters: {} });
  // A new request is a change: the loop is found once more.
  await eventually(
    () => Promise.resolve(slowed),
    (seen) => seen.length === 2,
    30_000,
  );
  expect(await runsOf(stores, id)).toHaveLength(42);
  await worker.stop();
});

it('holds back what is wanted beyond the served revision', async () => {
  const { stores } = engine();
  const { id } = await addConnection(stores, 'ahead');
  await stores.work.dispatchDue('validate', 500);
  const runId = randomUUID();
  await stores.work.claim('validate', { subjectId: id, runId, jobId: undefined });
  const slowedUntil = new Date(Date.now() + 60_000);
  await stores.work.settle({
    kind: 'validate',
    subjectId: id,
    runId,
    outcome: { status: 'succeeded' },
    changes: {},
    servedRevision: 0,
    attempt: 0,
    nextDueAt: null,
    slowedUntil,
    requestIds: [],
    awsCalls: {},
  });
  expect(Date.parse(String((await rowOf(stores, id))['next_due_at']))).toBe(slowedUntil.getTime());
});
