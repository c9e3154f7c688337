/**
 * What a program in another code base does to wake keyferry: `queue.add(name, { id })` with nothing
 * but BullMQ. Queues in Redis with REDIS_URL, else in PostgreSQL:
 * `node producer.mjs QUEUE NAME DATA`.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { createPostgresBackend, Queue, withBackend } from 'bullmq';

const [queueName, jobName, data] = process.argv.slice(2);
const { REDIS_URL, DATABASE_URL } = process.env;
const queue =
  REDIS_URL === undefined
    ? new (withBackend(createPostgresBackend).Queue)(queueName, {
        prefix: '{keyferry}',
        connection: { connectionString: DATABASE_URL },
      })
    : new Queue(queueName, { prefix: '{keyferry}', connection: { url: REDIS_URL } });
const job = await queue.add(jobName, JSON.parse(data));
// Until a worker has taken it, nothing but the queue knows of it.
while (['waiting', 'prioritized', 'delayed', 'active'].includes(await job.getState())) await sleep(50);
await queue.close();
