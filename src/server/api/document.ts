/**
 * The OpenAPI document as clients, generators and linters read it: what the routes declare, and
 * what all of them have in common (headers, tags, the server, examples of bodies). Pure; it takes
 * the generated document and returns another one.
 */
import { bodyExamples, problemExample } from './examples.ts';
import { compatibilityTag } from './operation.ts';

type Json = Readonly<Record<string, unknown>>;

interface Operation extends Json {
  readonly operationId: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Json[];
  readonly requestBody?: Json;
  readonly responses: Readonly<Record<string, Json>>;
}

export interface OpenApiDocument extends Json {
  readonly info: Json;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const tags: Readonly<Record<string, string>> = {
  'AWS connections': 'How keyferry reaches AWS accounts',
  Folders: 'Secrets, by name: values go in and never come out',
  'Syncs to Secrets Manager': 'Keep Secrets Manager equal to a folder',
  'Syncs to Parameter Store': 'Keep Parameter Store equal to a folder',
  'IAM user rotations': 'Replace access keys without an outage',
  Runs: 'What was done, and how it ended',
  Webhooks: 'Who is notified of changes',
  Audit: 'Who changed what',
  Workers: 'Whether anybody works',
  [compatibilityTag]: 'Logins and overviews as Infisical’s clients and scripts expect them',
};

export function completeDocument(generated: OpenApiDocument): OpenApiDocument {
  const { paths, info, ...rest } = withPlainPatterns(generated) as OpenApiDocument;
  return {
    ...rest,
    info: { ...info, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/', description: 'The server that this document comes from' }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths: mapValues(paths, (methods, path) => mapValues(methods, (one, method) => complete(one, { method, path }))),
  };
}

interface Place {
  readonly method: string;
  readonly path: string;
}

function complete(operation: Operation, place: Place): Operation {
  const { requestBody, parameters = [] } = operation;
  return {
    ...operation,
    parameters: [...parameters.map(withoutNull), ...headersSent(operation, place)],
    ...(requestBody === undefined
      ? {}
      : { requestBody: withExample(requestBody, bodyExamples[operation.operationId]) }),
    responses: mapValues(operation.responses, (response, status) =>
      Number(status) < 400
        ? { ...response, headers: headersOfSuccess(operation, place) }
        : { ...withExample(response, problemExample(Number(status))), headers: headersOfProblem(status) },
    ),
  };
}

const isChange = ({ method }: Place) => method !== 'get';
/** A login has no token to which idempotency keys could be bound. */
const hasToken = ({ security = [] }: Operation) => security.length > 0;
const changesVersion = ({ method, path }: Place) =>
  (method === 'put' || ((method === 'patch' || method === 'delete') && path.endsWith('}'))) &&
  !path.includes('webhook');

function headersSent(operation: Operation, place: Place): readonly Json[] {
  return [
    ...(isChange(place) && hasToken(operation) ? [idempotencyKey] : []),
    ...(changesVersion(place) ? [ifMatch] : []),
  ];
}

const header = (name: string, description: string, schema: Json) => ({
  name,
  in: 'header',
  required: false,
  description,
  schema,
});
const text = { type: 'string' };
const idempotencyKey = header(
  'Idempotency-Key',
  'A repetition with the same key gets the first answer, for a day; another body under it is refused with 422',
  { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
);
const ifMatch = header(
  'If-Match',
  'The `ETag` of the object as it was read: the change is refused with 412 if it was changed since',
  text,
);

function headersOfSuccess(operation: Operation, place: Place): Json {
  return {
    ...(/\.(?:get|getByName|update|set)$/.test(operation.operationId) && !/^run\./.test(operation.operationId)
      ? { ETag: { description: 'The object’s version (a folder’s revision), for `If-Match`', schema: text } }
      : {}),
    ...(isChange(place) && hasToken(operation)
      ? {
          'Idempotent-Replayed': {
            description: '`true`: the answer of an earlier request with this key',
            schema: { type: 'string', enum: ['true'] },
          },
        }
      : {}),
  };
}

function headersOfProblem(status: string): Json {
  if (status === '429' || status === '503')
    return { 'Retry-After': { description: 'Seconds', schema: { type: 'integer', minimum: 1 } } };
  return status === '405' ? { Allow: { description: 'The methods of this path', schema: text } } : {};
}

/** A body or an answer with its example, where it has one. */
function withExample(body: Json, example: unknown): Json {
  const content = body['content'] as Readonly<Record<string, Json>> | undefined;
  if (example === undefined || content === undefined) return body;
  return { ...body, content: mapValues(content, (media) => ({ ...media, example })) };
}

/** The generator treats values coerced from text as nullable; in a URL nothing is null. */
function withoutNull(parameter: Json): Json {
  const schema = parameter['schema'] as Json | undefined;
  const type = schema?.['type'];
  if (!Array.isArray(type)) return parameter;
  const kept = type.filter((one) => one !== 'null') as readonly string[];
  return { ...parameter, schema: { ...schema, type: kept.length === 1 ? kept[0] : kept } };
}

/** The generator leaves a pattern's flags behind it, where they would be part of it. */
const FLAGS = /(?<!\\)\/[a-z]+$/;

/**
 * A pattern with Unicode classes goes into the description: many engines refuse it, or take its
 * letters literally.
 */
function withPlainPatterns(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withPlainPatterns);
  if (typeof value !== 'object' || value === null) return value;
  const { pattern: given, ...others } = value as Json;
  const rest = mapValues(others, withPlainPatterns);
  if (typeof given !== 'string') return given === undefined ? rest : { ...rest, pattern: withPlainPatterns(given) };
  const pattern = given.replace(FLAGS, '');
  return pattern.includes('\\p{') ? { ...rest, description: `Matches ${pattern} (Unicode)` } : { ...rest, pattern };
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, map: (value: T, name: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
