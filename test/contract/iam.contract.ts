/** IAM: access keys, users, policy simulation, as documented. */
import assert from 'node:assert/strict';
import {
  CreateAccessKeyCommand,
  DeleteAccessKeyCommand,
  GetAccessKeyLastUsedCommand,
  GetAccountSummaryCommand,
  GetUserCommand,
  ListAccessKeysCommand,
  ListUserTagsCommand,
  SimulatePrincipalPolicyCommand,
  TagUserCommand,
  UpdateAccessKeyCommand,
  type StatusType,
} from '@aws-sdk/client-iam';
import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import { allow } from './target.ts';

export const IAM_CASES = contractCases('iam', {
  'CreateAccessKey gives an active key with its secret': async (target) => {
    const { userName } = await target.createUser();
    const { AccessKey } = await target.admin.iam.send(new CreateAccessKeyCommand({ UserName: userName }));
    assert.match(AccessKey?.AccessKeyId ?? '', /^AKIA[A-Z2-7]{16}$/);
    assert.equal(AccessKey?.SecretAccessKey?.length, 40);
    assert.equal(AccessKey.Status, 'Active');
    assert.equal(AccessKey.UserName, userName);
    assert.ok(AccessKey.CreateDate instanceof Date);
  },
  'a third key is LimitExceeded': async (target) => {
    const { userName } = await target.createUser();
    await target.createKey(userName);
    await target.createKey(userName);
    const call = target.admin.iam.send(new CreateAccessKeyCommand({ UserName: userName }));
    const error = await refused(call, 'LimitExceededException');
    assert.equal(error.$metadata?.httpStatusCode, 409);
    assert.equal(error.message, 'Cannot exceed quota for AccessKeysPerUser: 2');
  },
  'inactive keys count towards the two': async (target) => {
    const { userName } = await target.createUser();
    const { accessKeyId } = await target.createKey(userName);
    await target.createKey(userName);
    await target.admin.iam.send(
      new UpdateAccessKeyCommand({ UserName: userName, AccessKeyId: accessKeyId, Status: 'Inactive' }),
    );
    await refused(target.admin.iam.send(new CreateAccessKeyCommand({ UserName: userName })), 'LimitExceededException');
  },
  'a deleted key frees its place': async (target) => {
    const { userName } = await target.createUser();
    const { accessKeyId } = await target.createKey(userName);
    await target.createKey(userName);
    await target.admin.iam.send(new DeleteAccessKeyCommand({ UserName: userName, AccessKeyId: accessKeyId }));
    await target.admin.iam.send(new CreateAccessKeyCommand({ UserName: userName }));
  },
  'ListAccessKeys shows id, status and date, not the secret': async (target) => {
    const { userName } = await target.createUser();
    const { accessKeyId } = await target.createKey(userName);
    const { AccessKeyMetadata, IsTruncated } = await target.admin.iam.send(
      new ListAccessKeysCommand({ UserName: userName }),
    );
    assert.equal(AccessKeyMetadata?.length, 1);
    assert.deepEqual(Object.keys(AccessKeyMetadata[0]!).sort(), ['AccessKeyId', 'CreateDate', 'Status', 'UserName']);
    assert.equal(AccessKeyMetadata[0]!.AccessKeyId, accessKeyId);
    assert.equal(IsTruncated, false);
  },
  'ListAccessKeys without a user name means the caller': async (target) => {
    const { userName } = await target.createUser(allow(['iam:*']));
    const key = await target.createKey(userName);
    const { AccessKeyMetadata } = await target.clientsFor(key).iam.send(new ListAccessKeysCommand({}));
    assert.deepEqual(
      AccessKeyMetadata?.map((k) => k.AccessKeyId),
      [key.accessKeyId],
    );
  },
  'ListAccessKeys goes by pages': async (target) => {
    const { userName } = await target.createUser();
    await target.createKey(userName);
    await target.createKey(userName);
    const first = await target.admin.iam.send(new ListAccessKeysCommand({ UserName: userName, MaxItems: 1 }));
    assert.equal(first.IsTruncated, true);
    const second = await target.admin.iam.send(
      new ListAccessKeysCommand({ UserName: userName, MaxItems: 1, Marker: first.Marker }),
    );
    assert.equal(second.IsTruncated, false);
    assert.notEqual(second.AccessKeyMetadata?.[0]?.AccessKeyId, first.AccessKeyMetadata?.[0]?.AccessKeyId);
  },
  'UpdateAccessKey switches a key off and on': async (target) => {
    const { userName } = await target.createUser();
    const { accessKeyId } = await target.createKey(userName);
    for (const Status of ['Inactive', 'Inactive', 'Active'] as const) {
      await target.admin.iam.send(new UpdateAccessKeyCommand({ UserName: userName, AccessKeyId: accessKeyId, Status }));
      const { AccessKeyMetadata } = await target.admin.iam.send(new ListAccessKeysCommand({ UserName: userName }));
      assert.equal(AccessKeyMetadata?.[0]?.Status, Status);
    }
  },
  'a status that does not exist is a validation error': async (target) => {
    const { userName } = await target.createUser();
    const { accessKeyId } = await target.createKey(userName);
    const call = new UpdateAccessKeyCommand({
      UserName: userName,
      AccessKeyId: accessKeyId,
      Status: 'Paused' as StatusType,
    });
    await refusedWith(400, target.admin.iam.send(call), 'ValidationError');
  },
  'updating a key that is not the own user’s is NoSuchEntity': async (target) => {
    const [one, other] = [await target.createUser(), await target.createUser()];
    const { accessKeyId } = await target.createKey(one.userName);
    const call = new UpdateAccessKeyCommand({ UserName: other.userName, AccessKeyId: accessKeyId, Status: 'Inactive' });
    await refusedWith(404, target.admin.iam.send(call), 'NoSuchEntityException');
  },
  'deleting a key twice is NoSuchEntity': async (target) => {
    const { userName } = await target.createUser();
    const { accessKeyId } = await target.createKey(userName);
    const command = new DeleteAccessKeyCommand({ UserName: userName, AccessKeyId: accessKeyId });
    await target.admin.iam.send(command);
    await refusedWith(404, target.admin.iam.send(command), 'NoSuchEntityException');
  },
  'a user who does not exist is NoSuchEntity': async (target) => {
    const UserName = target.uniqueName('nobody');
    await refusedWith(404, target.admin.iam.send(new GetUserCommand({ UserName })), 'NoSuchEntityException');
    await refused(target.admin.iam.send(new ListAccessKeysCommand({ UserName })), 'NoSuchEntityException');
    await refused(target.admin.iam.send(new CreateAccessKeyCommand({ UserName })), 'NoSuchEntityException');
  },
  'a user name with a slash is a validation error': async (target) => {
    await refusedWith(400, target.admin.iam.send(new GetUserCommand({ UserName: 'a/b' })), 'ValidationError');
  },
  'an access key id of 15 characters is a validation error': async (target) => {
    const { userName } = await target.createUser();
    const call = new DeleteAccessKeyCommand({ UserName: userName, AccessKeyId: 'x'.repeat(15) });
    await refused(target.admin.iam.send(call), 'ValidationError');
  },
  'GetUser tells ARN, path and id': async (target) => {
    const { userName, arn } = await target.createUser();
    const { User } = await target.admin.iam.send(new GetUserCommand({ UserName: userName }));
    assert.equal(User?.Arn, arn);
    assert.equal(User.Path, '/');
    assert.match(User.UserId ?? '', /^AIDA/);
  },
  'GetUser without a name means the caller': async (target) => {
    const { userName } = await target.createUser(allow(['iam:GetUser']));
    const { iam } = target.clientsFor(await target.createKey(userName));
    assert.equal((await iam.send(new GetUserCommand({}))).User?.UserName, userName);
  },
  'a request signed for another region than us-east-1 is SignatureDoesNotMatch': {
    source:
      'AWS General Reference, "IAM endpoints": one endpoint, region us-east-1; aws-sdk-js-v3 #1024, terraform-provider-aws #40319',
    run: async (target) => {
      const iam = await target.iamSignedFor('eu-west-1');
      await refusedWith(403, iam.send(new GetUserCommand({})), 'SignatureDoesNotMatch');
      await (await target.iamSignedFor('us-east-1')).send(new GetAccountSummaryCommand({}));
    },
  },
  'a user without permission is AccessDenied': async (target) => {
    const { userName } = await target.createUser(allow(['iam:GetUser']));
    const { iam } = target.clientsFor(await target.createKey(userName));
    await refusedWith(403, iam.send(new CreateAccessKeyCommand({ UserName: userName })), 'AccessDenied');
  },
  'a policy on ${aws:username} covers the own user only': async (target) => {
    const resource = `arn:aws:iam::${target.accountId}:user/\${aws:username}`;
    const { userName } = await target.createUser(allow(['iam:ListAccessKeys'], { Resource: resource }));
    const other = await target.createUser();
    const { iam } = target.clientsFor(await target.createKey(userName));
    await iam.send(new ListAccessKeysCommand({ UserName: userName }));
    await refused(iam.send(new ListAccessKeysCommand({ UserName: other.userName })), 'AccessDenied');
  },
  'GetAccessKeyLastUsed of an unused key is N/A': async (target) => {
    const { userName } = await target.createUser();
    const { accessKeyId } = await target.createKey(userName);
    const used = await target.admin.iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId: accessKeyId }));
    assert.equal(used.UserName, userName);
    assert.equal(used.AccessKeyLastUsed?.ServiceName, 'N/A');
    assert.equal(used.AccessKeyLastUsed.Region, 'N/A');
    assert.equal(used.AccessKeyLastUsed.LastUsedDate, undefined);
  },
  'SimulatePrincipalPolicy decides by action and resource': async (target) => {
    const resource = 'arn:aws:ssm:eu-west-1:111122223333:parameter/app/*';
    const { arn } = await target.createUser(allow(['ssm:PutParameter'], { Resource: resource }));
    const input = {
      PolicySourceArn: arn,
      ActionNames: ['ssm:PutParameter', 'ssm:GetParameter'],
      ResourceArns: [resource.replace('*', 'one')],
    };
    const { EvaluationResults } = await target.admin.iam.send(new SimulatePrincipalPolicyCommand(input));
    assert.deepEqual(
      EvaluationResults?.map((r) => r.EvalDecision),
      ['allowed', 'implicitDeny'],
    );
  },
  'SimulatePrincipalPolicy does not take a session': async (target) => {
    const PolicySourceArn = `arn:aws:sts::${target.accountId}:assumed-role/role/session`;
    const call = new SimulatePrincipalPolicyCommand({ PolicySourceArn, ActionNames: ['ssm:GetParameter'] });
    await refused(target.admin.iam.send(call), 'InvalidInputException');
  },
  'tags of a user can be set and read': async (target) => {
    const { userName } = await target.createUser();
    await target.admin.iam.send(new TagUserCommand({ UserName: userName, Tags: [{ Key: 'team', Value: 'a' }] }));
    await target.admin.iam.send(new TagUserCommand({ UserName: userName, Tags: [{ Key: 'team', Value: 'b' }] }));
    const { Tags } = await target.admin.iam.send(new ListUserTagsCommand({ UserName: userName }));
    assert.deepEqual(Tags, [{ Key: 'team', Value: 'b' }]);
  },
  'GetAccountSummary tells the quota of keys': async (target) => {
    const { SummaryMap } = await target.admin.iam.send(new GetAccountSummaryCommand({}));
    assert.equal(SummaryMap?.AccessKeysPerUserQuota, 2);
  },
});
