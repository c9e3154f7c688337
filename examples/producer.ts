/** Any program with BullMQ can ask for a sync: the job names it, and ends when the wish is recorded. Needs no other part of keyferry. */
import { Queue, QueueEvents } from 'bullmq';

const { REDIS_URL = '', SYNC_ID = '' } = process.env;
const options = { prefix: '{keyferry}', connection: { url: REDIS_URL } };
const queue = new Queue('sync', options);
// From the first event that is kept: by default BullMQ begins to listen a moment after it says that
// it is ready, and a job that ended in that moment would be waited for until time is up.
const events = new QueueEvents('sync', { ...options, lastEventId: '0-0' });
await events.waitUntilReady();

const job = await queue.add('sync', { syncId: SYNC_ID, requestedBy: 'deploy pipeline' });
const { requestId } = (await job.waitUntilFinished(events, 30_000)) as { requestId: string };
console.log(`recorded as request ${requestId}`);
await Promise.all([queue.close(), events.close()]);
