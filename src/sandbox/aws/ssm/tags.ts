/** Tags of parameters. */
import { tagContext } from '../authorize.ts';
import { AwsError } from '../aws-error.ts';
import { defineOperation, type AccessNeed, type Call } from '../service.ts';
import { parameterNeed } from './access.ts';
import { canonicalName, findParameter } from './names.ts';
import type { ParameterRecord } from './parameter-record.ts';

const MAX_TAGS = 50;

export interface SsmTag {
  readonly Key: string;
  readonly Value: string;
}

interface TaggedInput {
  readonly ResourceType: string;
  readonly ResourceId: string;
}

export function toTagMap(
  tags: readonly SsmTag[],
  existing: Iterable<readonly [string, string]> = [],
): Map<string, string> {
  const merged = new Map(existing);
  for (const { Key, Value } of tags) {
    if (Key.toLowerCase().startsWith('aws:')) {
      throw new AwsError('ValidationException', `Tag keys that start with "aws:" are reserved: ${Key}`);
    }
    merged.set(Key, Value);
  }
  return merged;
}

export function hasTooManyTags(tags: ReadonlyMap<string, string>): boolean {
  return tags.size > MAX_TAGS;
}

function getTagged(call: Call, input: TaggedInput): ParameterRecord {
  const record = input.ResourceType === 'Parameter' ? findParameter(call, input.ResourceId) : undefined;
  if (!record) {
    throw new AwsError(
      'InvalidResourceId',
      'The resource ID is not valid. Verify that you entered the correct ID and try again.',
    );
  }
  return record;
}

function tagNeeds(
  action: string,
  call: Call,
  input: TaggedInput & { Tags?: readonly SsmTag[]; TagKeys?: readonly string[] },
): readonly AccessNeed[] {
  const tags = (input.Tags ?? []).map((tag) => [tag.Key, tag.Value] as const);
  const keys = input.TagKeys ?? tags.map(([key]) => key);
  const context = { ...tagContext('aws:requesttag', tags), 'aws:tagkeys': keys.length === 0 ? undefined : keys };
  return [parameterNeed(call, input.ResourceId, { action, context })];
}

const sameResource = (input: TaggedInput): string => canonicalName(input.ResourceId);

export const ADD_TAGS_TO_RESOURCE = defineOperation<TaggedInput & { Tags: readonly SsmTag[] }>({
  access: (call, input) => tagNeeds('ssm:AddTagsToResource', call, input),
  exclusive: sameResource,
  run: (call, input) => {
    const record = getTagged(call, input);
    const merged = toTagMap(input.Tags, record.tags);
    if (hasTooManyTags(merged)) {
      const text = 'The Targets parameter includes too many tags. Remove one or more tags and try the command again.';
      throw new AwsError('TooManyTagsError', text);
    }
    for (const [key, value] of merged) record.tags.set(key, value);
    return {};
  },
});

export const REMOVE_TAGS_FROM_RESOURCE = defineOperation<TaggedInput & { TagKeys: readonly string[] }>({
  access: (call, input) => tagNeeds('ssm:RemoveTagsFromResource', call, input),
  exclusive: sameResource,
  run: (call, input) => {
    const record = getTagged(call, input);
    for (const key of input.TagKeys) record.tags.delete(key);
    return {};
  },
});

export const LIST_TAGS_FOR_RESOURCE = defineOperation<TaggedInput>({
  access: (call, input) => tagNeeds('ssm:ListTagsForResource', call, input),
  run: (call, input) => ({ TagList: [...getTagged(call, input).tags].map(([Key, Value]) => ({ Key, Value })) }),
});
