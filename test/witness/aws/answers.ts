/** Refusals in the words and the form of each service. */
import type { AwsCall } from './request.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Refusal = 'unknown-key' | 'wrong-signature' | 'denied' | 'throttled' | 'failed';

const queryCodes: Readonly<Record<Refusal, readonly [string, number]>> = {
  'unknown-key': ['InvalidClientTokenId', 403],
  'wrong-signature': ['SignatureDoesNotMatch', 403],
  denied: ['AccessDenied', 403],
  throttled: ['Throttling', 400],
  failed: ['ServiceUnavailable', 503],
};

const jsonCodes: Readonly<Record<Refusal, readonly [string, number]>> = {
  'unknown-key': ['UnrecognizedClientException', 400],
  'wrong-signature': ['InvalidSignatureException', 400],
  denied: ['AccessDeniedException', 400],
  throttled: ['ThrottlingException', 400],
  failed: ['InternalServerError', 500],
};

export function refuse(call: AwsCall, refusal: Refusal, message: string): Answer {
  const requestId = '00000000-0000-4000-8000-000000000000';
  const isQuery = call.service === 'sts' || call.service === 'iam';
  const [code, status] = (isQuery ? queryCodes : jsonCodes)[refusal];
  if (!isQuery) {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': requestId };
    return { status, headers, body: JSON.stringify({ __type: code, message }) };
  }
  const text = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const body = `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${text}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
  return { status, headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body };
}

/** The error code of an answer, undefined when it is none. */
export function errorCodeOf({ status, body }: Answer): string | undefined {
  if (status < 400) return undefined;
  return (
    /"__type": ?"(?:[\w.]+#)?(\w+)"/.exec(body)?.[1] ??
    /<Code>([^<]+)<\/Code>/.exec(body)?.[1] ??
    `HTTP ${String(status)}`
  );
}
