/**
 * What a job carries: ids, never a value, a credential or a row. Parsed where it is added and where
 * it is taken; unknown fields, names and bad ids are errors that name the field and are not
 * retried.
 */
import { z } from 'zod';

import { problemsOf } from '../domain/problem-words.ts';
import { reasons, type Kind } from '../domain/run.ts';
import { requireStorable } from '../domain/storable-text.ts';
import { cutText } from '../domain/text.ts';
import { JobError } from '../errors.ts';

const common = {
  requestedBy: z.string().max(256).optional(),
  reason: z.enum(reasons).optional(),
  /** keyferry's own mark: the job's subject was dispatched in PostgreSQL. */
  dispatched: z.literal(true).optional(),
};

const fieldsOf = {
  validate: { connectionId: z.uuid(), ...common },
  sync: { syncId: z.uuid(), requestId: z.uuid().optional(), ...common },
  rotate: { rotationId: z.uuid(), requestId: z.uuid().optional(), ...common },
  pull: { folderId: z.uuid(), ...common },
} as const;

/**
 * What a job is about: a `pull`, which comes through the queue `sync`, is about the source of a
 * folder.
 */
export type JobSubject = Kind | 'pull';

const subjectOf = (kind: Kind, name: string): JobSubject => (kind === 'sync' && name === 'pull' ? 'pull' : kind);

/** Of other programs: every field is one that keyferry knows. */
const outsideShapes = {
  validate: z.strictObject(fieldsOf.validate),
  sync: z.strictObject(fieldsOf.sync),
  rotate: z.strictObject(fieldsOf.rotate),
  pull: z.strictObject(fieldsOf.pull),
} as const;

/**
 * Of keyferry itself, perhaps of a newer version in the middle of a deployment: what this one does
 * not know, it leaves alone.
 */
const ownReason = { reason: z.enum(reasons).optional().catch(undefined) };
const ownShapes = {
  validate: z.object({ ...fieldsOf.validate, ...ownReason }),
  sync: z.object({ ...fieldsOf.sync, ...ownReason }),
  rotate: z.object({ ...fieldsOf.rotate, ...ownReason }),
  pull: z.object({ ...fieldsOf.pull, ...ownReason }),
} as const;

export const subjectFields = {
  validate: 'connectionId',
  sync: 'syncId',
  rotate: 'rotationId',
  pull: 'folderId',
} as const;

export const jobNames = {
  validate: ['validate'],
  sync: ['sync', 'plan', 'import', 'remove', 'pull'],
  rotate: ['rotate'],
} as const;

export type JobName = (typeof jobNames)[Kind][number];

/** Job names that only name a request which the library, CLI or API recorded. */
const destructiveNames: ReadonlySet<string> = new Set(['import', 'remove']);

export interface Payload {
  readonly kind: Kind;
  readonly name: JobName;
  readonly subjectId: string;
  readonly requestId: string | undefined;
  readonly requestedBy: string | undefined;
  readonly reason: (typeof reasons)[number] | undefined;
  readonly isDispatched: boolean;
}

/** Throws PAYLOAD_INVALID or PAYLOAD_REQUEST_MISSING. */
export function parsePayload(kind: Kind, name: string, data: unknown): Payload {
  requireStorable(data, 'data');
  if (!(jobNames[kind] as readonly string[]).includes(name)) {
    throw invalid(`job name "${cutText(name, 40)}" is unknown in queue ${kind}; it takes ${jobNames[kind].join(', ')}`);
  }
  const isOwn = typeof data === 'object' && data !== null && 'dispatched' in data && data.dispatched === true;
  const subject = subjectOf(kind, name);
  const parsed = (isOwn ? ownShapes : outsideShapes)[subject].safeParse(data);
  if (!parsed.success) throw invalid(problemsOf(parsed.error, { whole: 'data' }).join('; '));
  const fields = parsed.data as Record<string, unknown> & {
    requestId?: string;
    requestedBy?: string;
    reason?: Payload['reason'];
  };
  if (destructiveNames.has(name) && fields.requestId === undefined) {
    throw new JobError('PAYLOAD_REQUEST_MISSING', {
      message: `A ${name} job must name its request: start it with the CLI, the API or the library.`,
    });
  }
  return {
    kind,
    name: name as JobName,
    subjectId: String(fields[subjectFields[subject]]),
    requestId: fields.requestId,
    requestedBy: fields.requestedBy,
    reason: fields.reason,
    isDispatched: isOwn,
  };
}

function invalid(problem: string): JobError {
  return new JobError('PAYLOAD_INVALID', { message: `The job cannot be read: ${problem}.` });
}
