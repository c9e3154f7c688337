/**
 * STS, GetFederationToken, as documented: API reference, and IAM user guide, "Requesting temporary
 * security credentials" and its comparison of STS credentials.
 */
import assert from 'node:assert/strict';
import {
  AssumeRoleCommand,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  type GetFederationTokenCommandInput,
} from '@aws-sdk/client-sts';

import { GetUserCommand } from '@aws-sdk/client-iam';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import { allow, trust, type Clients, type ContractTarget, type Credentials } from './target.ts';

const ALL = allow(['sts:*', 'ssm:*', 'iam:*']);

async function userWith(target: ContractTarget, policy = ALL): Promise<Clients> {
  const { userName } = await target.createUser(policy);
  return target.clientsFor(await target.createKey(userName));
}

async function federate(clients: Clients, more: Partial<GetFederationTokenCommandInput> = {}) {
  const input = { Name: 'contract', Policy: JSON.stringify(allow(['ssm:GetParameter'])), ...more };
  const { Credentials: given, FederatedUser } = await clients.sts.send(new GetFederationTokenCommand(input));
  const credentials: Credentials = {
    accessKeyId: given!.AccessKeyId!,
    secretAccessKey: given!.SecretAccessKey!,
    sessionToken: given!.SessionToken!,
  };
  return { credentials, expiresAt: given!.Expiration!, user: FederatedUser! };
}

const put = (target: ContractTarget) =>
  new PutParameterCommand({ Name: target.uniqueName('p'), Value: 'v', Type: 'String' });

export const STS_FEDERATION_CASES = contractCases('sts', {
  'GetFederationToken gives a federated user, for twelve hours unless asked otherwise': async (target) => {
    const { credentials, expiresAt, user } = await federate(await userWith(target));
    assert.match(credentials.accessKeyId, /^ASIA/);
    assert.equal(user.FederatedUserId, `${target.accountId}:contract`);
    assert.ok(user.Arn!.endsWith(`:${target.accountId}:federated-user/contract`));
    assert.ok(Math.abs(expiresAt.getTime() - Date.now() - 43_200_000) < 60_000);
    const identity = await target.clientsFor(credentials).sts.send(new GetCallerIdentityCommand({}));
    assert.equal(identity.Arn, user.Arn);
    assert.equal(identity.UserId, user.FederatedUserId);
  },
  'a federated session may do what user and session policy both allow': async (target) => {
    const { ssm } = target.clientsFor((await federate(await userWith(target))).credentials);
    await refused(ssm.send(new GetParameterCommand({ Name: target.uniqueName('none') })), 'ParameterNotFound');
    await refusedWith(400, ssm.send(put(target)), 'AccessDeniedException');
    const narrow = await userWith(target, allow(['sts:GetFederationToken']));
    const wide = await federate(narrow, { Policy: JSON.stringify(allow(['ssm:*'])) });
    await refusedWith(400, target.clientsFor(wide.credentials).ssm.send(put(target)), 'AccessDeniedException');
  },
  'a federated session without a policy may do nothing': async (target) => {
    const { ssm } = target.clientsFor((await federate(await userWith(target), { Policy: undefined })).credentials);
    await refusedWith(400, ssm.send(put(target)), 'AccessDeniedException');
  },
  'a federated session may call nothing of IAM': async (target) => {
    const { credentials } = await federate(await userWith(target), { Policy: JSON.stringify(ALL) });
    await refused(
      target.clientsFor(credentials).iam.send(new GetUserCommand({ UserName: 'x' })),
      'InvalidClientTokenId',
    );
  },
  'a federated session may call of STS only GetCallerIdentity': async (target) => {
    const { credentials } = await federate(await userWith(target), { Policy: JSON.stringify(ALL) });
    const clients = target.clientsFor(credentials);
    await refused(federate(clients), 'AccessDenied');
    const { arn: RoleArn } = await target.createRole({ trust: trust(`arn:aws:iam::${target.accountId}:root`) });
    const assume = new AssumeRoleCommand({ RoleArn, RoleSessionName: 'contract' });
    await refused(clients.sts.send(assume), 'AccessDenied');
  },
  'a session of a role may not call GetFederationToken': async (target) => {
    const { arn: RoleArn } = await target.createRole({
      trust: trust(`arn:aws:iam::${target.accountId}:root`),
      policy: ALL,
    });
    const { sts } = await userWith(target);
    const { Credentials: given } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'contract' }));
    const session = target.clientsFor({
      accessKeyId: given!.AccessKeyId!,
      secretAccessKey: given!.SecretAccessKey!,
      sessionToken: given!.SessionToken!,
    });
    await refusedWith(403, federate(session), 'AccessDenied');
  },
  'a user without sts:GetFederationToken is AccessDenied': async (target) => {
    await refusedWith(403, federate(await userWith(target, allow(['ssm:*']))), 'AccessDenied');
  },
  'a name of a federated user has 2 to 32 characters, and none that ARNs use': async (target) => {
    const clients = await userWith(target);
    for (const Name of ['x', 'x'.repeat(33), 'a/b']) await refused(federate(clients, { Name }), 'ValidationError');
    await federate(clients, { Name: 'x'.repeat(32) });
  },
  'a federated session lasts 900 to 129,600 seconds': async (target) => {
    const clients = await userWith(target);
    for (const DurationSeconds of [899, 129_601])
      await refused(federate(clients, { DurationSeconds }), 'ValidationError');
    const { expiresAt } = await federate(clients, { DurationSeconds: 900 });
    assert.ok(Math.abs(expiresAt.getTime() - Date.now() - 900_000) < 60_000);
  },
  'a policy for a federated session has at most 2,048 characters, and must be one': async (target) => {
    const clients = await userWith(target);
    const Policy = JSON.stringify(
      allow(Array.from({ length: 80 }, (_, at) => `ssm:GetParameterNumberAndMore${String(at)}`)),
    );
    await refused(federate(clients, { Policy }), 'ValidationError', 'PackedPolicyTooLargeException');
    await refusedWith(400, federate(clients, { Policy: '{"Version":' }), 'MalformedPolicyDocumentException');
  },
});
