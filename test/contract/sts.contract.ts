/** STS, as documented. */
import assert from 'node:assert/strict';
import {
  AssumeRoleCommand,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  type AssumeRoleCommandInput,
} from '@aws-sdk/client-sts';
import { DeleteAccessKeyCommand, GetUserCommand, UpdateAccessKeyCommand } from '@aws-sdk/client-iam';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import { allow, trust, type Clients, type ContractTarget, type Credentials } from './target.ts';

const ASSUME = allow(['sts:AssumeRole']);
const SECOND_SESSION_SECONDS = 7_200;

/** A user who may assume roles, and a role whose trust policy wants an external ID. */
async function pair(target: ContractTarget): Promise<{ user: Clients; roleArn: string }> {
  const user = await target.createUser(ASSUME);
  const { arn } = await target.createRole({
    trust: trust(`arn:aws:iam::${target.accountId}:root`, 'external-1'),
    policy: allow(['ssm:*']),
  });
  return { user: target.clientsFor(await target.createKey(user.userName)), roleArn: arn };
}

function assume(
  clients: Clients,
  roleArn: string,
  more: Partial<AssumeRoleCommandInput> = {},
): Promise<Credentials & { arn: string; expiresAt: Date }> {
  const input = { RoleArn: roleArn, RoleSessionName: 'contract', ExternalId: 'external-1', ...more };
  return clients.sts.send(new AssumeRoleCommand(input)).then((answer) => ({
    accessKeyId: answer.Credentials!.AccessKeyId!,
    secretAccessKey: answer.Credentials!.SecretAccessKey!,
    sessionToken: answer.Credentials!.SessionToken!,
    expiresAt: answer.Credentials!.Expiration!,
    arn: answer.AssumedRoleUser!.Arn!,
  }));
}

