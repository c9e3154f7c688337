/** SSM Parameter Store: writing and reading, as documented. */
import assert from 'node:assert/strict';
import {
  DeleteParameterCommand,
  DeleteParametersCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  GetParameterHistoryCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  GetServiceSettingCommand,
  LabelParameterVersionCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
} from '@aws-sdk/client-ssm';
import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import type { ContractTarget } from './target.ts';

function put(
  target: ContractTarget,
  more: Partial<PutParameterCommandInput> = {},
): Promise<{ name: string; version: number; tier: string }> {
  const input = { Name: `/${target.uniqueName('contract')}/p`, Value: 'value', Type: 'String' as const, ...more };
  return target.admin.ssm
    .send(new PutParameterCommand(input))
    .then((answer) => ({ name: input.Name, version: answer.Version!, tier: answer.Tier! }));
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `/none/${String(index)}`);

export const SSM_CASES = contractCases('ssm', {
  'PutParameter creates version 1 in the standard tier': async (target) => {
    const { version, tier } = await put(target);
    assert.deepEqual([version, tier], [1, 'Standard']);
  },
  'an existing parameter is ParameterAlreadyExists': async (target) => {
    const { name } = await put(target);
    await refusedWith(400, put(target, { Name: name }), 'ParameterAlreadyExists');
  },
  'Overwrite makes a new version, also of an equal value': async (target) => {
    const { name } = await put(target);
    assert.equal((await put(target, { Name: name, Overwrite: true })).version, 2);
    assert.equal((await put(target, { Name: name, Overwrite: true, Type: undefined })).version, 3);
  },
  'a new parameter needs a type': async (target) => {
    await refused(put(target, { Type: undefined }), 'ValidationException');
  },
  'a type that does not exist is a ValidationException': async (target) => {
    await refused(put(target, { Type: 'Secret' as 'String' }), 'ValidationException');
  },
  'an empty value is a ValidationException': async (target) => {
    await refused(put(target, { Value: '' }), 'ValidationException');
  },
  '4,096 bytes fit the standard tier, 4,097 do not': async (target) => {
    await put(target, { Value: 'x'.repeat(4096) });
    await refused(put(target, { Value: 'x'.repeat(4097) }), 'ValidationException');
  },
  'sizes are bytes, not characters': async (target) => {
    await refused(put(target, { Value: 'é'.repeat(2049) }), 'ValidationException');
  },
  '8,192 bytes fit the advanced tier, 8,193 do not': async (target) => {
    assert.equal((await put(target, { Value: 'x'.repeat(8192), Tier: 'Advanced' })).tier, 'Advanced');
    await refused(put(target, { Value: 'x'.repeat(8193), Tier: 'Advanced' }), 'ValidationException');
  },
  'intelligent tiering chooses by size': async (target) => {
    assert.equal((await put(target, { Tier: 'Intelligent-Tiering' })).tier, 'Standard');
    assert.equal((await put(target, { Tier: 'Intelligent-Tiering', Value: 'x'.repeat(5000) })).tier, 'Advanced');
  },
  'an advanced parameter cannot become a standard one': async (target) => {
    const { name } = await put(target, { Tier: 'Advanced' });
    await refused(put(target, { Name: name, Overwrite: true, Tier: 'Standard' }), 'ValidationException');
  },
  'a standard parameter can become an advanced one': async (target) => {
    const { name } = await put(target);
    assert.equal((await put(target, { Name: name, Overwrite: true, Tier: 'Advanced' })).tier, 'Advanced');
  },
  'a change of type is refused, or takes effect': {
    source:
      'SSM API reference, PutParameter: HierarchyTypeMismatchException; against it TestAccSSMParameter_updateType and #9843 of terraform-provider-aws',
    run: async (target) => {
      const { name } = await put(target);
      const change = put(target, { Name: name, Overwrite: true, Type: 'SecureString' });
      const outcome = await change.then(
        () => 'changed',
        (error: unknown) => (error as Error).name,
      );
      assert.ok(['changed', 'HierarchyTypeMismatchException'].includes(outcome), outcome);
      const { Parameter } = await target.admin.ssm.send(new GetParameterCommand({ Name: name }));
      assert.equal(Parameter?.Type, outcome === 'changed' ? 'SecureString' : 'String');
    },
  },
  'tags and Overwrite do not go together': async (target) => {
    const { name } = await put(target);
    await refused(
      put(target, { Name: name, Overwrite: true, Tags: [{ Key: 'a', Value: 'b' }] }),
      'ValidationException',
    );
  },
  'a value that references another parameter is refused': async (target) => {
    await refused(put(target, { Value: 'a {{ssm:other}} b' }), 'ValidationException');
  },
  'a value that does not match its pattern is refused': async (target) => {
    await put(target, { Value: '123', AllowedPattern: '^\\d+$' });
    await refused(put(target, { Value: 'abc', AllowedPattern: '^\\d+$' }), 'ParameterPatternMismatchException');
  },
  'a pattern that is none is refused': async (target) => {
    await refused(put(target, { AllowedPattern: '(' }), 'InvalidAllowedPatternException');
  },
  'a data type that does not exist is refused': async (target) => {
    await refused(put(target, { DataType: 'number' }), 'ValidationException');
  },
  'names starting with aws or ssm are reserved': async (target) => {
    for (const Name of ['aws-thing', 'SSMthing', '/ssm/thing', '/Ssm-thing'])
      await refused(put(target, { Name }), 'ValidationException');
    await refused(put(target, { Name: '/aws/thing' }), 'AccessDeniedException');
  },
  'a name with a slash must start with one': async (target) => {
    await refused(put(target, { Name: 'a/b' }), 'ValidationException');
  },
  'characters outside letters, digits and .-_ are refused': async (target) => {
    for (const Name of ['/a b', '/a:b', '/a#b', '/ä', '/a//b', '/a/'])
      await refused(put(target, { Name }), 'ValidationException');
  },
  'fifteen levels are allowed, sixteen are not': async (target) => {
    const unique = target.uniqueName('deep');
    await put(target, { Name: `/${unique}${'/x'.repeat(14)}` });
    await refused(put(target, { Name: `/${unique}${'/x'.repeat(15)}` }), 'HierarchyLevelLimitExceededException');
  },
  'a name counts with its ARN towards 1,011 characters': async (target) => {
    await refused(put(target, { Name: `/${'x'.repeat(1000)}` }), 'ValidationException');
  },
  'a description of 1,025 characters is refused': async (target) => {
    await put(target, { Description: 'x'.repeat(1024) });
    await refused(put(target, { Description: 'x'.repeat(1025) }), 'ValidationException');
  },
  'GetParameter shows a secret encrypted unless asked': async (target) => {
    const { name } = await put(target, { Type: 'SecureString', Value: 'visible-value' });
    const hidden = await target.admin.ssm.send(new GetParameterCommand({ Name: name }));
    assert.notEqual(hidden.Parameter?.Value, 'visible-value');
    const shown = await target.admin.ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
    assert.equal(shown.Parameter?.Value, 'visible-value');
    assert.equal(shown.Parameter.ARN, `arn:aws:ssm:${target.region}:${target.accountId}:parameter${name}`);
  },
  'a parameter that does not exist is ParameterNotFound': async (target) => {
    await refusedWith(400, target.admin.ssm.send(new GetParameterCommand({ Name: '/none' })), 'ParameterNotFound');
    await refused(target.admin.ssm.send(new DeleteParameterCommand({ Name: '/none' })), 'ParameterNotFound');
    await refused(target.admin.ssm.send(new GetParameterHistoryCommand({ Name: '/none' })), 'ParameterNotFound');
  },
  'at the root a name is the same with and without its slash': {
    source: 'terraform-provider-aws #49116; localstack #12298; both names have one ARN (user guide, "Parameter names")',
    run: async (target) => {
      const bare = target.uniqueName('root');
      await put(target, { Name: `/${bare}` });
      await refused(put(target, { Name: bare }), 'ParameterAlreadyExists');
      const { Parameters } = await target.admin.ssm.send(new GetParametersCommand({ Names: [bare] }));
      assert.equal(Parameters?.[0]?.ARN, `arn:aws:ssm:${target.region}:${target.accountId}:parameter/${bare}`);
      const { DeletedParameters } = await target.admin.ssm.send(new DeleteParametersCommand({ Names: [bare] }));
      assert.equal(DeletedParameters?.length, 1);
      await refused(target.admin.ssm.send(new GetParameterCommand({ Name: `/${bare}` })), 'ParameterNotFound');
    },
  },
  'GetParameter names a parameter at the root with or without its slash': {
    source: 'terraform-provider-aws #49116: the API drops the slash; #49339: GetParameter keeps it',
    run: async (target) => {
      const { name } = await put(target, { Name: `/${target.uniqueName('root')}` });
      const { Parameter } = await target.admin.ssm.send(new GetParameterCommand({ Name: name }));
      assert.ok([name, name.slice(1)].includes(Parameter?.Name ?? ''));
    },
  },
  'a version can be selected by number and by label': async (target) => {
    const { name } = await put(target, { Value: 'one' });
    await put(target, { Name: name, Value: 'two', Overwrite: true });
    await target.admin.ssm.send(
      new LabelParameterVersionCommand({ Name: name, ParameterVersion: 1, Labels: ['stable'] }),
    );
    for (const selector of ['1', 'stable']) {
      const { Parameter } = await target.admin.ssm.send(new GetParameterCommand({ Name: `${name}:${selector}` }));
      assert.deepEqual([Parameter?.Value, Parameter?.Version, Parameter?.Selector], ['one', 1, `:${selector}`]);
    }
  },
  'a version that does not exist is ParameterVersionNotFound': async (target) => {
    const { name } = await put(target);
    await refused(target.admin.ssm.send(new GetParameterCommand({ Name: `${name}:7` })), 'ParameterVersionNotFound');
  },
  'a name that no parameter can have is a ValidationException': {
    source: 'aws-sdk-js-v3 #5005 (GetParameter of "xxx/yyy"); localstack #11538',
    run: async (target) => {
      for (const Name of ['a/b', '/a b', '/a//b', '/ä']) {
        await refused(target.admin.ssm.send(new GetParameterCommand({ Name })), 'ValidationException');
        await refused(target.admin.ssm.send(new GetParametersCommand({ Names: [Name] })), 'ValidationException');
      }
    },
  },
  'GetParameterHistory takes an ARN': {
    source: 'SSM API reference, GetParameterHistory: Name, "the name or Amazon Resource Name (ARN)"',
    run: async (target) => {
      const { name } = await put(target);
      const arn = `arn:aws:ssm:${target.region}:${target.accountId}:parameter${name}`;
      const { Parameters } = await target.admin.ssm.send(new GetParameterHistoryCommand({ Name: arn }));
      assert.deepEqual([Parameters?.length, Parameters?.[0]?.Name], [1, name]);
    },
  },
  'an expiration in the past, or without a version, is refused': {
    source: 'SSM API reference, InvalidPolicyAttributeException; user guide, "Assigning parameter policies"',
    run: async (target) => {
      const expiring = (policy: object) =>
        put(target, { Tier: 'Advanced', Policies: JSON.stringify([{ Type: 'Expiration', ...policy }]) });
      const at = (ms: number) => ({ Timestamp: new Date(Date.now() + ms).toISOString() });
      await refused(expiring({ Version: '1.0', Attributes: at(-60_000) }), 'InvalidPolicyAttributeException');
      await refused(expiring({ Attributes: at(86_400_000) }), 'InvalidPolicyAttributeException');
      await expiring({ Version: '1.0', Attributes: at(86_400_000) });
    },
  },
  'GetParameters reports unknown names as invalid': async (target) => {
    const { name } = await put(target);
    const answer = await target.admin.ssm.send(new GetParametersCommand({ Names: [name, '/none'] }));
    assert.deepEqual(
      answer.Parameters?.map((p) => p.Name),
      [name],
    );
    assert.deepEqual(answer.InvalidParameters, ['/none']);
  },
  'GetParameters takes ten names, not eleven': async (target) => {
    await target.admin.ssm.send(new GetParametersCommand({ Names: names(10) }));
    await refused(target.admin.ssm.send(new GetParametersCommand({ Names: names(11) })), 'ValidationException');
  },
  'DeleteParameters reports unknown names as invalid': async (target) => {
    const { name } = await put(target);
    const answer = await target.admin.ssm.send(new DeleteParametersCommand({ Names: [name, '/none'] }));
    assert.deepEqual([answer.DeletedParameters, answer.InvalidParameters], [[name], ['/none']]);
    await refused(target.admin.ssm.send(new GetParameterCommand({ Name: name })), 'ParameterNotFound');
  },
  'DeleteParameters takes ten names, not eleven': async (target) => {
    await refused(target.admin.ssm.send(new DeleteParametersCommand({ Names: names(11) })), 'ValidationException');
  },
  'GetParametersByPath knows one level and all levels': async (target) => {
    const path = `/${target.uniqueName('path')}`;
    for (const name of ['/a', '/b/c', '/b/d']) await put(target, { Name: path + name });
    const one = await target.admin.ssm.send(new GetParametersByPathCommand({ Path: path }));
    assert.deepEqual(
      one.Parameters?.map((p) => p.Name),
      [`${path}/a`],
    );
    const all = await target.admin.ssm.send(new GetParametersByPathCommand({ Path: path, Recursive: true }));
    assert.equal(all.Parameters?.length, 3);
  },
  'GetParametersByPath gives ten at most': async (target) => {
    const path = `/${target.uniqueName('path')}`;
    for (let index = 0; index < 12; index += 1) await put(target, { Name: `${path}/${String(index)}` });
    const first = await target.admin.ssm.send(new GetParametersByPathCommand({ Path: path }));
    assert.ok(first.NextToken !== undefined && first.Parameters!.length <= 10);
    await refused(
      target.admin.ssm.send(new GetParametersByPathCommand({ Path: path, MaxResults: 11 })),
      'ValidationException',
    );
  },
  'a path that does not start with a slash is refused': async (target) => {
    await refused(target.admin.ssm.send(new GetParametersByPathCommand({ Path: 'a' })), 'ValidationException');
  },
  'a token that AWS did not give is InvalidNextToken': async (target) => {
    const call = new DescribeParametersCommand({ NextToken: 'made-up' });
    await refused(target.admin.ssm.send(call), 'InvalidNextToken');
  },
  'GetServiceSetting tells the throughput setting': async (target) => {
    const SettingId = '/ssm/parameter-store/high-throughput-enabled';
    const { ServiceSetting } = await target.admin.ssm.send(new GetServiceSettingCommand({ SettingId }));
    assert.equal(ServiceSetting?.SettingValue, 'false');
    await refused(
      target.admin.ssm.send(new GetServiceSettingCommand({ SettingId: '/ssm/none' })),
      'ServiceSettingNotFound',
    );
  },
});
