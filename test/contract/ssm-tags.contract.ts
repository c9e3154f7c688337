/** SSM Parameter Store: tags, credentials, permissions, as documented. */
import assert from 'node:assert/strict';
import {
  AddTagsToResourceCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  GetParametersCommand,
  ListTagsForResourceCommand,
  PutParameterCommand,
  RemoveTagsFromResourceCommand,
  type Tag,
} from '@aws-sdk/client-ssm';
import { UpdateAccessKeyCommand } from '@aws-sdk/client-iam';
import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import { allow, type Clients, type ContractTarget, type Policy } from './target.ts';

const manyTags = (count: number): Tag[] =>
  Array.from({ length: count }, (_, index) => ({ Key: `k${String(index)}`, Value: 'v' }));

async function put(target: ContractTarget, Tags?: Tag[]): Promise<string> {
  const Name = `/${target.uniqueName('contract')}/t`;
  await target.admin.ssm.send(new PutParameterCommand({ Name, Value: 'v', Type: 'String', Tags }));
  return Name;
}

async function userWith(target: ContractTarget, policy: Policy): Promise<Clients> {
  const { userName } = await target.createUser(policy);
  return target.clientsFor(await target.createKey(userName));
}

export const SSM_TAG_CASES = contractCases('ssm', {
  'tags can be added, overwritten, listed and removed': async (target) => {
    const ResourceId = await put(target, [{ Key: 'a', Value: '1' }]);
    const resource = { ResourceType: 'Parameter' as const, ResourceId };
    await target.admin.ssm.send(
      new AddTagsToResourceCommand({
        ...resource,
        Tags: [
          { Key: 'a', Value: '2' },
          { Key: 'b', Value: '' },
        ],
      }),
    );
    await target.admin.ssm.send(new RemoveTagsFromResourceCommand({ ...resource, TagKeys: ['b', 'never-there'] }));
    const { TagList } = await target.admin.ssm.send(new ListTagsForResourceCommand(resource));
    assert.deepEqual(TagList, [{ Key: 'a', Value: '2' }]);
  },
  'tags of a parameter that does not exist are InvalidResourceId': async (target) => {
    const resource = { ResourceType: 'Parameter' as const, ResourceId: '/none' };
    await refusedWith(400, target.admin.ssm.send(new ListTagsForResourceCommand(resource)), 'InvalidResourceId');
    await refused(
      target.admin.ssm.send(new AddTagsToResourceCommand({ ...resource, Tags: manyTags(1) })),
      'InvalidResourceId',
    );
  },
  'fifty tags fit, fifty-one do not': async (target) => {
    const ResourceId = await put(target, manyTags(50));
    const more = { ResourceType: 'Parameter' as const, ResourceId, Tags: [{ Key: 'more', Value: 'v' }] };
    await refused(target.admin.ssm.send(new AddTagsToResourceCommand(more)), 'TooManyTagsError');
  },
  'a tag key given twice is refused': {
    source: 'Systems Manager user guide, "Tagging parameters": each tag key must be unique for a resource',
    run: async (target) => {
      const twice = [
        { Key: 'a', Value: '1' },
        { Key: 'a', Value: '2' },
      ];
      await refused(put(target, twice), 'ValidationException');
    },
  },
  'the managed key of Secrets Manager cannot encrypt a parameter': {
    source: 'KMS developer guide, "AWS managed keys": only the service that owns the key can use it (kms:ViaService)',
    run: async (target) => {
      const input = { Name: `/${target.uniqueName('contract')}/k`, Value: 'v', Type: 'SecureString' as const };
      const call = new PutParameterCommand({ ...input, KeyId: 'alias/aws/secretsmanager' });
      await refused(target.admin.ssm.send(call), 'AccessDeniedException', 'InvalidKeyId');
    },
  },
  'a resource type that does not exist is a ValidationException': async (target) => {
    const call = new ListTagsForResourceCommand({ ResourceType: 'Secret' as 'Parameter', ResourceId: '/none' });
    await refused(target.admin.ssm.send(call), 'ValidationException', 'InvalidResourceType');
  },
  'an unknown access key is UnrecognizedClientException': async (target) => {
    const { ssm } = target.clientsFor({ accessKeyId: 'AKIAUNKNOWNUNKNOWN00', secretAccessKey: 'none' });
    await refusedWith(400, ssm.send(new GetParameterCommand({ Name: '/none' })), 'UnrecognizedClientException');
  },
  'an inactive access key is UnrecognizedClientException': async (target) => {
    const { userName } = await target.createUser(allow(['ssm:*']));
    const key = await target.createKey(userName);
    await target.admin.iam.send(
      new UpdateAccessKeyCommand({ UserName: userName, AccessKeyId: key.accessKeyId, Status: 'Inactive' }),
    );
    const { ssm } = target.clientsFor(key);
    await refused(ssm.send(new GetParameterCommand({ Name: '/none' })), 'UnrecognizedClientException');
  },
  'a wrong secret is InvalidSignatureException': async (target) => {
    const { userName } = await target.createUser(allow(['ssm:*']));
    const key = await target.createKey(userName);
    const { ssm } = target.clientsFor({ ...key, secretAccessKey: 'wrong' });
    await refusedWith(400, ssm.send(new GetParameterCommand({ Name: '/none' })), 'InvalidSignatureException');
  },
  'reading does not allow writing': async (target) => {
    const Name = await put(target);
    const { ssm } = await userWith(target, allow(['ssm:GetParameter']));
    await ssm.send(new GetParameterCommand({ Name }));
    const call = ssm.send(new PutParameterCommand({ Name, Value: 'w', Overwrite: true }));
    const error = await refused(call, 'AccessDeniedException');
    assert.match(
      error.message,
      /is not authorized to perform: ssm:PutParameter on resource: arn:aws:ssm:.*because no identity-based policy allows the ssm:PutParameter action/,
    );
  },
  'a policy on a path covers that path only': async (target) => {
    const Resource = `arn:aws:ssm:*:${target.accountId}:parameter/own/*`;
    const { ssm } = await userWith(target, allow(['ssm:GetParameter', 'ssm:GetParameters'], { Resource }));
    await refused(ssm.send(new GetParameterCommand({ Name: '/own/none' })), 'ParameterNotFound');
    await refused(ssm.send(new GetParameterCommand({ Name: '/other/none' })), 'AccessDeniedException');
    await refused(ssm.send(new GetParametersCommand({ Names: ['/own/none', '/other/none'] })), 'AccessDeniedException');
  },
  'an explicit deny wins': async (target) => {
    const policy = allow(['ssm:*']);
    policy.Statement.push({ Effect: 'Deny', Action: ['ssm:Describe*'], Resource: '*' });
    const { ssm } = await userWith(target, policy);
    const error = await refused(ssm.send(new DescribeParametersCommand({})), 'AccessDeniedException');
    assert.match(error.message, /with an explicit deny in an identity-based policy/);
  },
  'creating with tags needs ssm:AddTagsToResource': async (target) => {
    const { ssm } = await userWith(target, allow(['ssm:PutParameter']));
    const plain = { Name: `/${target.uniqueName('contract')}/t`, Value: 'v', Type: 'String' as const };
    await refused(ssm.send(new PutParameterCommand({ ...plain, Tags: manyTags(1) })), 'AccessDeniedException');
    await ssm.send(new PutParameterCommand(plain));
  },
});
