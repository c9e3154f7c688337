/** Secrets Manager: deletion, lists, batches, permissions, as documented. */
import assert from 'node:assert/strict';
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  RestoreSecretCommand,
  TagResourceCommand,
  ValidateResourcePolicyCommand,
  type DeleteSecretCommandInput,
  type ListSecretsCommandInput,
} from '@aws-sdk/client-secrets-manager';
import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import { allow, type ContractTarget } from './target.ts';

async function create(target: ContractTarget, Name = target.uniqueName('s')): Promise<string> {
  await target.admin.secrets.send(
    new CreateSecretCommand({ Name, SecretString: 'one', Tags: [{ Key: 'mark', Value: Name }] }),
  );
  return Name;
}

function remove(target: ContractTarget, SecretId: string, more: Partial<DeleteSecretCommandInput> = {}) {
  return target.admin.secrets.send(new DeleteSecretCommand({ SecretId, ...more }));
}

async function list(target: ContractTarget, more: ListSecretsCommandInput): Promise<string[]> {
  const { SecretList } = await target.admin.secrets.send(new ListSecretsCommand(more));
  return SecretList!.map((entry) => entry.Name!).sort();
}

const byName = (prefix: string): Pick<ListSecretsCommandInput, 'Filters'> => ({
  Filters: [{ Key: 'name', Values: [prefix] }],
});

