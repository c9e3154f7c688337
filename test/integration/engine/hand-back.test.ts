/** A worker that must end while a job waits for PostgreSQL. */
import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';

import { JobError } from '../../../src/errors.ts';
import { addConnection, eventually, useEngine } from './support.ts';

const engine = useEngine();

it('hands the wish of another program back, and the next worker records it', async () => {
  const { stores, backend, startWorker } = engine();
  const { id: connectionId } = await addConnection(stores, 'aws');
  let asked = 0;
  const leaving = await startWorker({
    work: {
      recordWish() {
        asked += 1;
        return Promise.reject(new JobError('DB_CONTENDED'));
      },
    },
  });
  const queue = backend.queue('validate');
  const { id = '' } = await queue.add('validate', { connectionId });
  await eventually(
    () => Promise.resolve(asked),
    (times) => times > 0,
  );

  // Jobs under way are cancelled 3 s before the deadline.
  await leaving.stop(3_100);
  const job = await queue.getJob(id);
  expect(await job?.getState()).toBe('waiting');
  expect(job?.attemptsMade).toBe(0);

  await startWorker({});
  const wishes = () =>
    stores.database.db.execute(sql`
    select done_at from keyferry.requests where source_job_id = ${id} and done_at is not null`);
  expect(await eventually(wishes, (rows) => rows.length > 0)).toHaveLength(1);
});
