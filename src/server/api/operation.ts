/**
 * How an operation of the API is declared: one place for what all have in common, so that the
 * OpenAPI document and the checks cannot differ.
 */
import { createRoute as declareRoute, z } from '@hono/zod-openapi';

import { JobError } from '../../errors.ts';
import type { Scope } from '../../domain/caller.ts';
import type { ApiOptions } from './env.ts';
import { strictQuery } from './query.ts';
import { withinProjects } from './within-projects.ts';
import { audited, idempotent, needs, traced } from './gate.ts';

const problemShape = z
  .object({
    statusCode: z.number().int(),
    error: z.string().describe('keyferry’s code, such as CONNECTION_NOT_FOUND, or HTTP’s reason phrase'),
    message: z.string().describe('What happened and what to do'),
    requestId: z.string().describe('Of this request, as in the server’s log and the audit trail'),
    reqId: z.string().describe('The same, under the name that Infisical’s clients read'),
  })
  .openapi('Problem');

const meanings: Readonly<Record<number, string>> = {
  401: 'No token, or an unknown one',
  403: 'The token’s scope does not allow it',
  404: 'There is no such thing in the token’s org',
  405: 'The path has other methods; `Allow` names them',
  409: 'The present state does not allow it',
  412: 'The object no longer has the version that `If-Match` names',
  413: 'The body is too large',
  415: 'The body is not JSON',
  422: 'A field is missing, unknown or malformed; the message names it',
  429: 'Too many requests, or too many with a wrong token',
  500: 'A defect; the request id finds it in the log',
  503: 'The database does not answer',
};

/** Declared as one range per class, as OpenAPI allows: any operation may answer each of them. */
const problems = Object.fromEntries(
  Object.entries(meanings).map(([status, description]) => [
    status,
    { description, content: { 'application/json': { schema: problemShape } } },
  ]),
);

export interface Common {
  /** `connection.create`: the operation’s id, and what the audit trail’s action is made of. */
  readonly id: string;
  readonly scope: Scope;
  readonly summary: string;
  readonly tag: string;
}

/** Of operations that only Infisical’s clients and scripts need. */
export const compatibilityTag = 'For Infisical’s clients';

const looking = ['get', 'list', 'checkDestination'];

/** Common to every route’s declaration, beside method, path, request and its own responses. */
export function common({ id, scope, summary, tag }: Common, options: ApiOptions) {
  const isChange = !looking.some((verb) => id.split('.')[1]?.startsWith(verb) === true);
  const changing = isChange ? [idempotent(options), audited(id, options)] : [];
  const gates = [traced(id), needs(scope), withinProjects(options, { isChange }), ...changing];
  return { operationId: id, summary, tags: [tag], security: [{ token: [] }], middleware: gates };
}

/** JSON of this shape, and every problem. */
export function answers<S extends z.ZodType>(schema: S, description = 'Done') {
  return { ...problems, 200: { description, content: { 'application/json': { schema } } } };
}

/** 202: it is recorded, and the run continues. */
export function answersInTime<S extends z.ZodType>(schema: S) {
  return {
    ...answers(schema),
    202: { description: 'Recorded; the run continues', content: { 'application/json': { schema } } },
  };
}

export function jsonBody<S extends z.ZodType>(schema: S) {
  return { required: true, content: { 'application/json': { schema } } } as const;
}

export { z };

/** A route that refuses query parameters which it does not declare. */
export const createRoute: typeof declareRoute = (route) => {
  const { request } = route;
  const query = strictQuery(request?.query);
  return declareRoute({ ...route, request: { ...request, query } });
};

/**
 * Lists are complete, as Infisical's are. Only a caller that sends `limit` or `offset` gets a page.
 */
export const listQuery = {
  projectId: z.string().max(128).optional(),
  limit: z.coerce.number().int().min(1).max(500).optional().describe('Rows of one page. Without it: all rows'),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
};

const MAX_COMPLETE = 10_000;

/**
 * The window of a list. `completed` refuses a complete list that is longer than an answer can be.
 */
export function windowOf({ limit, offset }: { readonly limit?: number | undefined; readonly offset: number }) {
  return {
    window: { limit: limit ?? MAX_COMPLETE, offset },
    completed<T extends { readonly total: number }>(page: T): T {
      if (limit !== undefined || page.total - offset <= MAX_COMPLETE) return page;
      const message = `The list has ${String(page.total)} rows, more than ${String(MAX_COMPLETE)}. Read it in pages: ?limit=500&offset=0.`;
      throw new JobError('PAYLOAD_INVALID', { message });
    },
  };
}

export const waitQuery = {
  wait: z.coerce
    .number()
    .int()
    .min(0)
    .max(25)
    .default(0)
    .describe('Seconds to wait for the run; the answer then holds it'),
};

/** Where a client expects the result in the answer. */
export function verdictQuery(defaultSeconds: number) {
  return {
    wait: z.coerce
      .number()
      .int()
      .min(0)
      .max(25)
      .default(defaultSeconds)
      .describe('Seconds to wait for the run; 202 without its result in time, 0 does not wait'),
  };
}

export const moment = z.iso.datetime().nullable();

export function toMoment(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
