/**
 * What a program in another code base does to wake keyferry: `queue.add(name, { id })` with nothing but BullMQ. Queues in Redis with REDIS_URL, else in
 * PostgreSQL: `node producer.mjs QUEUE NAME DATA`.
 */
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
await queue.add(jobName, JSON.parse(data));
await queue.close();
