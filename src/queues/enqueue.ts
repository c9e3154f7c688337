/**
 * Adds dispatched subjects to their queue: automatic job ids, a deduplication id per subject, the
 * mark that the row is dispatched.
 */
import type { Queue } from 'bullmq';

import { defined } from '../domain/defined.ts';
import type { Reason } from '../domain/run.ts';
import { JobError } from '../errors.ts';
import { recordSpan } from '../observe/trace.ts';
import { type JobSubject, subjectFields } from './payload.ts';

export interface Enqueued {
  readonly id: string;
  readonly reason: Reason;
  readonly requestedBy: string | undefined;
  readonly traceparent: string | undefined;
  readonly isPatient: boolean;
}

/**
 * BullMQ takes jobs with a lower number first; what a person asked for goes before what the
 * schedule wants.
 */
const priorities: Readonly<Record<Reason, number>> = {
  requested: 1,
  created: 2,
  changed: 2,
  recovered: 3,
  scheduled: 10,
};

/** Jobs of other programs wait in numbers from here on. */
const CROWD = 50;

/**
 * A bulk is a pipeline, not a transaction: whatever was not added is found again when its dispatch
 * lease runs out. BullMQ takes every job without a priority before the first one with a priority,
 * and jobs of other programs have none: while many of them wait, dispatched jobs are put in front
 * of them, except those that these jobs may have asked for.
 */
export async function enqueue(queue: Queue, kind: JobSubject, subjects: readonly Enqueued[]): Promise<void> {
  if (subjects.length === 0) return;
  try {
    const isCrowded = (await queue.getJobCountByTypes('waiting')) >= CROWD;
    // In front means last in, first out: the first subject goes last.
    const ordered = isCrowded ? [...subjects].reverse() : subjects;
    await queue.addBulk(
      ordered.map((subject) =>
        isCrowded && !subject.isPatient
          ? toJob(kind, subject, { lifo: true, deduplicationId: `${kind}-${subject.id}-front` })
          : toJob(kind, subject, {
              priority: priorities[subject.reason],
              deduplicationId: toDeduplicationId(kind, subject),
            }),
      ),
    );
  } catch (cause) {
    throw new JobError('QUEUE_UNAVAILABLE', { cause });
  }
}

/** A request is not folded into the job of a schedule that waits further back. */
function toDeduplicationId(kind: JobSubject, { id, reason }: Enqueued): string {
  return reason === 'requested' ? `${kind}-${id}-requested` : `${kind}-${id}`;
}

type Place = { readonly deduplicationId: string } & ({ readonly lifo: true } | { readonly priority: number });

function toJob(kind: JobSubject, subject: Enqueued, { deduplicationId, ...place }: Place) {
  const { id, reason, requestedBy, traceparent } = subject;
  const carried = traceDispatch(kind, traceparent);
  return {
    name: kind,
    data: {
      [subjectFields[kind]]: id,
      dispatched: true,
      reason,
      ...defined({ requestedBy }),
    },
    // A run settles before its job ends: a wish that arrives in between must be kept, not swallowed
    // by the active job.
    opts: {
      deduplication: { id: deduplicationId, keepLastIfActive: true },
      ...place,
      ...(carried && { telemetry: { metadata: carried } }),
    },
  };
}

/**
 * What a BullMQ job carries of its trace, in the form of `bullmq-otel`; undefined when nobody
 * traces.
 */
function traceDispatch(kind: JobSubject, parent: string | undefined): string | undefined {
  const traceparent = recordSpan({ name: `dispatch ${kind}`, kind: 'producer', parent });
  return traceparent === null ? undefined : JSON.stringify({ traceparent });
}