export const SECRETS_MANAGER_LIST_CASES = contractCases('secretsmanager', {
  'a secret scheduled for deletion refuses use': async (target) => {
    const SecretId = await create(target);
    await remove(target, SecretId);
    const { secrets } = target.admin;
    await refusedWith(400, secrets.send(new GetSecretValueCommand({ SecretId })), 'InvalidRequestException');
    await refused(
      secrets.send(new PutSecretValueCommand({ SecretId, SecretString: 'two' })),
      'InvalidRequestException',
    );
    await refused(
      secrets.send(new TagResourceCommand({ SecretId, Tags: [{ Key: 'a', Value: 'b' }] })),
      'InvalidRequestException',
    );
  },
  'a secret scheduled for deletion can be described': async (target) => {
    const SecretId = await create(target);
    await remove(target, SecretId);
    const { DeletedDate } = await target.admin.secrets.send(new DescribeSecretCommand({ SecretId }));
    assert.ok(DeletedDate instanceof Date);
  },
  'a name scheduled for deletion cannot be created': async (target) => {
    const name = await create(target);
    await remove(target, name);
    await refused(create(target, name), 'InvalidRequestException');
  },
  'RestoreSecret brings a secret back': async (target) => {
    const SecretId = await create(target);
    await remove(target, SecretId);
    await target.admin.secrets.send(new RestoreSecretCommand({ SecretId }));
    const { SecretString } = await target.admin.secrets.send(new GetSecretValueCommand({ SecretId }));
    assert.equal(SecretString, 'one');
  },
  'the recovery window is 7 to 30 days': async (target) => {
    const SecretId = await create(target);
    for (const RecoveryWindowInDays of [6, 31])
      await refused(remove(target, SecretId, { RecoveryWindowInDays }), 'InvalidParameterException');
    const { DeletionDate } = await remove(target, SecretId, { RecoveryWindowInDays: 7 });
    const days = (DeletionDate!.getTime() - Date.now()) / 86_400_000;
    assert.ok(days > 6.9 && days < 7.1, `${String(days)} days`);
  },
  'a recovery window and force do not go together': async (target) => {
    const SecretId = await create(target);
    const both = { RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: true };
    await refused(remove(target, SecretId, both), 'InvalidParameterException');
  },
  'force deletes at once': async (target) => {
    const SecretId = await create(target);
    await remove(target, SecretId, { ForceDeleteWithoutRecovery: true });
    await refused(target.admin.secrets.send(new DescribeSecretCommand({ SecretId })), 'ResourceNotFoundException');
  },
  'a scheduled deletion can be forced, not scheduled again': async (target) => {
    const SecretId = await create(target);
    await remove(target, SecretId);
    await refused(remove(target, SecretId), 'InvalidRequestException');
    await remove(target, SecretId, { ForceDeleteWithoutRecovery: true });
    await refused(target.admin.secrets.send(new DescribeSecretCommand({ SecretId })), 'ResourceNotFoundException');
  },
  'force on a secret that does not exist is no error, a window is': async (target) => {
    const SecretId = target.uniqueName('none');
    await remove(target, SecretId, { ForceDeleteWithoutRecovery: true });
    await refused(remove(target, SecretId), 'ResourceNotFoundException');
  },
  'lists leave out what is scheduled for deletion unless asked': async (target) => {
    const prefix = target.uniqueName('list');
    await create(target, `${prefix}/a`);
    await create(target, `${prefix}/b`);
    await remove(target, `${prefix}/b`);
    assert.deepEqual(await list(target, byName(prefix)), [`${prefix}/a`]);
    assert.deepEqual(await list(target, { ...byName(prefix), IncludePlannedDeletion: true }), [
      `${prefix}/a`,
      `${prefix}/b`,
    ]);
  },
  'lists tell which version is current': async (target) => {
    const prefix = target.uniqueName('list');
    await create(target, prefix);
    const { VersionId } = await target.admin.secrets.send(
      new PutSecretValueCommand({ SecretId: prefix, SecretString: 'two' }),
    );
    const { SecretList } = await target.admin.secrets.send(new ListSecretsCommand(byName(prefix)));
    assert.deepEqual(SecretList?.[0]?.SecretVersionsToStages?.[VersionId!], ['AWSCURRENT']);
    assert.deepEqual(SecretList[0].Tags, [{ Key: 'mark', Value: prefix }]);
  },
  'lists filter by name, tag and their negation': async (target) => {
    const prefix = target.uniqueName('list');
    await create(target, `${prefix}/a`);
    await create(target, `${prefix}/b`);
    const tagged = { Key: 'tag-value' as const, Values: [`${prefix}/a`] };
    assert.deepEqual(await list(target, { Filters: [tagged] }), [`${prefix}/a`]);
    const not = { Key: 'name' as const, Values: [`!${prefix}/a`] };
    assert.deepEqual(await list(target, { Filters: [...byName(prefix).Filters!, not] }), [`${prefix}/b`]);
  },
  'lists go by pages of a hundred at most': async (target) => {
    const prefix = target.uniqueName('list');
    for (const name of ['a', 'b', 'c']) await create(target, `${prefix}/${name}`);
    const { secrets } = target.admin;
    const first = await secrets.send(new ListSecretsCommand({ ...byName(prefix), MaxResults: 2 }));
    const second = await secrets.send(
      new ListSecretsCommand({ ...byName(prefix), MaxResults: 2, NextToken: first.NextToken }),
    );
    const found = [...first.SecretList!, ...second.SecretList!].map((entry) => entry.Name);
    assert.equal(new Set(found).size, 3);
    assert.equal(second.NextToken, undefined);
    await refused(secrets.send(new ListSecretsCommand({ MaxResults: 101 })), 'ValidationException');
  },
  'a token that AWS did not give is InvalidNextTokenException': async (target) => {
    await refused(
      target.admin.secrets.send(new ListSecretsCommand({ NextToken: 'made-up' })),
      'InvalidNextTokenException',
    );
  },
  'BatchGetSecretValue answers each secret for itself': async (target) => {
    const [good, gone] = [await create(target), await create(target)];
    await remove(target, gone);
    const none = target.uniqueName('none');
    const answer = await target.admin.secrets.send(
      new BatchGetSecretValueCommand({ SecretIdList: [good, gone, none] }),
    );
    assert.deepEqual(
      answer.SecretValues?.map((entry) => [entry.Name, entry.SecretString]),
      [[good, 'one']],
    );
    const codes = Object.fromEntries(answer.Errors!.map((error) => [error.SecretId, error.ErrorCode]));
    assert.deepEqual(codes, { [gone]: 'InvalidRequestException', [none]: 'ResourceNotFoundException' });
  },
  'BatchGetSecretValue takes twenty ids, not twenty-one': async (target) => {
    const ids = Array.from({ length: 21 }, (_, index) => `none-${String(index)}`);
    const call = new BatchGetSecretValueCommand({ SecretIdList: ids });
    await refused(target.admin.secrets.send(call), 'ValidationException');
  },
  'BatchGetSecretValue takes ids or filters': async (target) => {
    const name = await create(target);
    const { secrets } = target.admin;
    await refused(
      secrets.send(new BatchGetSecretValueCommand({ SecretIdList: [name], ...byName(name) })),
      'InvalidParameterException',
    );
    const { SecretValues } = await secrets.send(new BatchGetSecretValueCommand(byName(name)));
    assert.deepEqual(
      SecretValues?.map((entry) => entry.Name),
      [name],
    );
  },
  'a secret is replicated to another region and back': async (target) => {
    const SecretId = await create(target);
    const { secrets } = target.admin;
    const AddReplicaRegions = [{ Region: 'eu-central-1' }];
    const { ReplicationStatus } = await secrets.send(
      new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }),
    );
    assert.equal(ReplicationStatus?.[0]?.Region, 'eu-central-1');
    await refused(remove(target, SecretId), 'InvalidParameterException');
    await secrets.send(new RemoveRegionsFromReplicationCommand({ SecretId, RemoveReplicaRegions: ['eu-central-1'] }));
    await remove(target, SecretId);
  },
  'ValidateResourcePolicy tells a policy for everybody': async (target) => {
    const statement = { Effect: 'Allow', Principal: '*', Action: 'secretsmanager:GetSecretValue', Resource: '*' };
    const ResourcePolicy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    const { secrets } = target.admin;
    const answer = await secrets.send(new ValidateResourcePolicyCommand({ ResourcePolicy }));
    assert.equal(answer.PolicyValidationPassed, false);
    await refused(
      secrets.send(new ValidateResourcePolicyCommand({ ResourcePolicy: '{' })),
      'MalformedPolicyDocumentException',
    );
  },
  'a policy on a prefix covers that prefix only': async (target) => {
    const Resource = `arn:aws:secretsmanager:*:${target.accountId}:secret:own/*`;
    const { userName } = await target.createUser(allow(['secretsmanager:*'], { Resource }));
    const { secrets } = target.clientsFor(await target.createKey(userName));
    const own = `own/${target.uniqueName('s')}`;
    await secrets.send(new CreateSecretCommand({ Name: own, SecretString: 'one' }));
    await secrets.send(new GetSecretValueCommand({ SecretId: own }));
    await refused(secrets.send(new DescribeSecretCommand({ SecretId: 'own/none' })), 'ResourceNotFoundException');
    await refused(secrets.send(new DescribeSecretCommand({ SecretId: 'other/none' })), 'AccessDeniedException');
    await refused(secrets.send(new ListSecretsCommand({})), 'AccessDeniedException');
  },
  'creating with tags needs secretsmanager:TagResource': async (target) => {
    const { userName } = await target.createUser(allow(['secretsmanager:CreateSecret']));
    const { secrets } = target.clientsFor(await target.createKey(userName));
    const plain = { Name: target.uniqueName('s'), SecretString: 'one' };
    const tagged = new CreateSecretCommand({ ...plain, Tags: [{ Key: 'a', Value: 'b' }] });
    await refused(secrets.send(tagged), 'AccessDeniedException');
    await secrets.send(new CreateSecretCommand(plain));
  },
  'an unknown access key is UnrecognizedClientException': async (target) => {
    const { secrets } = target.clientsFor({ accessKeyId: 'AKIAUNKNOWNUNKNOWN00', secretAccessKey: 'none' });
    await refusedWith(400, secrets.send(new ListSecretsCommand({})), 'UnrecognizedClientException');
  },
});
