/** SSM Parameter Store: DescribeParameters, its filters and pages, as documented. */
import assert from 'node:assert/strict';
import {
  AddTagsToResourceCommand,
  DescribeParametersCommand,
  PutParameterCommand,
  RemoveTagsFromResourceCommand,
  type DescribeParametersCommandInput,
  type ParameterMetadata,
  type ParameterStringFilter,
  type PutParameterCommandInput,
} from '@aws-sdk/client-ssm';
import { contractCases } from './case.ts';
import { refused } from './expect.ts';
import type { ContractTarget } from './target.ts';

const FILTER_REFERENCE = 'SSM API reference, ParameterStringFilter';
const BEST_EFFORT =
  'SSM API reference, DescribeParameters: "between zero and the value of MaxResults", with a NextToken; boto3 #1079, #1632';

async function put(target: ContractTarget, more: Partial<PutParameterCommandInput> = {}): Promise<string> {
  const input = { Name: `/${target.uniqueName('contract')}/d`, Value: 'value', Type: 'String' as const, ...more };
  await target.admin.ssm.send(new PutParameterCommand(input));
  return input.Name;
}

const equals = (Key: string, ...Values: string[]): ParameterStringFilter => ({ Key, Option: 'Equals', Values });

/** Follows every token, as a client must. */
async function describeAll(
  target: ContractTarget,
  input: DescribeParametersCommandInput,
): Promise<readonly ParameterMetadata[]> {
  const found: ParameterMetadata[] = [];
  let NextToken: string | undefined;
  do {
    const page = await target.admin.ssm.send(new DescribeParametersCommand({ ...input, NextToken }));
    found.push(...page.Parameters!);
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return found;
}

async function namesOf(target: ContractTarget, ...ParameterFilters: ParameterStringFilter[]): Promise<string[]> {
  return (await describeAll(target, { ParameterFilters })).map(({ Name }) => Name!).sort();
}

export const SSM_DESCRIBE_CASES = contractCases('ssm', {
  'DescribeParameters shows metadata without values': async (target) => {
    const name = await put(target, { Description: 'words', Type: 'SecureString' });
    const filter = { Key: 'Name', Option: 'Equals', Values: [name] };
    const { Parameters } = await target.admin.ssm.send(new DescribeParametersCommand({ ParameterFilters: [filter] }));
    assert.equal(Parameters?.length, 1);
    const [found] = Parameters;
    assert.deepEqual([found!.Name, found!.Version, found!.Tier, found!.Description], [name, 1, 'Standard', 'words']);
    assert.equal(found!.KeyId, 'alias/aws/ssm');
    assert.ok(!('Value' in found!));
  },
  'DescribeParameters filters by path and by tag': async (target) => {
    const path = `/${target.uniqueName('path')}`;
    await put(target, { Name: `${path}/a`, Tags: [{ Key: 'owner', Value: path }] });
    await put(target, { Name: `${path}/b/c` });
    const list = async (Key: string, Option: string | undefined, value: string): Promise<number> => {
      const input = { ParameterFilters: [{ Key, Option, Values: [value] }] };
      return (await target.admin.ssm.send(new DescribeParametersCommand(input))).Parameters!.length;
    };
    assert.equal(await list('Path', 'Recursive', path), 2);
    assert.equal(await list('Path', 'OneLevel', path), 1);
    assert.equal(await list('tag:owner', undefined, path), 1);
  },
  'DescribeParameters gives fifty at most, and pages': async (target) => {
    await refused(target.admin.ssm.send(new DescribeParametersCommand({ MaxResults: 51 })), 'ValidationException');
    const path = `/${target.uniqueName('path')}`;
    for (let index = 0; index < 12; index += 1) await put(target, { Name: `${path}/${String(index)}` });
    const filter = { Key: 'Path', Option: 'Recursive', Values: [path] };
    const found = await target.admin.ssm.send(
      new DescribeParametersCommand({ ParameterFilters: [filter], MaxResults: 50 }),
    );
    assert.equal(found.Parameters?.length, 12);
  },
  'DescribeParameters shows a name at the root without its slash': {
    source: 'terraform-provider-aws #49339, #49304: DescribeParameters strips it, with the acceptance test',
    run: async (target) => {
      const bare = target.uniqueName('root');
      await put(target, { Name: `/${bare}` });
      for (const name of [bare, `/${bare}`]) assert.deepEqual(await namesOf(target, equals('Name', name)), [bare]);
    },
  },
  'a Name filter takes up to fifty names': {
    source: `${FILTER_REFERENCE}: Values, 1-50 items`,
    run: async (target) => {
      const [one, other] = [await put(target), await put(target)];
      const missing = (count: number): string[] => Array.from({ length: count }, (_, n) => `/none/${String(n)}`);
      assert.deepEqual(await namesOf(target, equals('Name', one, other, ...missing(48))), [one, other].sort());
      await refused(namesOf(target, equals('Name', ...missing(51))), 'ValidationException');
    },
  },
  'filters of several keys must all match': {
    source: `${FILTER_REFERENCE}; Systems Manager user guide, "Searching for Systems Manager parameters"`,
    run: async (target) => {
      const tag = (Value: string) => ({ Tags: [{ Key: 'keyferry:sync', Value }] });
      const owned = [await put(target, tag('i/s')), await put(target, tag('s'))];
      const others = [await put(target), await put(target, tag('other')), '/none'];
      const unnamed = await put(target, tag('i/s'));
      const names = equals('Name', ...owned, ...others);
      assert.deepEqual(await namesOf(target, names, equals('tag:keyferry:sync', 'i/s', 's')), [...owned].sort());
      assert.deepEqual(await namesOf(target, names, equals('tag:keyferry:sync', 'i/s')), [owned[0]]);
      assert.deepEqual(await namesOf(target, equals('Name', unnamed), equals('tag:keyferry:sync', 's')), []);
    },
  },
  'a filter key that is not for this listing, or given twice, is InvalidFilterKey': {
    source: `${FILTER_REFERENCE}: all patterns "except Label"; DescribeParameters, InvalidFilterKey`,
    run: async (target) => {
      await refused(namesOf(target, equals('Label', 'live')), 'InvalidFilterKey');
      await refused(namesOf(target, equals('Type', 'String'), equals('Type', 'String')), 'InvalidFilterKey');
    },
  },
  'a type or tier that does not exist is InvalidFilterOption or InvalidFilterValue': {
    source: 'SSM API reference, DescribeParameters: InvalidFilterOption, InvalidFilterValue',
    run: async (target) => {
      for (const key of ['Type', 'Tier'])
        await refused(namesOf(target, equals(key, 'Foo')), 'InvalidFilterOption', 'InvalidFilterValue');
    },
  },
  'a path that no parameter can have is refused as a filter': {
    source: FILTER_REFERENCE,
    run: async (target) => {
      for (const path of ['//', 'a', '/a b', '/aws/x', '/ssm/x']) {
        const filter = { Key: 'Path', Option: 'Recursive', Values: [path] };
        await refused(namesOf(target, filter), 'ValidationException', 'InvalidFilterValue');
      }
    },
  },
  'the older Filters compare names from the start, types and keys as a whole': {
    source: 'SSM API reference, DescribeParameters: Filters; floci #3646 for types and keys',
    run: async (target) => {
      const name = await put(target, { Type: 'SecureString' });
      const list = async (Key: 'Name' | 'KeyId', value: string) =>
        (await describeAll(target, { Filters: [{ Key, Values: [value] }] })).filter((p) => p.Name === name).length;
      assert.deepEqual([await list('Name', name.slice(0, -1)), await list('KeyId', 'alias/aws/ssm')], [1, 1]);
      assert.equal(await list('KeyId', 'alias/aws/'), 0);
    },
  },
  'a tag filter compares values exactly': {
    source: FILTER_REFERENCE,
    run: async (target) => {
      const name = await put(target, { Tags: [{ Key: 'owner', Value: 'ab' }] });
      for (const value of ['a', 'AB', '/ab']) {
        assert.deepEqual(await namesOf(target, equals('Name', name), equals('tag:owner', value)), []);
      }
    },
  },
  'a tag filter sees tags that were added and removed': {
    source: FILTER_REFERENCE,
    run: async (target) => {
      const name = await put(target, { Tags: [{ Key: 'keyferry:sync', Value: 's' }] });
      const owned = () => namesOf(target, equals('Name', name), equals('tag:keyferry:sync', 's'));
      const resource = { ResourceType: 'Parameter' as const, ResourceId: name };
      await target.admin.ssm.send(new RemoveTagsFromResourceCommand({ ...resource, TagKeys: ['keyferry:sync'] }));
      assert.deepEqual(await owned(), []);
      const Tags = [{ Key: 'keyferry:sync', Value: 's' }];
      await target.admin.ssm.send(new AddTagsToResourceCommand({ ...resource, Tags }));
      assert.deepEqual(await owned(), [name]);
    },
  },
  'a described parameter has version, type, tier, key and date': {
    source: 'SSM API reference, ParameterMetadata',
    run: async (target) => {
      const before = Date.now() - 5_000;
      const Tags = [{ Key: 'keyferry:sync', Value: 's' }];
      const name = await put(target, { Type: 'SecureString', Tags });
      await put(target, { Name: name, Type: 'SecureString', Overwrite: true, Tier: 'Advanced' });
      const ParameterFilters = [equals('Name', name), equals('tag:keyferry:sync', 's')];
      const [found] = await describeAll(target, { ParameterFilters });
      assert.deepEqual(
        [found?.Version, found?.Type, found?.Tier, found?.KeyId],
        [2, 'SecureString', 'Advanced', 'alias/aws/ssm'],
      );
      assert.ok((found?.LastModifiedDate?.getTime() ?? 0) >= before);
    },
  },
  'following the tokens gives every match once': {
    source: BEST_EFFORT,
    run: async (target) => {
      const Tags = [{ Key: 'keyferry:sync', Value: target.uniqueName('sync') }];
      const names: string[] = [];
      for (let index = 0; index < 12; index += 1) names.push(await put(target, { Tags }));
      const ParameterFilters = [equals('Name', ...names), equals('tag:keyferry:sync', Tags[0]!.Value)];
      for (const MaxResults of [1, 5, 50]) {
        const found = await describeAll(target, { ParameterFilters, MaxResults });
        assert.deepEqual(found.map(({ Name }) => Name).sort(), [...names].sort());
      }
    },
  },
});
