/**
 * Texts of the domain advise the command line; a client of the API is told the operation: method
 * and path, with the object's id where it is known. Pure.
 */
import type { DestinationName } from '../../domain/destinations/names.ts';

export interface ApiSubject {
  readonly kind: 'connection' | 'sync' | 'rotation';
  readonly id: string;
  /** Of a sync; without it the path keeps its placeholder. */
  readonly destination?: DestinationName | undefined;
}

const AWS = '/api/v1/app-connections/aws';
const SYNC = '/api/v1/secret-syncs/{destination}/{syncId}';
const ROTATION = '/api/v2/secret-rotations/aws-iam-user-secret';

/** Each a method, a path and perhaps a query. Commands without one are for operators alone. */
export const operationOf: Readonly<Record<string, string>> = {
  'connection list': `GET ${AWS}`,
  'connection create': `POST ${AWS}`,
  'connection show': `GET ${AWS}/{connectionId}`,
  'connection update': `PATCH ${AWS}/{connectionId}`,
  'connection validate': `POST ${AWS}/{connectionId}/validate`,
  'connection delete': `DELETE ${AWS}/{connectionId}`,
  'sync list': 'GET /api/v1/secret-syncs',
  'sync create': 'POST /api/v1/secret-syncs/{destination}',
  'sync show': `GET ${SYNC}`,
  'sync update': `PATCH ${SYNC}`,
  'sync delete': `DELETE ${SYNC}`,
  'sync run': `POST ${SYNC}/sync-secrets`,
  'sync plan': `POST ${SYNC}/plan`,
  'sync import': `POST ${SYNC}/import-secrets?importBehavior=prioritize-source`,
  'sync remove': `POST ${SYNC}/remove-secrets`,
  ...ordersOf('sync', SYNC, ['pause', 'resume', 'check', 'cancel']),
  'rotation list': `GET ${ROTATION}`,
  'rotation create': `POST ${ROTATION}`,
  'rotation show': `GET ${ROTATION}/{rotationId}`,
  'rotation update': `PATCH ${ROTATION}/{rotationId}`,
  'rotation delete': `DELETE ${ROTATION}/{rotationId}`,
  'rotation run': `POST ${ROTATION}/{rotationId}/rotate-secrets`,
  ...ordersOf('rotation', `${ROTATION}/{rotationId}`, ['pause', 'resume', 'cancel', 'reactivate', 'emergency']),
  'secrets set': 'PUT /api/v1/folders/secrets',
  'secrets list': 'GET /api/v1/folders/secrets',
  'source set': 'PUT /api/v1/folders/source',
  'source show': 'GET /api/v1/folders/source',
  'source unset': 'DELETE /api/v1/folders/source',
  'source run': 'POST /api/v1/folders/source/run',
  'webhook list': 'GET /api/v1/webhooks',
  'webhook replay': 'POST /api/v1/webhooks/{webhookId}/replay',
  'runs list': 'GET /api/v1/runs',
  'audit list': 'GET /api/v1/audit',
};

function ordersOf(noun: string, path: string, verbs: readonly string[]): Record<string, string> {
  return Object.fromEntries(verbs.map((verb) => [`${noun} ${verb}`, `POST ${path}/${verb}`]));
}

/** Whole commands only: what has an option that the operation lacks stays as it is. */
const COMMAND = /`keyferry ([a-z]+ [a-z-]+)(?: (?!-)[^`\s]+)*`/g;
/** ``run the sync with `confirmDeletions: 4` ``, an order by its fields. */
const ORDER = /\b(run|update|delete) the (sync|rotation|connection) with `(\w+: [^`]+)`/gi;
const ABANDON = /\b(delete) the sync and abandon (?:them|it)\b/gi;
/** Of the same sentence, after the order to delete. */
const OR_ABANDON = /(?<=`DELETE (\S+)\?removeSecrets=true`, or leave (?:them|it) at AWS with )`abandon: true`/g;
const SOURCE = /\brun the source of ([^`]+), (\S+), (\S+) with /g;

/** Of a text that a client of the API reads. */
export function inOperations(text: string, of?: ApiSubject): string {
  if (!text.includes('`') && !text.includes('abandon')) return text;
  return text
    .replace(ORDER, (...[, verb, noun, field]: string[]) => orderOf({ verb, noun, field }))
    .replace(ABANDON, (_, verb: string) => `${sendOf(verb)} \`DELETE ${SYNC}\`, which abandons them`)
    .replace(OR_ABANDON, (_, path: string) => `\`DELETE ${path}\``)
    .replace(SOURCE, 'send `POST /api/v1/folders/source/run` for $1, $2, $3 with ')
    .replace(COMMAND, (whole: string, command: string) => {
      const operation = operationOf[command];
      return operation === undefined ? whole : `\`${operation}\``;
    })
    .replace(/`[A-Z]+ \/api\/[^`]*`/g, (operation) => withId(operation, of));
}

const sendOf = (verb: string): string => (/^[A-Z]/.test(verb) ? 'Send' : 'send');

interface Order {
  readonly verb: string | undefined;
  readonly noun: string | undefined;
  readonly field: string | undefined;
}

/** What changes an object is sent in the body; what an order needs, in the query. */
function orderOf({ verb = '', noun = '', field = '' }: Order): string {
  const operation = operationOf[`${noun} ${verb}`.toLowerCase()] ?? '';
  const order =
    verb.toLowerCase() === 'update'
      ? `\`${operation}\` with \`${field}\``
      : `\`${operation}?${field.replace(': ', '=')}\``;
  return `${sendOf(verb)} ${order}`;
}

function withId(operation: string, of: ApiSubject | undefined): string {
  if (of === undefined) return operation;
  const named = operation.replace(`{${of.kind}Id}`, of.id);
  return of.destination === undefined ? named : named.replace('{destination}', of.destination);
}

/** The same for every text of a document: the result of a run, or the checks of a connection. */
export function allInOperations<T>(value: T, of?: ApiSubject): T {
  return reworded(value, (text) => inOperations(text, of)) as T;
}

function reworded(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((one: unknown) => reworded(one, change));
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, reworded(one, change)]));
}

const PATHS: readonly (readonly [ApiSubject['kind'], RegExp])[] = [
  ['connection', /^\/api\/v1\/app-connections\/aws\/(?<id>[\da-f-]{36})(\/|$)/],
  ['sync', /^\/api\/v1\/secret-syncs\/(?<destination>[\w-]+)\/(?<id>[\da-f-]{36})(\/|$)/],
  ['rotation', /^\/api\/v2\/secret-rotations\/[\w-]+\/(?<id>[\da-f-]{36})(\/|$)/],
];

/** What a request is about. Its path has been routed, so a destination in it is one of ours. */
export function subjectOfPath(path: string): ApiSubject | undefined {
  for (const [kind, pattern] of PATHS) {
    const { id, destination } = pattern.exec(path)?.groups ?? {};
    if (id !== undefined) return { kind, id, destination: destination as DestinationName | undefined };
  }
  return undefined;
}
