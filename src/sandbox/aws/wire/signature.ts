/** AWS Signature Version 4, the verifying side. */
import { createHmac, hash } from 'node:crypto';
import { AwsError } from '../aws-error.ts';
import type { SandboxRequest } from './request.ts';

export interface SignatureClaim {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `20261123T074352Z`. */
  readonly signedAt: string;
  readonly sessionToken: string | undefined;
}

const MAX_SKEW_MS = 5 * 60 * 1000;

/** Codes differ between the protocols; `code` picks. */
export type SignatureErrorCode = 'missing' | 'incomplete' | 'mismatch';

const ERROR_CODES = {
  json: {
    missing: 'MissingAuthenticationTokenException',
    incomplete: 'IncompleteSignatureException',
    mismatch: 'InvalidSignatureException',
  },
  query: {
    missing: 'MissingAuthenticationToken',
    incomplete: 'IncompleteSignature',
    mismatch: 'SignatureDoesNotMatch',
  },
} as const;

export type Protocol = keyof typeof ERROR_CODES;

export function signatureError(protocol: Protocol, kind: SignatureErrorCode, message: string): AwsError {
  return new AwsError(ERROR_CODES[protocol][kind], message);
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/\s,]+)\/(\d{8})\/([^/\s,]+)\/([^/\s,]+)\/aws4_request, ?SignedHeaders=([a-z0-9;.-]+), ?Signature=([0-9a-f]{64})$/;

/** What the Authorization header claims; undefined when there is none or it cannot be read. */
export function readSignature(headers: Readonly<Record<string, string | undefined>>): SignatureClaim | undefined {
  const match = AUTHORIZATION.exec(headers['authorization'] ?? '');
  if (!match) return undefined;
  const [, accessKeyId = '', date = '', region = '', service = '', signedHeaders = '', signature = ''] = match;
  return {
    accessKeyId,
    date,
    region,
    service,
    signedHeaders: signedHeaders.split(';'),
    signature,
    signedAt: headers['x-amz-date'] ?? '',
    sessionToken: headers['x-amz-security-token'],
  };
}

/**
 * Throws when the claim's time is not now (within five minutes) or its parts do not belong
 * together.
 */
export function checkSignatureTime(claim: SignatureClaim, wallNow: number, protocol: Protocol): void {
  const signedAt = parseAmzDate(claim.signedAt);
  if (signedAt === undefined) {
    throw signatureError(
      protocol,
      'incomplete',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  if (!claim.signedAt.startsWith(claim.date)) {
    const text = 'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP';
    throw signatureError(protocol, 'mismatch', `${text}: '${claim.date}' != '${claim.signedAt.slice(0, 8)}'`);
  }
  if (signedAt < wallNow - MAX_SKEW_MS) {
    const limit = toAmzDate(wallNow - MAX_SKEW_MS);
    const text = `Signature expired: ${claim.signedAt} is now earlier than ${limit} (${toAmzDate(wallNow)} - 5 min.)`;
    throw signatureError(protocol, 'mismatch', text);
  }
  if (signedAt > wallNow + MAX_SKEW_MS) {
    const limit = toAmzDate(wallNow + MAX_SKEW_MS);
    const text = `Signature not yet current: ${claim.signedAt} is still later than ${limit} (${toAmzDate(wallNow)} + 5 min.)`;
    throw signatureError(protocol, 'mismatch', text);
  }
}

export interface Verification {
  readonly claim: SignatureClaim;
  readonly secretAccessKey: string;
  readonly protocol: Protocol;
}

/** Throws unless the request carries the signature that `secretAccessKey` makes. */
export function checkSignature(request: SandboxRequest, { claim, secretAccessKey, protocol }: Verification): void {
  for (const name of ['host', 'x-amz-date', ...(claim.sessionToken === undefined ? [] : ['x-amz-security-token'])]) {
    if (!claim.signedHeaders.includes(name)) {
      throw signatureError(protocol, 'mismatch', `'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
  }
  const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
  const canonical = hash('sha256', canonicalRequest(request, claim), 'hex');
  const text = `AWS4-HMAC-SHA256\n${claim.signedAt}\n${scope}\n${canonical}`;
  const expected = createHmac('sha256', signingKey(claim, secretAccessKey)).update(text).digest('hex');
  if (expected === claim.signature) return;
  throw signatureError(
    protocol,
    'mismatch',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}

function canonicalRequest(request: SandboxRequest, claim: SignatureClaim): string {
  let headers = '';
  for (const name of claim.signedHeaders) headers += `${name}:${canonicalValue(request.headers[name] ?? '')}\n`;
  const target = `${request.method}\n${request.path}\n${canonicalQuery(request.query)}`;
  return `${target}\n${headers}\n${claim.signedHeaders.join(';')}\n${hash('sha256', request.body, 'hex')}`;
}

function canonicalValue(value: string): string {
  const trimmed = value.trim();
  return trimmed.includes('  ') ? trimmed.replace(/ {2,}/g, ' ') : trimmed;
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = [...new URLSearchParams(query)].map(([k, v]) => `${encode(k)}=${encode(v)}`);
  return pairs.sort().join('&');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Deriving a signing key costs four HMACs; it is the same for a key, day, region and service. */
const signingKeys = new Map<string, Buffer>();
const SIGNING_KEY_LIMIT = 2_000;

function signingKey(claim: SignatureClaim, secretAccessKey: string): Buffer {
  const name = `${secretAccessKey}/${claim.date}/${claim.region}/${claim.service}`;
  const known = signingKeys.get(name);
  if (known) return known;
  let key = hmac(`AWS4${secretAccessKey}`, claim.date);
  for (const part of [claim.region, claim.service, 'aws4_request']) key = hmac(key, part);
  if (signingKeys.size >= SIGNING_KEY_LIMIT) signingKeys.clear();
  signingKeys.set(name, key);
  return key;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function parseAmzDate(text: string): number | undefined {
  const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!m) return undefined;
  const [, year, month, day, hour, minute, second] = m.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}

function toAmzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}
