/** Tags of secrets. */
import { tagContext } from '../authorize.ts';
import { AwsError } from '../aws-error.ts';
import { defineOperation, type AccessNeed, type Call } from '../service.ts';
import { getWritableSecret, secretNeed, type SecretIdInput } from './find-secret.ts';
import { noteChange } from './listing.ts';

const MAX_TAGS = 50;

export interface SecretTag {
  readonly Key?: string;
  readonly Value?: string;
}

export function toTagMap(
  tags: readonly SecretTag[],
  existing: Iterable<readonly [string, string]> = [],
): Map<string, string> {
  const merged = new Map(existing);
  const given = new Set<string>();
  for (const { Key = '', Value = '' } of tags) {
    if (Key === '') throw new AwsError('InvalidParameterException', 'A tag needs a key.');
    if (Key.toLowerCase().startsWith('aws:')) {
      throw new AwsError(
        'InvalidParameterException',
        `Tag keys can't start with "aws:", which is reserved for AWS use: ${Key}`,
      );
    }
    if (given.has(Key)) throw new AwsError('InvalidParameterException', `The tag key ${Key} occurs more than once.`);
    given.add(Key);
    merged.set(Key, Value);
  }
  if (merged.size > MAX_TAGS)
    throw new AwsError('InvalidParameterException', `A secret can have at most ${String(MAX_TAGS)} tags.`);
  return merged;
}

export function requestTagContext(
  tags: readonly SecretTag[],
  keys = tags.map((tag) => tag.Key ?? ''),
): NonNullable<AccessNeed['context']> {
  const pairs = tags.map((tag) => [tag.Key ?? '', tag.Value ?? ''] as const);
  return { ...tagContext('aws:requesttag', pairs), 'aws:tagkeys': keys.length === 0 ? undefined : keys };
}

export const TAG_RESOURCE = defineOperation<SecretIdInput & { Tags: readonly SecretTag[] }>({
  access: (call, input) => [
    secretNeed(call, input.SecretId, { action: 'secretsmanager:TagResource', context: requestTagContext(input.Tags) }),
  ],
  run: (call, input) => {
    const secret = getWritableSecret(call, input);
    secret.tags = toTagMap(input.Tags, secret.tags);
    noteChange(call, secret);
    return {};
  },
});

export const UNTAG_RESOURCE = defineOperation<SecretIdInput & { TagKeys: readonly string[] }>({
  access: untagAccess,
  run: (call, input) => {
    const secret = getWritableSecret(call, input);
    secret.tags = new Map([...secret.tags].filter(([key]) => !input.TagKeys.includes(key)));
    noteChange(call, secret);
    return {};
  },
});

function untagAccess(call: Call, input: SecretIdInput & { TagKeys: readonly string[] }): readonly AccessNeed[] {
  return [
    secretNeed(call, input.SecretId, {
      action: 'secretsmanager:UntagResource',
      context: requestTagContext([], [...input.TagKeys]),
    }),
  ];
}
