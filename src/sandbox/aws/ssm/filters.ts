/** ParameterFilters and the older Filters: which parameters a listing shows. */
import { AwsError } from '../aws-error.ts';
import { latestVersion, type ParameterRecord } from './parameter-record.ts';

export interface ParameterFilter {
  readonly Key: string;
  readonly Option?: string;
  readonly Values?: readonly string[];
}

type Test = (record: ParameterRecord) => boolean;

/** Key → options it knows. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  Name: ['Equals', 'BeginsWith', 'Contains'],
  Path: ['Recursive', 'OneLevel'],
  Type: ['Equals', 'BeginsWith'],
  KeyId: ['Equals', 'BeginsWith'],
  Tier: ['Equals'],
  DataType: ['Equals', 'BeginsWith'],
  Label: ['Equals', 'BeginsWith'],
};
const TAG_OPTIONS = ['Equals', 'BeginsWith'];
const DESCRIBE_KEYS = ['Name', 'Path', 'Type', 'KeyId', 'Tier', 'DataType'];
const BY_PATH_KEYS = ['Type', 'KeyId', 'Label'];

export type Listing = 'DescribeParameters' | 'GetParametersByPath';

export function compileFilters(listing: Listing, filters: readonly ParameterFilter[]): Test {
  const keys = filters.map((filter) => filter.Key);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) {
    throw new AwsError(
      'InvalidFilterKey',
      `The following filter is duplicated in the request: ${twice}. A request can contain only one occurrence of a specific filter.`,
    );
  }
  const tests = filters.map((filter) => compileFilter(listing, filter));
  return (record) => tests.every((test) => test(record));
}

function compileFilter(listing: Listing, filter: ParameterFilter): Test {
  const known = listing === 'DescribeParameters' ? DESCRIBE_KEYS : BY_PATH_KEYS;
  if (filter.Key.startsWith('tag:') && listing === 'DescribeParameters') return compileTagFilter(filter);
  if (!known.includes(filter.Key)) {
    const text = `The following filter key is not valid: ${filter.Key}. Valid filter keys include: [${known.join(', ')}]`;
    throw new AwsError('InvalidFilterKey', text);
  }
  const option = filter.Option ?? (filter.Key === 'Path' ? 'OneLevel' : 'Equals');
  const options = OPTIONS[filter.Key] ?? [];
  if (!options.includes(option)) throw invalidOption(option, options);
  const values = filter.Values ?? [];
  if (values.length === 0) {
    throw new AwsError(
      'InvalidFilterValue',
      `The following filter values are missing : null for filter key ${filter.Key}`,
    );
  }
  checkValues(filter.Key, values);
  if (filter.Key === 'Path') return compilePathFilter(values, option === 'Recursive' ? 'Recursive' : 'OneLevel');
  // Names compare as paths: at the root `/name` and `name` are the same.
  const toCompared = filter.Key === 'Name' && option !== 'Contains' ? asPath : (text: string): string => text;
  const wanted = values.map(toCompared);
  return (record) =>
    fieldValues(record, filter.Key).some((actual) =>
      wanted.some((value) => compare(option, toCompared(actual), value)),
    );
}

const asPath = (name: string): string => (name.startsWith('/') ? name : `/${name}`);

function invalidOption(option: string, valid: readonly string[]): AwsError {
  const text = `The following filter option is not valid: ${option}. Valid options include: [${valid.join(', ')}]`;
  return new AwsError('InvalidFilterOption', text);
}

/** Without values: whatever carries the tag. */
function compileTagFilter(filter: ParameterFilter): Test {
  const name = filter.Key.slice('tag:'.length);
  const option = filter.Option ?? 'Equals';
  if (!TAG_OPTIONS.includes(option)) throw invalidOption(option, TAG_OPTIONS);
  return (record) => {
    const actual = record.tags.get(name);
    if (actual === undefined) return false;
    if (filter.Values === undefined) return true;
    return filter.Values.some((value) => compare(option, actual, value));
  };
}

export type PathDepth = 'Recursive' | 'OneLevel';

const VALUES: Readonly<Record<string, readonly string[]>> = {
  Type: ['String', 'StringList', 'SecureString'],
  Tier: ['Standard', 'Advanced', 'Intelligent-Tiering'],
};

function checkValues(key: string, values: readonly string[]): void {
  const known = VALUES[key];
  const unknown = known && values.find((value) => !known.includes(value));
  if (known && unknown !== undefined) {
    const text = `The following filter value is not valid: ${unknown}. Valid values include: [${known.join(', ')}].`;
    throw new AwsError('InvalidFilterOption', text);
  }
  if (key === 'Path') values.forEach(checkPath);
}

function checkPath(path: string): void {
  if (/^\/(aws|ssm)/i.test(path)) {
    const text = 'Filters for common parameters can\'t be prefixed with "aws" or "ssm" (case-insensitive).';
    throw new AwsError('ValidationException', text);
  }
  if (!/^\/([\w.-]+\/?)*$/.test(path))
    throw new AwsError('ValidationException', `The parameter doesn't meet the parameter name requirements: ${path}`);
}

function compilePathFilter(values: readonly string[], depth: PathDepth): Test {
  return (record) => values.some((path) => isUnderPath(record.name, path, depth));
}

export function isUnderPath(name: string, path: string, depth: PathDepth): boolean {
  const prefix = path.endsWith('/') ? path : `${path}/`;
  if (path !== '/' && !name.startsWith(prefix)) return false;
  // The root holds all names, also those without a slash in front.
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  return depth === 'Recursive' || !rest.includes('/');
}

function fieldValues(record: ParameterRecord, key: string): readonly string[] {
  const version = latestVersion(record);
  switch (key) {
    case 'Name':
      return [record.name];
    case 'Type':
      return [version.type];
    case 'KeyId':
      return version.keyId === undefined ? [] : [version.keyId];
    case 'Tier':
      return [version.tier];
    case 'DataType':
      return [version.dataType];
    default:
      return record.versions.flatMap((v) => [...v.labels]);
  }
}

function compare(option: string, actual: string, wanted: string): boolean {
  if (option === 'BeginsWith') return actual.startsWith(wanted);
  return option === 'Contains' ? actual.includes(wanted) : actual === wanted;
}
