/**
 * Parameter policies (advanced tier): read and checked; expired parameters disappear, notifications
 * are not sent.
 */
import { AwsError } from '../aws-error.ts';
import type { ParameterPolicy } from './parameter-record.ts';

const TYPES = ['Expiration', 'ExpirationNotification', 'NoChangeNotification'];
const MAX_POLICIES = 10;

/** undefined: the request says nothing about policies; `[]`, as text "[]" or "{}", removes them. */
export function parsePolicies(text: string | undefined, now: number): readonly ParameterPolicy[] | undefined {
  if (text === undefined) return undefined;
  const entries = parseEntries(text);
  if (entries.length > MAX_POLICIES) {
    throw new AwsError(
      'PoliciesLimitExceededException',
      `You specified more than the maximum number of allowed policies for the parameter. The maximum is ${String(MAX_POLICIES)}.`,
    );
  }
  return entries.map((entry) => parsePolicy(entry, now));
}

function parseEntries(text: string): readonly unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new AwsError('ValidationException', 'Invalid policies input: not a JSON document.');
  }
  if (Array.isArray(parsed)) return parsed as unknown[];
  return typeof parsed === 'object' && parsed !== null && Object.keys(parsed).length === 0 ? [] : [parsed];
}

function parsePolicy(entry: unknown, now: number): ParameterPolicy {
  const policy = (typeof entry === 'object' && entry !== null ? entry : {}) as {
    Type?: unknown;
    Version?: unknown;
    Attributes?: { Timestamp?: unknown };
  };
  const type = typeof policy.Type === 'string' ? policy.Type : '';
  if (!TYPES.includes(type)) {
    throw new AwsError(
      'InvalidPolicyTypeException',
      `The policy type isn't supported. Parameter Store supports the following policy types: ${TYPES.join(', ')}.`,
    );
  }
  const timestamp = policy.Attributes?.Timestamp;
  const expiresAt = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
  if (policy.Version !== '1.0') throw invalidAttribute('a policy needs the Version 1.0');
  if (type === 'Expiration' && Number.isNaN(expiresAt)) throw invalidAttribute('Expiration needs a Timestamp');
  if (type === 'Expiration' && expiresAt <= now) throw invalidAttribute('the Timestamp lies in the past');
  return { text: JSON.stringify(entry), type, expiresAt: type === 'Expiration' ? expiresAt : undefined };
}

function invalidAttribute(why: string): AwsError {
  return new AwsError('InvalidPolicyAttributeException', `A policy attribute or its value is invalid: ${why}.`);
}
