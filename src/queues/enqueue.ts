/** Adds dispatched subjects to their queue: automatic job ids, a deduplication id per subject, the mark that the row is dispatched. */
import type { Queue } from 'bullmq';

import type { Kind, Reason } from '../domain/run.ts';
import { JobError } from '../errors.ts';
import { recordSpan } from '../trace.ts';
import { subjectFields } from './payload.ts';

export interface Enqueued {
  readonly id: string;
  readonly reason: Reason;
  readonly requestedBy: string | undefined;
  readonly traceparent: string | undefined;
}

/** BullMQ takes jobs with a lower number first; what a person asked for goes before what the schedule wants. */
const priorities: Readonly<Record<Reason, number>> = {
  requested: 1,
  created: 2,
  changed: 2,
  recovered: 3,
  scheduled: 10,
};

/** A bulk is a pipeline, not a transaction: whatever was not added is found again when its dispatch lease runs out. */
export async function enqueue(queue: Queue, kind: Kind, subjects: readonly Enqueued[]): Promise<void> {
  if (subjects.length === 0) return;
  try {
    await queue.addBulk(subjects.map((subject) => toJob(kind, subject)));
  } catch (cause) {
    throw new JobError('QUEUE_UNAVAILABLE', { cause });
  }
}

function toJob(kind: Kind, { id, reason, requestedBy, traceparent }: Enqueued) {
  const carried = traceDispatch(kind, traceparent);
  return {
    name: kind,
    data: {
      [subjectFields[kind]]: id,
      dispatched: true,
      reason,
      ...(requestedBy === undefined ? {} : { requestedBy }),
    },
    // A run settles before its job ends: a wish that arrives in between must be kept, not swallowed by the active job.
    opts: {
      deduplication: { id: `${kind}-${id}`, keepLastIfActive: true },
      priority: priorities[reason],
      ...(carried && { telemetry: { metadata: carried } }),
    },
  };
}

/** What a BullMQ job carries of its trace, in the form of `bullmq-otel`; undefined when nobody traces. */
function traceDispatch(kind: Kind, parent: string | undefined): string | undefined {
  const traceparent = recordSpan({ name: `dispatch ${kind}`, kind: 'producer', parent });
  return traceparent === null ? undefined : JSON.stringify({ traceparent });
}
