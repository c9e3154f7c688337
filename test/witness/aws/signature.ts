/**
 * Signature Version 4, written from AWS's description of it and from nothing that signs in the
 * product.
 */
import { createHash, createHmac } from 'node:crypto';

import type { AwsCall, Signature } from './request.ts';

/**
 * IAM is one service per partition and takes signatures for one region only (AWS General Reference,
 * "IAM endpoints").
 */
const IAM_REGION = 'us-east-1';

/** What AWS says about the scope of the signature; undefined when nothing is wrong with it. */
export function findScopeFault(call: AwsCall, signature: Signature): string | undefined {
  if (signature.service !== call.service) return `Credential should be scoped to correct service: '${call.service}'.`;
  if (call.service === 'iam' && signature.region !== IAM_REGION)
    return `Credential should be scoped to a valid region, not '${signature.region}'.`;
  return undefined;
}

export function isSignedWith(secretAccessKey: string, call: AwsCall, signature: Signature): boolean {
  return sign(secretAccessKey, call, signature) === signature.value;
}

function sign(secretAccessKey: string, call: AwsCall, signature: Signature): string {
  const { date, region, service } = signature;
  const toSign = [
    'AWS4-HMAC-SHA256',
    call.headers['x-amz-date'] ?? '',
    `${date}/${region}/${service}/aws4_request`,
    sha256(canonicalRequest(call, signature)),
  ].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    (parent, part) => createHmac('sha256', parent).update(part).digest(),
    `AWS4${secretAccessKey}`,
  );
  return createHmac('sha256', key).update(toSign).digest('hex');
}

/** All our operations are a POST to `/` without a query. */
function canonicalRequest(call: AwsCall, { signedHeaders }: Signature): string {
  const headers = signedHeaders.map((name) => `${name}:${(call.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`);
  return [call.method, call.path, '', headers.join(''), signedHeaders.join(';'), sha256(call.body)].join('\n');
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
