/** What somebody asked for: input, requests and the queue. */
import { type ErrorEntry, entry } from './entry.ts';

export const requestErrors = {
  PAYLOAD_INVALID: entry(
    'fail',
    'The input is not valid.',
    'A field of a job, a request or a command is missing, unknown or malformed.',
    'Correct the field that the message names and send it again.',
  ),
  PAYLOAD_DECLINED: entry(
    'fail',
    'Nothing was done.',
    'A command that takes something away asks on a terminal, and the answer was not yes.',
    'Answer y, or give --yes.',
  ),
  PAYLOAD_STALE: entry(
    'fail',
    'The object was changed in the meantime.',
    'The change was based on a version that is no longer current.',
    'Read the object again and repeat the change.',
  ),
  PAYLOAD_REQUEST_MISSING: entry(
    'fail',
    'There is no open request for this destructive job.',
    'import, remove and emergency jobs only name a request that the library, the CLI or the API recorded.',
    'Start it with the CLI, the API or the library instead of adding the job to the queue.',
  ),
  QUEUE_TIMEOUT: entry(
    'fail',
    'The result did not come in time.',
    'Waiting for a run took longer than the time limit of the command or request. The run continues.',
    'Look at `keyferry runs list`, or wait longer with a larger `timeout`.',
  ),
  QUEUE_REQUEST_CANCELLED: entry(
    'fail',
    'The request was cancelled before a run answered it.',
    'Somebody cancelled what was asked for, or the object was deleted.',
    'Ask for it again if it is still wanted.',
  ),
  QUEUE_UNAVAILABLE: entry(
    'snooze',
    'The queue cannot be reached.',
    'Redis, or PostgreSQL as the queue, does not respond.',
    'Check REDIS_URL and that the server is running. Requests are kept in PostgreSQL and run when the queue is back.',
  ),
} as const satisfies Record<string, ErrorEntry>;
