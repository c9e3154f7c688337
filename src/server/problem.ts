/** How the server says no: `{ statusCode, error, message, requestId }`, where the message says what to do. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { STATUS_CODES } from 'node:http';

export interface Problem {
  readonly statusCode: number;
  readonly error: string;
  readonly message: string;
  readonly requestId: string;
}

export function problem(c: Context, statusCode: ContentfulStatusCode, message: string, error?: string): Response {
  const body: Problem = {
    statusCode,
    error: error ?? STATUS_CODES[statusCode] ?? 'Error',
    message,
    requestId: c.get('requestId'),
  };
  return c.json(body, statusCode);
}
