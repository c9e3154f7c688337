/**
 * Filters of ListSecrets and BatchGetSecretValue: prefix match, `!` negates, all filters must hold.
 */
import { AwsError } from '../aws-error.ts';
import type { ListedSecret } from './secret-record.ts';

export interface SecretFilter {
  readonly Key?: string;
  readonly Values?: readonly string[];
}

type Test = (name: string, listed: ListedSecret) => boolean;

export function compileSecretFilters(filters: readonly SecretFilter[]): Test {
  const tests = filters.map(compileFilter);
  return (name, listed) => tests.every((test) => test(name, listed));
}

function compileFilter(filter: SecretFilter): Test {
  const { Key: key, Values: values } = filter;
  if (key === undefined) throw new AwsError('InvalidParameterException', 'Invalid filter key');
  if (values === undefined) throw new AwsError('InvalidParameterException', `Invalid filter values for key: ${key}`);
  return (name, listed) => {
    const fields = fieldsOf(key, name, listed);
    return values.some((value) =>
      value.startsWith('!') ? !matches(key, fields, value.slice(1)) : matches(key, fields, value),
    );
  };
}

function fieldsOf(key: string, name: string, listed: ListedSecret): readonly string[] {
  switch (key) {
    case 'name':
      return [name];
    case 'description':
      return [listed.description ?? ''];
    case 'tag-key':
      return [...listed.tags.keys()];
    case 'tag-value':
      return [...listed.tags.values()];
    case 'all':
      return [name, listed.description ?? '', ...listed.tags.keys(), ...listed.tags.values()];
    case 'primary-region':
      return listed.primaryRegion === undefined ? [] : [listed.primaryRegion];
    default:
      // owning-service: nothing in the sandbox belongs to another service.
      return [];
  }
}

/** Names and tags compare with case, descriptions and "all" without, word by word. */
function matches(key: string, fields: readonly string[], value: string): boolean {
  if (key !== 'description' && key !== 'all') return fields.some((field) => field.startsWith(value));
  const words = value.toLowerCase().split(/\s+/).filter(Boolean);
  const texts = fields.map((field) => field.toLowerCase());
  return words.every((word) =>
    texts.some((text) => text.split(/[\s/_+=.@:-]+/).some((part) => part.startsWith(word)) || text.startsWith(word)),
  );
}
