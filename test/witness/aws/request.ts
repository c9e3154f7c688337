/**
 * A signed request to AWS, as far as the proxy needs it: which operation, with which fields, under
 * which signature.
 */
import type { IncomingMessage } from 'node:http';

export interface AwsCall {
  readonly service: string;
  readonly operation: string;
  /** By field name; members of query lists keep their flat names (`Tags.member.1.Key`). */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly signature: Signature | undefined;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Signature {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly value: string;
}

const jsonTargets: Readonly<Record<string, string>> = { AmazonSSM: 'ssm', secretsmanager: 'secretsmanager' };
const queryVersions: Readonly<Record<string, string>> = { '2011-06-15': 'sts', '2010-05-08': 'iam' };

export async function readCall(request: IncomingMessage): Promise<AwsCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('utf8');
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : (value ?? ''),
    ]),
  );
  const transport = { method: request.method ?? '', path: request.url ?? '/', headers, body };
  return { ...transport, ...operationOf(headers, body), signature: parseSignature(headers['authorization'] ?? '') };
}

function operationOf(
  headers: Readonly<Record<string, string>>,
  body: string,
): Pick<AwsCall, 'service' | 'operation' | 'fields'> {
  const target = headers['x-amz-target'];
  if (target !== undefined) {
    const [prefix = '', operation = ''] = target.split('.');
    return { service: jsonTargets[prefix] ?? prefix, operation, fields: parseJson(body) };
  }
  const fields = Object.fromEntries(new URLSearchParams(body));
  return { service: queryVersions[fields['Version'] ?? ''] ?? 'unknown', operation: fields['Action'] ?? '', fields };
}

function parseJson(body: string): Record<string, unknown> {
  return body === '' ? {} : (JSON.parse(body) as Record<string, unknown>);
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/([\w-]+)\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/;

function parseSignature(authorization: string): Signature | undefined {
  const found = AUTHORIZATION.exec(authorization);
  if (!found) return undefined;
  const [, accessKeyId = '', date = '', region = '', service = '', signedHeaders = '', value = ''] = found;
  return { accessKeyId, date, region, service, signedHeaders: signedHeaders.split(';'), value };
}

/** `text` or nothing: fields of requests are unknown until looked at. */
export function fieldText(call: AwsCall, name: string): string | undefined {
  const value = call.fields[name];
  return typeof value === 'string' ? value : undefined;
}
