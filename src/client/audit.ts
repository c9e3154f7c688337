/**
 * Every change through the library or the command line leaves one row of the audit trail: written
 * before the change begins, its outcome added afterwards. Requests of the API are recorded where
 * they come in, so the API's clients have no recorder.
 */
import { randomUUID } from 'node:crypto';

import type { AuditLog } from '../db/audit-log.ts';
import { statusOf } from '../domain/http-status.ts';
import { toJobError } from '../errors.ts';

export interface AuditPort {
  readonly log: AuditLog;
  readonly via: 'library' | 'cli';
}

/** The row's action, such as `sync.create`; null where nothing changes. */
type Action = string | null | ((...input: never[]) => string);

type Method = (...input: never[]) => Promise<unknown>;
export type Methods<T> = { readonly [K in keyof T]: Method };
export type Actions<T> = Readonly<Record<keyof T, Action>>;

/** The actions of `request`, whose first argument says what is asked for. */
const asked = (kind: unknown): string => {
  if (kind === 'sync') return 'sync.run';
  return `sync.${typeof kind === 'string' && /^[a-z]{1,16}$/.test(kind) ? kind : 'request'}`;
};

/**
 * What each method of the client is in the audit trail. A method that is not listed does not
 * compile.
 */
export const clientActions = {
  connections: {
    create: 'connection.create',
    createValidated: 'connection.create',
    get: null,
    list: null,
    dependents: null,
    update: 'connection.update',
    requestValidation: 'connection.validate',
    validate: 'connection.validate',
    delete: 'connection.delete',
  },
  secrets: { set: 'secrets.set', revision: null, list: null, unset: 'secrets.unset' },
  sources: {
    set: 'source.set',
    show: null,
    pulls: null,
    unset: 'source.unset',
    request: 'source.run',
    run: 'source.run',
  },
  syncs: {
    create: 'sync.create',
    get: null,
    list: null,
    update: 'sync.update',
    request: asked,
    run: 'sync.run',
    acceptDestination: 'sync.import',
    plan: 'sync.plan',
    check: 'sync.check',
    import: 'sync.import',
    remove: 'sync.remove',
    pause: 'sync.pause',
    resume: 'sync.resume',
    cancel: 'sync.cancel',
    deleteWithSecrets: 'sync.deleteWithSecrets',
    delete: 'sync.delete',
  },
  rotations: {
    create: 'rotation.create',
    get: null,
    list: null,
    keys: null,
    timeline: null,
    update: 'rotation.update',
    request: 'rotation.rotate',
    run: 'rotation.rotate',
    pause: 'rotation.pause',
    resume: 'rotation.resume',
    cancel: 'rotation.cancel',
    reactivate: 'rotation.reactivate',
    revokeKeys: 'rotation.revokeKeys',
    adoptKey: 'rotation.adoptKey',
    delete: 'rotation.delete',
  },
  webhooks: {
    create: 'webhook.create',
    list: null,
    get: null,
    delete: 'webhook.delete',
    test: 'webhook.test',
    deliveries: null,
    delivery: null,
    replay: 'webhook.replay',
  },
  history: { runs: null, folders: null, audit: null },
  runs: { get: null, list: null, wait: null },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Action>>>>;

export interface Recorder {
  readonly orgId: string;
  readonly actor: string | null;
  readonly port: AuditPort | undefined;
}

/**
 * The methods, each of which records what it changes. Methods that call each other leave one row.
 */
export function audited<T extends Methods<T>>(methods: T, actions: Actions<T>, { orgId, actor, port }: Recorder): T {
  if (port === undefined) return methods;
  const record = (name: string, method: Method): Method => {
    const action: Action = actions[name as keyof T];
    if (action === null) return (...input) => method.apply(methods, input);
    return async (...input) => {
      const requestId = randomUUID();
      // Of `request`, whose first argument says what is asked for, the second one.
      const subject = subjectOf(typeof action === 'string' ? input[0] : input[1]);
      await port.log.record({
        orgId,
        actor: actor ?? port.via,
        via: port.via,
        action: typeof action === 'string' ? action : action(...input),
        subject,
        requestId,
      });
      // The change is made and on record; only how it ended may be missing.
      const settle = (statusCode: number, made?: string) =>
        port.log.settle({ requestId, statusCode, subject: made }).catch(() => undefined);
      try {
        const result = await method.apply(methods, input);
        await settle(200, typeof input[0] === 'string' ? undefined : madeIn(result));
        return result;
      } catch (error) {
        await settle(outcomeOf(error));
        throw error;
      }
    };
  };
  return Object.fromEntries(
    Object.entries<Method>(methods).map(([name, method]) => [name, record(name, method)]),
  ) as unknown as T;
}

/** A caller that stops waiting for a run has still recorded the wish. */
function outcomeOf(error: unknown): number {
  const { code } = toJobError(error);
  return code === 'QUEUE_TIMEOUT' || code === 'QUEUE_UNAVAILABLE' ? 202 : statusOf(code);
}

/** An id, a name, or the place of a folder; anything else is not for the trail. */
function subjectOf(given: unknown): string | undefined {
  const { projectId, environment, secretPath } = fieldsOf(given);
  const text = typeof secretPath === 'string' ? `${String(projectId)}/${String(environment)}${secretPath}` : given;
  return typeof text === 'string' && /^[\w./-]{1,256}$/.test(text) ? text : undefined;
}

/**
 * The id of what was made or set: the answer itself, `{ connection, … }`, `{ webhook, … }`, or a
 * folder's change.
 */
function madeIn(result: unknown): string | undefined {
  const { id, connection, webhook, folderId } = fieldsOf(result);
  return [id, fieldsOf(connection).id, fieldsOf(webhook).id, folderId].find((one) => typeof one === 'string');
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
