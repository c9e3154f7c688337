/** From results and errors of the model to HTTP answers. */
import type { AwsError } from '../aws-error.ts';
import { toJsonError } from './json-protocol.ts';
import { toXmlError, toXmlResult } from './query-protocol.ts';
import type { SandboxResponse } from './request.ts';
import { SERVICE_MODELS, type OperationModel } from './service-model.ts';
import type { Protocol } from './signature.ts';

export interface ResponseContext {
  readonly requestId: string;
  /** Milliseconds: AWS's own clock, which clients correct theirs by. */
  readonly wallNow: number;
}

const CONTENT_TYPES = { json: 'application/x-amz-json-1.1', query: 'text/xml' } as const;

/** Codes that no operation's model lists; the rest is 400. */
const QUERY_STATUS: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  InvalidClientTokenId: 403,
  SignatureDoesNotMatch: 403,
  ExpiredToken: 403,
  MissingAuthenticationToken: 403,
  RegionDisabledException: 403,
  InternalFailure: 500,
  ServiceUnavailable: 503,
};
const JSON_STATUS: Readonly<Record<string, number>> = {
  InternalServerError: 500,
  InternalServiceError: 500,
  InternalFailure: 500,
  ServiceUnavailable: 503,
  ServiceUnavailableException: 503,
};

export function toResultResponse(model: OperationModel, output: object, context: ResponseContext): SandboxResponse {
  const { protocol } = model.service;
  const text = protocol === 'json' ? JSON.stringify(output) : toXmlResult(model, output, context.requestId);
  return respond({ status: 200, protocol, text }, context);
}

/** Whom an error answers; the service is unknown when the request could not be routed. */
export interface ErrorAddressee {
  readonly protocol: Protocol;
  readonly service: string;
}

export function toErrorResponse(error: AwsError, to: ErrorAddressee, context: ResponseContext): SandboxResponse {
  const { protocol, service } = to;
  const { code, message } = error;
  const status = error.status ?? statusOf(code, to);
  const namespace = SERVICE_MODELS.get(service)?.xmlNamespace ?? '';
  const text =
    protocol === 'json'
      ? toJsonError(service, code, message)
      : toXmlError({ code, message, status, namespace }, context.requestId);
  const response = respond({ status, protocol, text }, context);
  if (error.retryAfterMs === undefined) return response;
  return { ...response, headers: { ...response.headers, 'x-amz-retry-after': String(error.retryAfterMs) } };
}

/** What a proxy answers when it cannot reach AWS. */
export function toHtmlResponse(context: ResponseContext): SandboxResponse {
  const text =
    '<html><body><h1>503 Service Unavailable</h1>No server is available to handle this request.</body></html>';
  return {
    status: 503,
    headers: { 'content-type': 'text/html', date: new Date(context.wallNow).toUTCString() },
    body: Buffer.from(text),
  };
}

function statusOf(code: string, { protocol, service }: ErrorAddressee): number {
  if (protocol === 'json') return JSON_STATUS[code] ?? 400;
  return QUERY_STATUS[code] ?? SERVICE_MODELS.get(service)?.statusByCode.get(code) ?? 400;
}

interface Answer {
  readonly status: number;
  readonly protocol: Protocol;
  readonly text: string;
}

function respond({ status, protocol, text }: Answer, context: ResponseContext): SandboxResponse {
  const body = Buffer.from(text);
  return {
    status,
    headers: {
      'content-type': CONTENT_TYPES[protocol],
      'content-length': String(body.byteLength),
      'x-amzn-requestid': context.requestId,
      date: new Date(context.wallNow).toUTCString(),
    },
    body,
  };
}
