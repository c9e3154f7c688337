/** Tags of IAM users. */
import { AwsError } from '../aws-error.ts';
import { defineOperation } from '../service.ts';
import { getUser, toPage, userAccess, type PageInput } from './users.ts';

const TAGS_PER_USER = 50;

interface TagUserInput {
  readonly UserName: string;
  readonly Tags: readonly { readonly Key: string; readonly Value: string }[];
}

export const LIST_USER_TAGS = defineOperation<{ UserName: string } & PageInput>({
  access: userAccess('iam:ListUserTags'),
  run: (call, input) => {
    const tags = [...getUser(call, input).tags].map(([Key, Value]) => ({ Key, Value }));
    const { items, ...page } = toPage(tags, input);
    return { Tags: items, ...page };
  },
});

export const TAG_USER = defineOperation<TagUserInput>({
  access: userAccess('iam:TagUser'),
  run: (call, input) => {
    const user = getUser(call, input);
    const keys = input.Tags.map((tag) => tag.Key.toLowerCase());
    if (new Set(keys).size !== keys.length) {
      throw new AwsError('InvalidInput', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.');
    }
    if (keys.some((key) => key.startsWith('aws:'))) {
      throw new AwsError('InvalidInput', 'Tag keys beginning with aws: are reserved for system use.');
    }
    const merged = new Map(user.tags);
    for (const { Key, Value } of input.Tags) {
      for (const known of merged.keys()) if (known.toLowerCase() === Key.toLowerCase()) merged.delete(known);
      merged.set(Key, Value);
    }
    if (merged.size > TAGS_PER_USER) {
      throw new AwsError('LimitExceeded', `Cannot exceed quota for TagsPerUser: ${String(TAGS_PER_USER)}`);
    }
    user.tags.clear();
    for (const [key, value] of merged) user.tags.set(key, value);
    return {};
  },
});
