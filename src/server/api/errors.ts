/**
 * Errors of the API: every one is `{ statusCode, error, message, requestId }`, and the message says
 * what to do.
 */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';

import { statusOf } from '../../domain/http-status.ts';
import { problemsOf } from '../../domain/problem-words.ts';
import { errorTable, toJobError, type ErrorCode } from '../../errors.ts';
import { inOperations, subjectOfPath } from './wording.ts';

export interface ApiError {
  readonly statusCode: ContentfulStatusCode;
  readonly code: ErrorCode;
  readonly message: string;
}

/** With `path`, of the request: the operations that the message names have the object's id. */
export function toApiError(error: unknown, path = ''): ApiError {
  const { code, publicMessage } = toJobError(error);
  const { nextStep } = errorTable[code];
  const isBare = publicMessage === errorTable[code].message;
  const message = isBare ? `${publicMessage} ${nextStep}` : publicMessage;
  return { statusCode: statusOf(code), code, message: inOperations(message, subjectOfPath(path)) };
}

const refused: Readonly<Record<string, string>> = {
  externalId: 'externalId cannot be chosen: it is always the org of the token. Leave it out',
  stsEndpoint: 'stsEndpoint cannot be chosen: the endpoint follows from the region. Leave it out',
};

/** Fields by name, never a value. */
export function describeIssues(error: z.ZodError): string {
  return `${problemsOf(error, { whole: 'the request', ofUnknown: (field) => refused[field] }).join('; ')}.`;
}
