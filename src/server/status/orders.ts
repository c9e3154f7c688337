/**
 * What an operator may order on the status page: the same methods of the client as the command
 * line, so the same rules.
 */
import { JobError } from '../../errors.ts';
import type { Fields } from '../guard/form-body.ts';
import type { Client } from '../../client/types/client.ts';

export interface Order {
  /** On the button. */
  readonly label: string;
  /** The confirmation once it is recorded. */
  readonly done: string;
  /** Throws what the page then shows. */
  carryOut(client: Client, id: string, fields: Fields): Promise<unknown>;
}

export type SubjectKind = 'connection' | 'sync' | 'rotation';

export const orders: Readonly<Record<SubjectKind, Readonly<Record<string, Order>>>> = {
  connection: {
    validate: {
      label: 'Validate now',
      done: 'The validation is requested. Its checks appear here as soon as a worker has made them.',
      carryOut: ({ connections }, id) => connections.requestValidation(id),
    },
  },
  sync: {
    run: {
      label: 'Sync now',
      done: 'The sync is requested. Its run appears below as soon as a worker takes it.',
      carryOut: ({ syncs }, id) => syncs.request('sync', id),
    },
    plan: {
      label: 'Plan',
      done: 'The plan is requested. It writes nothing, and appears below when it is made.',
      carryOut: ({ syncs }, id) => syncs.request('plan', id),
    },
    check: {
      label: 'Check for drift',
      done: 'The check is requested. It writes nothing.',
      carryOut: ({ syncs }, id) => syncs.request('check', id),
    },
    pause: { label: 'Pause', done: 'The sync is paused.', carryOut: ({ syncs }, id) => syncs.pause(id) },
    resume: {
      label: 'Resume',
      done: 'The sync is resumed. What is due runs now.',
      carryOut: ({ syncs }, id) => syncs.resume(id),
    },
    cancel: {
      label: 'Cancel the sync',
      done: 'The sync is cancelled. A run that is under way stops before its next write.',
      carryOut: ({ syncs }, id) => syncs.cancel(id),
    },
    confirm: {
      label: 'Delete and sync',
      done: 'The deletions are confirmed and the sync is requested. Its run appears below.',
      carryOut: ({ syncs }, id, fields) =>
        syncs.request('sync', id, { confirmDeletions: toCount(fields.confirmDeletions) }),
    },
  },
  rotation: {
    run: {
      label: 'Rotate now',
      done: 'The rotation is requested. Its steps appear below as they are taken.',
      carryOut: ({ rotations }, id) => rotations.request(id),
    },
    pause: {
      label: 'Pause',
      done: 'The rotation is paused at the next safe point.',
      carryOut: ({ rotations }, id) => rotations.pause(id),
    },
    resume: {
      label: 'Resume',
      done: 'The rotation is resumed.',
      carryOut: ({ rotations }, id) => rotations.resume(id),
    },
    cancel: {
      label: 'Cancel the rotation',
      done: 'The rotation is cancelled. The new key goes, the old one stays.',
      carryOut: ({ rotations }, id) => rotations.cancel(id),
    },
  },
};

/** An order by its name in the form; undefined for any other text. */
export function findOrder(kind: SubjectKind, name: string | undefined): Order | undefined {
  return name !== undefined && Object.hasOwn(orders[kind], name) ? orders[kind][name] : undefined;
}

function toCount(text: string | undefined): number {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  throw new JobError('PAYLOAD_INVALID', { message: 'Type the number of deletions that the plan shows, as digits.' });
}
