/**
 * Raw signed requests, without an SDK client: its own small signer, so that the sandbox's verifier
 * has an independent counterpart.
 */
import { createHash, createHmac } from 'node:crypto';
import type { SandboxRequest } from '../../../src/sandbox/aws/index.ts';
import type { OperationModel } from '../../../src/sandbox/aws/wire/service-model.ts';

export interface SignerCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface RequestOptions {
  readonly credentials: SignerCredentials;
  readonly region?: string;
  readonly signedAt?: Date;
  readonly host?: string;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

export function signedRequest(model: OperationModel, input: unknown, options: RequestOptions): SandboxRequest {
  const { service } = model;
  const isJson = service.protocol === 'json';
  const body = isJson ? JSON.stringify(input) : toForm(model, input);
  const own: Record<string, string> = isJson
    ? { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `${service.targetPrefix ?? ''}.${model.name}` }
    : { 'content-type': 'application/x-www-form-urlencoded' };
  return sign(
    Buffer.from(body),
    { ...own, host: options.host ?? 'localhost:4566' },
    { ...options, service: service.name },
  );
}

function sign(
  body: Uint8Array,
  given: Record<string, string>,
  options: RequestOptions & { service: string },
): SandboxRequest {
  const { credentials, signedAt = new Date(), service } = options;
  const { region = service === 'iam' ? 'us-east-1' : 'eu-west-1' } = options;
  const amzDate = signedAt.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = amzDate.slice(0, 8);
  const headers: Record<string, string> = { ...given, 'x-amz-date': amzDate };
  if (credentials.sessionToken !== undefined) headers['x-amz-security-token'] = credentials.sessionToken;
  const names = Object.keys(headers).sort();
  const canonical = `POST\n/\n\n${names.map((n) => `${n}:${headers[n]!}\n`).join('')}\n${names.join(';')}\n${sha256(body)}`;
  const scope = `${date}/${region}/${service}/aws4_request`;
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  );
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256(canonical)}`).toString('hex');
  const claim = `Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  headers['authorization'] = `AWS4-HMAC-SHA256 ${claim}`;
  return { method: 'POST', path: '/', query: '', headers, body };
}

function toForm(model: OperationModel, input: unknown): string {
  const form = new URLSearchParams({ Action: model.name, Version: model.service.apiVersion });
  const add = (name: string, value: unknown): void => {
    if (Array.isArray(value))
      value.forEach((item, index) => {
        add(`${name}.member.${String(index + 1)}`, item);
      });
    else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) add(name === '' ? key : `${name}.${key}`, member);
    } else if (value !== undefined && value !== null) form.set(name, `${value as string | number | boolean}`);
  };
  add('', input);
  return form.toString();
}

/** The error code of an answer, or undefined when it is a result. */
export function errorCode(answer: { status: number; body: Uint8Array } | 'drop'): string | undefined {
  if (answer === 'drop') return 'drop';
  if (answer.status === 200) return undefined;
  const text = Buffer.from(answer.body).toString();
  return text.startsWith('<')
    ? /<Code>([^<]+)<\/Code>/.exec(text)?.[1]
    : (JSON.parse(text) as { __type: string }).__type;
}
