/** AWS JSON 1.1, the protocol of SSM, Secrets Manager and KMS. */
import { AwsError } from '../aws-error.ts';

export function parseJsonBody(body: Uint8Array): unknown {
  if (body.byteLength === 0) return {};
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')) as unknown;
  } catch {
    throw new AwsError('SerializationException', 'Could not parse the request body as JSON.');
  }
}

/** Dates travel as seconds since the epoch, with fractions. */
export function toEpochSeconds(ms: number): number {
  return ms / 1000;
}

/** Secrets Manager spells it "Message", SSM "message"; several SSM errors carry none at all. */
export function toJsonError(service: string, code: string, message: string): string {
  if (message === '') return JSON.stringify({ __type: code });
  return JSON.stringify(service === 'secretsmanager' ? { __type: code, Message: message } : { __type: code, message });
}
