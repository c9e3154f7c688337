/**
 * A request handler that answers from a script, so that a test decides what AWS says to the n-th
 * call.
 */
import { createCallLog } from '../../../src/domain/call-log.ts';
import type { CallScope } from '../../../src/aws/session.ts';

export const REQUEST_ID = '0f8fad5b-d9cb-469f-a165-70867728950e';

export interface SentRequest {
  /** As `ssm.PutParameter`. */
  readonly operation: string;
  readonly body: string;
  readonly host: string;
  readonly accessKeyId: string;
  /** Of the signature's credential scope. */
  readonly signedRegion: string;
}

export interface ScriptedAnswer {
  readonly status?: number;
  /** A JSON body, or XML text for STS and IAM. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Thrown instead of answering. */
  readonly failure?: Error;
  /** Never answers. */
  readonly isSilent?: boolean;
}

type Script = (request: SentRequest, index: number) => ScriptedAnswer;

interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly hostname: string;
}

const targets: Readonly<Record<string, string>> = { AmazonSSM: 'ssm', secretsmanager: 'secretsmanager' };

function toSent(request: HttpRequest): SentRequest {
  const body =
    request.body instanceof Uint8Array
      ? new TextDecoder().decode(request.body)
      : typeof request.body === 'string'
        ? request.body
        : '';
  const header = (name: string) =>
    Object.entries(request.headers).find(([key]) => key.toLowerCase() === name)?.[1] ?? '';
  const [prefix = '', json = ''] = header('x-amz-target').split('.');
  const form = new URLSearchParams(body);
  const service = targets[prefix] ?? (form.get('Version') === '2010-05-08' ? 'iam' : 'sts');
  return {
    operation: `${service}.${json === '' ? (form.get('Action') ?? '') : json}`,
    body,
    host: request.hostname,
    accessKeyId: /Credential=([^/]+)/.exec(header('authorization'))?.[1] ?? '',
    signedRegion: /Credential=[^/]+\/\d+\/([^/]+)/.exec(header('authorization'))?.[1] ?? '',
  };
}

export function createScriptedAws(script: Script) {
  const sent: SentRequest[] = [];
  return {
    sent,
    operations: () => sent.map((request) => request.operation),
    requestHandler: {
      handle: async (request: HttpRequest) => {
        const one = toSent(request);
        sent.push(one);
        const answer = script(one, sent.filter((earlier) => earlier.operation === one.operation).length);
        if (answer.failure) throw answer.failure;
        if (answer.isSilent) await new Promise(() => undefined);
        const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {});
        return {
          response: {
            statusCode: answer.status ?? 200,
            headers: {
              'x-amzn-requestid': REQUEST_ID,
              'content-type': typeof answer.body === 'string' ? 'text/xml' : 'application/x-amz-json-1.1',
              ...answer.headers,
            },
            body: Buffer.from(text),
          },
        };
      },
    },
  };
}

export function jsonError(type: string, message: string, status = 400): ScriptedAnswer {
  return { status, body: { __type: type, message } };
}

export function xmlError(code: string, message: string, status = 403): ScriptedAnswer {
  return {
    status,
    body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>${REQUEST_ID}</RequestId></ErrorResponse>`,
  };
}

/** An AssumeRole answer; `generation` tells one session from the next. */
export function assumedRole(generation: number, account = '111122223333'): ScriptedAnswer {
  return {
    body: `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIASESSION${String(generation)}</AccessKeyId><SecretAccessKey>not-a-secret</SecretAccessKey><SessionToken>token-${String(generation)}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::${account}:assumed-role/app/keyferry</Arn><AssumedRoleId>AROAEXAMPLE:keyferry</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
  };
}

export function callerIdentityIs(arn: string): ScriptedAnswer {
  const account = arn.split(':')[4] ?? '';
  return {
    body: `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>${arn}</Arn><UserId>AIDAEXAMPLE</UserId><Account>${account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
  };
}

export const baseUser = callerIdentityIs('arn:aws:iam::999988887777:user/keyferry');

export function networkError(code: string): ScriptedAnswer {
  return { failure: Object.assign(new Error(code), { code }) };
}

export function createScope(overrides: Partial<CallScope> = {}): CallScope {
  return {
    signal: new AbortController().signal,
    calls: createCallLog(),
    beforeMutation: () => Promise.resolve(),
    subjectId: 'subject-1',
    ...overrides,
  };
}
