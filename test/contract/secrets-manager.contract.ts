/** Secrets Manager: creating, writing, versions, as documented. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
  type CreateSecretCommandInput,
} from '@aws-sdk/client-secrets-manager';
import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import type { ContractTarget } from './target.ts';

async function create(
  target: ContractTarget,
  more: Partial<CreateSecretCommandInput> = {},
): Promise<{ id: string; arn: string; versionId: string }> {
  const input = { Name: target.uniqueName('s'), SecretString: 'one', ClientRequestToken: randomUUID(), ...more };
  const answer = await target.admin.secrets.send(new CreateSecretCommand(input));
  return { id: input.Name, arn: answer.ARN!, versionId: answer.VersionId! };
}

interface Written {
  readonly id: string;
  readonly value: string;
  readonly token?: string;
}

async function put(
  target: ContractTarget,
  { id, value: SecretString, token = randomUUID() }: Written,
): Promise<string> {
  const input = { SecretId: id, SecretString, ClientRequestToken: token };
  return (await target.admin.secrets.send(new PutSecretValueCommand(input))).VersionId!;
}

async function stages(target: ContractTarget, SecretId: string): Promise<Record<string, string[]>> {
  const { VersionIdsToStages } = await target.admin.secrets.send(new DescribeSecretCommand({ SecretId }));
  return VersionIdsToStages ?? {};
}

async function value(target: ContractTarget, SecretId: string): Promise<string | undefined> {
  return (await target.admin.secrets.send(new GetSecretValueCommand({ SecretId }))).SecretString;
}

const manyTags = (count: number): { Key: string; Value: string }[] =>
  Array.from({ length: count }, (_, index) => ({ Key: `k${String(index)}`, Value: 'v' }));

export const SECRETS_MANAGER_CASES = contractCases('secretsmanager', {
  'the token becomes the version id, the ARN ends in six characters': async (target) => {
    const ClientRequestToken = randomUUID();
    const { id, arn, versionId } = await create(target, { ClientRequestToken });
    assert.equal(versionId, ClientRequestToken);
    assert.match(
      arn,
      new RegExp(`^arn:aws:secretsmanager:${target.region}:${target.accountId}:secret:${id}-[A-Za-z0-9]{6}$`),
    );
  },
  'a secret is found by name, by ARN and by the ARN without its end': async (target) => {
    const { id, arn } = await create(target);
    for (const SecretId of [id, arn, arn.slice(0, -7)]) assert.equal(await value(target, SecretId), 'one');
  },
  'an existing name is ResourceExistsException': async (target) => {
    const { id } = await create(target);
    await refusedWith(400, create(target, { Name: id }), 'ResourceExistsException');
  },
  'creating again with the same token and value is answered as before': async (target) => {
    const ClientRequestToken = randomUUID();
    const { id, arn } = await create(target, { ClientRequestToken });
    assert.deepEqual(await create(target, { Name: id, ClientRequestToken }), {
      id,
      arn,
      versionId: ClientRequestToken,
    });
  },
  'creating again with the same token and another value is ResourceExistsException': async (target) => {
    const ClientRequestToken = randomUUID();
    const { id } = await create(target, { ClientRequestToken });
    await refused(create(target, { Name: id, ClientRequestToken, SecretString: 'two' }), 'ResourceExistsException');
  },
  'characters outside of the documented ones are refused': async (target) => {
    for (const character of [' ', '#', ':', 'ä', '('])
      await refused(create(target, { Name: `${target.uniqueName('s')}${character}x` }), 'ValidationException');
    await create(target, { Name: target.uniqueName('a/b_c+d=e.f@g') });
  },
  'names go up to 512 characters': async (target) => {
    const start = target.uniqueName('s');
    await create(target, { Name: start.padEnd(512, 'x') });
    await refused(create(target, { Name: start.padEnd(513, 'x') }), 'ValidationException');
  },
  'values go up to 65,536 bytes': async (target) => {
    await create(target, { SecretString: 'x'.repeat(65_536) });
    await refused(create(target, { SecretString: 'x'.repeat(65_537) }), 'ValidationException');
    await refused(create(target, { SecretString: 'é'.repeat(32_769) }), 'ValidationException');
  },
  'an empty value is a ValidationException': async (target) => {
    await refused(create(target, { SecretString: '' }), 'ValidationException');
  },
  'a text and a binary value together are refused': async (target) => {
    await refused(create(target, { SecretBinary: new Uint8Array([1]) }), 'InvalidParameterException');
  },
  'a binary value comes back as it was': async (target) => {
    const SecretBinary = new Uint8Array([0, 1, 254, 255]);
    const { id } = await create(target, { SecretString: undefined, SecretBinary });
    const found = await target.admin.secrets.send(new GetSecretValueCommand({ SecretId: id }));
    assert.deepEqual(Buffer.from(found.SecretBinary!), Buffer.from(SecretBinary));
  },
  'a token of fewer than 32 characters is refused': async (target) => {
    await refused(
      create(target, { ClientRequestToken: 'x'.repeat(31) }),
      'ValidationException',
      'InvalidParameterException',
    );
  },
  'tags are set at creation; fifty-one are too many': async (target) => {
    const { id } = await create(target, { Tags: manyTags(50) });
    const { Tags } = await target.admin.secrets.send(new DescribeSecretCommand({ SecretId: id }));
    assert.equal(Tags?.length, 50);
    await refused(create(target, { Tags: manyTags(51) }), 'InvalidParameterException');
  },
  'tags starting with aws: are reserved': async (target) => {
    await refused(create(target, { Tags: [{ Key: 'aws:mine', Value: 'v' }] }), 'InvalidParameterException');
  },
  'tags can be added, overwritten and removed': async (target) => {
    const { id } = await create(target, { Tags: [{ Key: 'a', Value: '1' }] });
    await target.admin.secrets.send(
      new TagResourceCommand({
        SecretId: id,
        Tags: [
          { Key: 'a', Value: '2' },
          { Key: 'b', Value: '3' },
        ],
      }),
    );
    await target.admin.secrets.send(new UntagResourceCommand({ SecretId: id, TagKeys: ['b', 'never-there'] }));
    const { Tags } = await target.admin.secrets.send(new DescribeSecretCommand({ SecretId: id }));
    assert.deepEqual(Tags, [{ Key: 'a', Value: '2' }]);
  },
  'a secret that does not exist is ResourceNotFoundException': async (target) => {
    const SecretId = target.uniqueName('none');
    await refusedWith(
      400,
      target.admin.secrets.send(new GetSecretValueCommand({ SecretId })),
      'ResourceNotFoundException',
    );
    await refused(target.admin.secrets.send(new DescribeSecretCommand({ SecretId })), 'ResourceNotFoundException');
    await refused(put(target, { id: SecretId, value: 'two' }), 'ResourceNotFoundException');
  },
  'a secret without a value has none to get': async (target) => {
    const { id } = await create(target, { SecretString: undefined });
    await refused(target.admin.secrets.send(new GetSecretValueCommand({ SecretId: id })), 'ResourceNotFoundException');
  },
  'PutSecretValue moves AWSCURRENT and AWSPREVIOUS': async (target) => {
    const { id, versionId: first } = await create(target);
    const second = await put(target, { id, value: 'two' });
    assert.deepEqual(await stages(target, id), { [first]: ['AWSPREVIOUS'], [second]: ['AWSCURRENT'] });
    const third = await put(target, { id, value: 'three' });
    assert.deepEqual(await stages(target, id), { [second]: ['AWSPREVIOUS'], [third]: ['AWSCURRENT'] });
  },
  'PutSecretValue needs a value': async (target) => {
    const { id } = await create(target);
    const call = target.admin.secrets.send(new PutSecretValueCommand({ SecretId: id }));
    await refused(call, 'InvalidRequestException', 'InvalidParameterException');
  },
  'putting the same token and value again changes nothing': async (target) => {
    const { id } = await create(target);
    const token = await put(target, { id, value: 'two' });
    const before = await stages(target, id);
    assert.equal(await put(target, { id, value: 'two', token }), token);
    assert.deepEqual(await stages(target, id), before);
  },
  'putting the same token with another value is ResourceExistsException': async (target) => {
    const { id } = await create(target);
    const token = await put(target, { id, value: 'two' });
    await refused(put(target, { id, value: 'three', token }), 'ResourceExistsException');
  },
  'putting an older token again does not move AWSCURRENT back': async (target) => {
    const { id, versionId } = await create(target);
    await put(target, { id, value: 'two' });
    await put(target, { id, value: 'one', token: versionId });
    assert.equal(await value(target, id), 'two');
  },
  'UpdateSecret with a token that exists is refused': async (target) => {
    const { id, versionId } = await create(target);
    const call = new UpdateSecretCommand({ SecretId: id, SecretString: 'two', ClientRequestToken: versionId });
    await refused(target.admin.secrets.send(call), 'ResourceExistsException');
  },
  'UpdateSecret changes the description without a new version': async (target) => {
    const { id, versionId } = await create(target);
    await target.admin.secrets.send(new UpdateSecretCommand({ SecretId: id, Description: 'words' }));
    const { Description, VersionIdsToStages } = await target.admin.secrets.send(
      new DescribeSecretCommand({ SecretId: id }),
    );
    assert.equal(Description, 'words');
    assert.deepEqual(Object.keys(VersionIdsToStages ?? {}), [versionId]);
  },
  'a stage of one’s own does not move AWSCURRENT': async (target) => {
    const { id } = await create(target);
    const SecretBinary = undefined;
    const input = { SecretId: id, SecretString: 'two', SecretBinary, VersionStages: ['AWSPENDING'] };
    const { VersionId } = await target.admin.secrets.send(new PutSecretValueCommand(input));
    assert.equal(await value(target, id), 'one');
    const pending = await target.admin.secrets.send(
      new GetSecretValueCommand({ SecretId: id, VersionStage: 'AWSPENDING' }),
    );
    assert.deepEqual([pending.SecretString, pending.VersionId], ['two', VersionId]);
  },
  'AWSCURRENT moves only for who knows where it is': async (target) => {
    const { id, versionId: first } = await create(target);
    const second = await put(target, { id, value: 'two' });
    const move = (RemoveFromVersionId: string | undefined) =>
      target.admin.secrets.send(
        new UpdateSecretVersionStageCommand({
          SecretId: id,
          VersionStage: 'AWSCURRENT',
          MoveToVersionId: first,
          RemoveFromVersionId,
        }),
      );
    await refused(move(undefined), 'InvalidParameterException');
    await refused(move(first), 'InvalidParameterException');
    await move(second);
    assert.deepEqual(await stages(target, id), { [first]: ['AWSCURRENT'], [second]: ['AWSPREVIOUS'] });
  },
  'AWSCURRENT cannot be taken off': async (target) => {
    const { id, versionId } = await create(target);
    const call = new UpdateSecretVersionStageCommand({
      SecretId: id,
      VersionStage: 'AWSCURRENT',
      RemoveFromVersionId: versionId,
    });
    await refused(target.admin.secrets.send(call), 'InvalidParameterException');
  },
  'a stage and a version that do not belong together are refused': async (target) => {
    const { id, versionId } = await create(target);
    await put(target, { id, value: 'two' });
    const get = (more: object) => target.admin.secrets.send(new GetSecretValueCommand({ SecretId: id, ...more }));
    assert.equal((await get({ VersionId: versionId })).SecretString, 'one');
    await refused(
      get({ VersionId: versionId, VersionStage: 'AWSCURRENT' }),
      'InvalidRequestException',
      'ResourceNotFoundException',
    );
    await refused(get({ VersionStage: 'NEVER' }), 'ResourceNotFoundException');
    await refused(get({ VersionId: randomUUID() }), 'ResourceNotFoundException');
  },
  'ListSecretVersionIds shows deprecated versions when asked': async (target) => {
    const { id } = await create(target);
    await put(target, { id, value: 'two' });
    await put(target, { id, value: 'three' });
    const list = async (IncludeDeprecated: boolean) =>
      (await target.admin.secrets.send(new ListSecretVersionIdsCommand({ SecretId: id, IncludeDeprecated }))).Versions
        ?.length;
    assert.deepEqual([await list(false), await list(true)], [2, 3]);
  },
  'more than a hundred versions within a day are LimitExceededException': async (target) => {
    const { id } = await create(target);
    const writes = async (): Promise<void> => {
      for (let count = 0; count < 110; count += 1) await put(target, { id, value: String(count) });
    };
    await refused(writes(), 'LimitExceededException');
  },
});