export const STS_CASES = contractCases('sts', {
  'GetCallerIdentity tells account, ARN and user id of a user': async (target) => {
    const { userName, arn } = await target.createUser();
    const { sts } = target.clientsFor(await target.createKey(userName));
    const identity = await sts.send(new GetCallerIdentityCommand({}));
    assert.equal(identity.Arn, arn);
    assert.equal(identity.Account, target.accountId);
    assert.match(identity.UserId ?? '', /^AIDA/);
  },
  'GetCallerIdentity answers in spite of an explicit deny': async (target) => {
    const { userName } = await target.createUser({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Action: ['*'], Resource: '*' }],
    });
    const { sts } = target.clientsFor(await target.createKey(userName));
    assert.equal((await sts.send(new GetCallerIdentityCommand({}))).Account, target.accountId);
  },
  'an unknown access key is InvalidClientTokenId': async (target) => {
    const { sts } = target.clientsFor({ accessKeyId: 'AKIAUNKNOWNUNKNOWN00', secretAccessKey: 'none' });
    await refusedWith(403, sts.send(new GetCallerIdentityCommand({})), 'InvalidClientTokenId');
  },
  'a wrong secret is SignatureDoesNotMatch': async (target) => {
    const { userName } = await target.createUser();
    const key = await target.createKey(userName);
    const { sts } = target.clientsFor({ ...key, secretAccessKey: 'wrong' });
    await refusedWith(403, sts.send(new GetCallerIdentityCommand({})), 'SignatureDoesNotMatch');
  },
  'an inactive key is InvalidClientTokenId': async (target) => {
    const { userName } = await target.createUser();
    const key = await target.createKey(userName);
    await target.admin.iam.send(
      new UpdateAccessKeyCommand({ UserName: userName, AccessKeyId: key.accessKeyId, Status: 'Inactive' }),
    );
    await refused(target.clientsFor(key).sts.send(new GetCallerIdentityCommand({})), 'InvalidClientTokenId');
  },
  'a deleted key is InvalidClientTokenId': async (target) => {
    const { userName } = await target.createUser();
    const key = await target.createKey(userName);
    await target.admin.iam.send(new DeleteAccessKeyCommand({ UserName: userName, AccessKeyId: key.accessKeyId }));
    await refused(target.clientsFor(key).sts.send(new GetCallerIdentityCommand({})), 'InvalidClientTokenId');
  },
  'AssumeRole with the right external ID gives an hour as the role': async (target) => {
    const { user, roleArn } = await pair(target);
    const session = await assume(user, roleArn);
    assert.match(session.accessKeyId, /^ASIA/);
    assert.ok(session.arn.endsWith(`:assumed-role/${roleArn.split('/').at(-1)!}/contract`));
    const seconds = (session.expiresAt.getTime() - Date.now()) / 1000;
    assert.ok(seconds > 3500 && seconds <= 3600, `expires in ${String(seconds)} s`);
    const identity = await target.clientsFor(session).sts.send(new GetCallerIdentityCommand({}));
    assert.equal(identity.Arn, session.arn);
    assert.match(identity.UserId ?? '', /^AROA.*:contract$/);
  },
  'a wrong external ID is AccessDenied': async (target) => {
    const { user, roleArn } = await pair(target);
    await refusedWith(403, assume(user, roleArn, { ExternalId: 'external-2' }), 'AccessDenied');
  },
  'a missing external ID is AccessDenied': async (target) => {
    const { user, roleArn } = await pair(target);
    await refusedWith(403, assume(user, roleArn, { ExternalId: undefined }), 'AccessDenied');
  },
  'a role that does not exist is AccessDenied': async (target) => {
    const { user } = await pair(target);
    await refused(assume(user, `arn:aws:iam::${target.accountId}:role/nobody`), 'AccessDenied');
  },
  'a caller without sts:AssumeRole is AccessDenied': async (target) => {
    const { roleArn } = await pair(target);
    const { userName } = await target.createUser();
    await refused(assume(target.clientsFor(await target.createKey(userName)), roleArn), 'AccessDenied');
  },
  'a principal that the trust policy does not name is AccessDenied': async (target) => {
    const { user } = await pair(target);
    const { arn: other } = await target.createUser();
    const { arn } = await target.createRole({ trust: trust(other) });
    await refused(assume(user, arn), 'AccessDenied');
  },
  'a trust policy that names the caller is enough within an account': async (target) => {
    const user = await target.createUser();
    const { arn } = await target.createRole({ trust: trust(user.arn) });
    await assume(target.clientsFor(await target.createKey(user.userName)), arn);
  },
  'an empty external ID is a validation error': async (target) => {
    const { user, roleArn } = await pair(target);
    await refusedWith(400, assume(user, roleArn, { ExternalId: '' }), 'ValidationError');
  },
  'an external ID with a space is a validation error': async (target) => {
    const { user, roleArn } = await pair(target);
    await refused(assume(user, roleArn, { ExternalId: 'external 1' }), 'ValidationError');
  },
  'a session name of one character is a validation error': async (target) => {
    const { user, roleArn } = await pair(target);
    await refused(assume(user, roleArn, { RoleSessionName: 'x' }), 'ValidationError');
  },
  'a session name of 65 characters is a validation error': async (target) => {
    const { user, roleArn } = await pair(target);
    await refused(assume(user, roleArn, { RoleSessionName: 'x'.repeat(65) }), 'ValidationError');
  },
  'a session name with a slash is a validation error': async (target) => {
    const { user, roleArn } = await pair(target);
    await refused(assume(user, roleArn, { RoleSessionName: 'a/b' }), 'ValidationError');
  },
  'fewer than 900 seconds are a validation error': async (target) => {
    const { user, roleArn } = await pair(target);
    await refused(assume(user, roleArn, { DurationSeconds: 899 }), 'ValidationError');
  },
  'more seconds than the role allows are a validation error': async (target) => {
    const { user, roleArn } = await pair(target);
    await refused(assume(user, roleArn, { DurationSeconds: SECOND_SESSION_SECONDS }), 'ValidationError');
  },
  'a role that allows longer sessions gives them': async (target) => {
    const { user } = await pair(target);
    const { arn } = await target.createRole({
      trust: trust(`arn:aws:iam::${target.accountId}:root`),
      maxSessionSeconds: SECOND_SESSION_SECONDS,
    });
    const session = await assume(user, arn, { DurationSeconds: SECOND_SESSION_SECONDS });
    assert.ok(session.expiresAt.getTime() - Date.now() > 3_700_000);
  },
  'role chaining is limited to an hour': async (target) => {
    const { user } = await pair(target);
    const first = await target.createRole({ trust: trust(`arn:aws:iam::${target.accountId}:root`), policy: ASSUME });
    const second = await target.createRole({
      trust: trust(`arn:aws:iam::${target.accountId}:root`),
      maxSessionSeconds: SECOND_SESSION_SECONDS,
    });
    const chained = target.clientsFor(await assume(user, first.arn));
    await assume(chained, second.arn);
    await refused(assume(chained, second.arn, { DurationSeconds: SECOND_SESSION_SECONDS }), 'ValidationError');
  },
  'a malformed session policy is MalformedPolicyDocument': async (target) => {
    const { user, roleArn } = await pair(target);
    await refusedWith(400, assume(user, roleArn, { Policy: '{"Version":' }), 'MalformedPolicyDocumentException');
  },
  'a session policy whose resource is no ARN is MalformedPolicyDocument': {
    source:
      'IAM user guide, "IAM JSON policy elements: Resource": an ARN or "*"; STS API reference, MalformedPolicyDocument',
    run: async (target) => {
      const { user, roleArn } = await pair(target);
      const Policy = JSON.stringify(allow(['ssm:*'], { Resource: '/app/*' }));
      await refusedWith(400, assume(user, roleArn, { Policy }), 'MalformedPolicyDocumentException');
    },
  },
  'a trust policy for everybody needs no further permission inside the account': {
    source:
      'IAM user guide, "Policy evaluation logic" for one account, and "AWS JSON policy elements: Principal", wildcards',
    run: async (target) => {
      const { userName } = await target.createUser();
      const { arn } = await target.createRole({ trust: trust('*', 'external-1') });
      const clients = target.clientsFor(await target.createKey(userName));
      assert.match((await assume(clients, arn)).arn, /:assumed-role\//);
      await refused(assume(clients, arn, { ExternalId: 'other' }), 'AccessDenied');
    },
  },
  'a session policy of more than 2,048 characters is refused': async (target) => {
    const { user, roleArn } = await pair(target);
    const Policy = JSON.stringify(
      allow(Array.from({ length: 80 }, (_, index) => `ssm:GetParameterNumberAndMore${String(index)}`)),
    );
    await refused(assume(user, roleArn, { Policy }), 'ValidationError', 'PackedPolicyTooLargeException');
  },
  'a session policy narrows what the role allows': async (target) => {
    const { user, roleArn } = await pair(target);
    const session = await assume(user, roleArn, { Policy: JSON.stringify(allow(['ssm:GetParameter'])) });
    const { ssm } = target.clientsFor(session);
    await refused(ssm.send(new GetParameterCommand({ Name: target.uniqueName('none') })), 'ParameterNotFound');
    const put = new PutParameterCommand({ Name: target.uniqueName('p'), Value: 'v', Type: 'String' });
    await refusedWith(400, ssm.send(put), 'AccessDeniedException');
  },
  'a role may do what its policy allows and nothing else': async (target) => {
    const { user, roleArn } = await pair(target);
    const { ssm, iam } = target.clientsFor(await assume(user, roleArn));
    await ssm.send(new PutParameterCommand({ Name: target.uniqueName('p'), Value: 'v', Type: 'String' }));
    await refusedWith(403, iam.send(new GetUserCommand({ UserName: 'x' })), 'AccessDenied');
  },
  'a session token that is not the own one is refused': async (target) => {
    const { user, roleArn } = await pair(target);
    const session = await assume(user, roleArn);
    const { sts } = target.clientsFor({ ...session, sessionToken: 'another' });
    await refused(sts.send(new GetCallerIdentityCommand({})), 'InvalidClientTokenId');
  },
  'a role ARN that is none is a validation error': async (target) => {
    const { user } = await pair(target);
    await refused(assume(user, 'not-an-arn-but-long-enough'), 'ValidationError');
  },
  'GetAccessKeyInfo tells the account of a key': async (target) => {
    const { userName } = await target.createUser();
    const key = await target.createKey(userName);
    const info = await target.admin.sts.send(new GetAccessKeyInfoCommand({ AccessKeyId: key.accessKeyId }));
    assert.equal(info.Account, target.accountId);
  },
});
