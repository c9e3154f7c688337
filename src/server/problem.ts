/**
 * How the server refuses a request: `{ statusCode, error, message, requestId, reqId }`. The message
 * says what to do; `reqId` is what Infisical's clients read.
 */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { STATUS_CODES } from 'node:http';

export interface ErrorBody {
  readonly statusCode: number;
  readonly error: string;
  readonly message: string;
  readonly requestId: string;
  readonly reqId: string;
}

/** `code` is keyferry's own; without one the answer carries HTTP's reason phrase. */
export interface CodedMessage {
  readonly code: string;
  readonly message: string;
}

export function problem(c: Context, statusCode: ContentfulStatusCode, reason: string | CodedMessage): Response {
  const body: ErrorBody = {
    statusCode,
    error: typeof reason === 'string' ? (STATUS_CODES[statusCode] ?? 'Error') : reason.code,
    message: typeof reason === 'string' ? reason : reason.message,
    requestId: c.get('requestId'),
    reqId: c.get('requestId'),
  };
  return c.json(body, statusCode);
}
