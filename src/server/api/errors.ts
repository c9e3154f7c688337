/**
 * Errors of the API: every one is `{ statusCode, error, message, requestId }`, and the message says
 * what to do.
 */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';

import { statusOf } from '../../domain/http-status.ts';
import { wordsOf } from '../../domain/problem-words.ts';
import { shownName } from '../../domain/text.ts';
import { errorTable, toJobError, type ErrorCode } from '../../errors.ts';

export interface ApiError {
  readonly statusCode: ContentfulStatusCode;
  readonly code: ErrorCode;
  readonly message: string;
}

export function toApiError(error: unknown): ApiError {
  const { code, publicMessage } = toJobError(error);
  const { nextStep } = errorTable[code];
  const isBare = publicMessage === errorTable[code].message;
  const message = isBare ? `${publicMessage} ${nextStep}` : publicMessage;
  return {
    statusCode: statusOf(code),
    code,
    message: message.replace('`keyferry secrets set`', '`PUT /api/v1/folders/secrets`'),
  };
}

const refused: Readonly<Record<string, string>> = {
  externalId: 'externalId cannot be chosen: it is always the org of the token. Leave it out',
  stsEndpoint: 'stsEndpoint cannot be chosen: the endpoint follows from the region. Leave it out',
};

/** The message is for a person to read; a body of bad keys has as many issues as keys. */
const MAX_ISSUES = 20;

/** Fields by name, never a value. */
export function describeIssues(error: z.ZodError, target = 'json'): string {
  const { issues } = error;
  const describe = (issue: z.core.$ZodIssue) =>
    // The message of a query names what was meant.
    target === 'query' && issue.code === 'unrecognized_keys' ? [issue.message] : describeIssue(issue);
  const problems = new Set(issues.slice(0, MAX_ISSUES).flatMap(describe));
  const shown = [...problems].slice(0, MAX_ISSUES);
  const more = issues.length > MAX_ISSUES ? `; ${String(issues.length - MAX_ISSUES)} more` : '';
  return `${shown.join('; ')}${more}.`;
}

function describeIssue(issue: z.core.$ZodIssue): readonly string[] {
  const path = issue.path.map((part) => shownName(String(part))).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .slice(0, MAX_ISSUES)
      .map((key) => refused[key] ?? `${path === '' ? '' : `${path}.`}${shownName(key)} is not a known field`);
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [first = []] = [...issue.errors].sort((a, b) => a.length - b.length);
    return first.flatMap((inner) => describeIssue({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [`${path === '' ? 'the request' : path}: ${wordsOf(issue)}`];
}
