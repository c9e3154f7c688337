/**
 * Session tags: those asked for, and transitive ones inherited from the session that assumes the
 * role.
 */
import { deflateRawSync } from 'node:zlib';
import { AwsError } from '../aws-error.ts';
import type { Principal } from '../principal.ts';

export interface SessionTagInput {
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
  readonly TransitiveTagKeys?: readonly string[];
}

export interface SessionTags {
  readonly requested: ReadonlyMap<string, string>;
  readonly all: ReadonlyMap<string, string>;
  readonly transitiveKeys: readonly string[];
  readonly packedBytes: number;
}

export function readSessionTags(principal: Principal, input: SessionTagInput): SessionTags {
  const requested = new Map<string, string>();
  for (const { Key, Value } of input.Tags ?? []) {
    if (Key.toLowerCase().startsWith('aws:'))
      throw new AwsError('ValidationError', `Invalid tag key: ${Key}. Reserved prefix aws:`);
    if ([...requested.keys()].some((key) => key.toLowerCase() === Key.toLowerCase())) {
      throw new AwsError(
        'ValidationError',
        'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
      );
    }
    requested.set(Key, Value);
  }
  for (const key of input.TransitiveTagKeys ?? []) {
    if (!requested.has(key)) {
      throw new AwsError('ValidationError', 'The specified transitive tag key must be included in the requested tags.');
    }
  }
  const inherited = inheritedTags(principal);
  for (const key of inherited.keys()) {
    if (requested.has(key))
      throw new AwsError(
        'ValidationError',
        'One of the specified transitive tag keys can not be set because it conflicts with a transitive tag key from the calling session.',
      );
  }
  return {
    requested,
    all: new Map([...inherited, ...requested]),
    transitiveKeys: [...inherited.keys(), ...(input.TransitiveTagKeys ?? [])],
    packedBytes: requested.size === 0 ? 0 : deflateRawSync(JSON.stringify([...requested])).byteLength,
  };
}

function inheritedTags(principal: Principal): ReadonlyMap<string, string> {
  if (principal.kind !== 'session') return new Map();
  const { tags, transitiveTagKeys } = principal.session;
  return new Map([...tags].filter(([key]) => transitiveTagKeys.includes(key)));
}
