/**
 * Access keys that are narrowed to each use: what a validation tries before, who calls what, and
 * what happens when AWS refuses. Against the strict sandbox.
 */
import { GetUserCommand } from '@aws-sdk/client-iam';
import { GetParametersCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import type { SessionRequest } from '../../../src/aws/session.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import type { Check } from '../../../src/domain/connection/checks.ts';
import { isNarrowed } from '../../../src/domain/connection/narrowing.ts';
import type { PolicyDocument } from '../../../src/domain/policy/document.ts';
import { policyFor } from '../../../src/domain/policy/policies.ts';
import { sessionPolicyFor } from '../../../src/domain/policy/session.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import {
  createValidator,
  createWorld,
  CUSTOMER,
  keyRow,
  parameters,
  place,
  REGION,
  rotation,
  secrets,
  useOf,
  type World,
} from './world.ts';

const ALL: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['ssm:*', 'secretsmanager:*', 'kms:*', 'iam:*'], Resource: '*' }],
};
const federation: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 'sts:GetFederationToken',
      Resource: `arn:aws:sts::${CUSTOMER}:federated-user/keyferry-*`,
    },
  ],
};
const HOUR_MS = 3_600_000;
const calledBy = (world: World, operation: string) =>
  world.sandbox.calls.list({ operation }).map(({ accessKeyId }) => accessKeyId.slice(0, 4));

async function narrowingOf(world: World, uses = [useOf(parameters)]): Promise<readonly Check[]> {
  const row = keyRow(world.userKey, { narrowAccessKey: true });
  const { changes } = await createValidator(world)({ row, uses });
  return (changes.checks ?? []).filter(({ name }) => name === 'narrowing');
}

function open(world: World, change: Partial<SessionRequest> = {}, revision = 1) {
  const refusals: string[] = [];
  const aws = createAwsAccess({
    baseCredentials: world.baseKey,
    region: REGION,
    requestHandler: createSandboxRequestHandler(world.sandbox),
    nowMs: () => world.sandbox.clock.now().getTime(),
    onNarrowingRefused: (_id, refusal) => refusals.push(refusal.code),
  });
  const calls = createCallLog();
  const session = (credentialsRevision = revision) =>
    aws.session({
      credentials: {
        orgId: 'acme',
        method: 'access-key',
        ...world.userKey,
        ...connection,
        credentialsRevision,
      },
      region: REGION,
      policy: sessionPolicyFor([parameters], place),
      narrowing: 'wanted',
      scope: { signal: AbortSignal.timeout(10_000), calls, beforeMutation: () => Promise.resolve(), subjectId: 's' },
      ...change,
    });
  return { session, refusals, calls };
}

const connection = { connectionId: '22222222-2222-4222-8222-222222222222' };
const put = (Name: string) => new PutParameterCommand({ Name, Value: 'v', Type: 'String' });

it('a validation tries the whole use under the narrowed session, and says for each use that it is narrowed', async () => {
  const world = createWorld();
  world.setUserPolicy(ALL, federation);
  const uses = [useOf(parameters), useOf(secrets), useOf(rotation)];
  const checks = await narrowingOf(world, uses);
  expect(checks.map(({ subject, verdict }) => [subject, verdict])).toEqual([
    [expect.stringContaining('/app/prod/'), 'pass'],
    [expect.stringContaining('app/prod/'), 'pass'],
  ]);
  const row = { method: 'access-key', narrowAccessKey: true, status: 'valid', checks };
  expect([parameters, secrets, rotation].map((target) => isNarrowed(row, target))).toEqual([true, true, false]);
  expect(isNarrowed({ ...row, status: 'pending' }, parameters)).toBe(false);
  expect(isNarrowed({ ...row, narrowAccessKey: false }, parameters)).toBe(false);
});

it('a user who may not call GetFederationToken is told, with the statement; the connection stays valid', async () => {
  const world = createWorld();
  world.setUserPolicy(ALL);
  const row = keyRow(world.userKey, { narrowAccessKey: true });
  const { changes } = await createValidator(world)({ row, uses: [useOf(parameters)] });
  const [check] = (changes.checks ?? []).filter(({ name }) => name === 'narrowing');
  expect([changes.status, check?.verdict]).toEqual(['valid', 'warn']);
  expect(check?.detail).toMatch(/use the access key as it is: .*sts:GetFederationToken/);
  expect(JSON.stringify(check?.fix?.policy)).toContain('"sts:GetFederationToken"');
});

it('what only the key itself may do is named, and the use is not narrowed', async () => {
  const world = createWorld();
  const onlyItself: PolicyDocument = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Action: 'ssm:DeleteParameters',
        Resource: '*',
        Condition: { StringEquals: { 'aws:PrincipalType': 'FederatedUser' } },
      },
    ],
  };
  world.setUserPolicy(ALL, federation, onlyItself);
  const [check] = await narrowingOf(world);
  expect([check?.verdict, check?.detail]).toEqual(['warn', expect.stringContaining('AWS denies ssm:DeleteParameters')]);
});

it('a policy that AWS refuses is told, not taken for a success', async () => {
  const world = createWorld();
  world.setUserPolicy(ALL, federation);
  world.sandbox.faults.add({
    operation: 'GetFederationToken',
    action: { error: { code: 'PackedPolicyTooLarge', status: 400 } },
  });
  const [check] = await narrowingOf(world);
  expect([check?.verdict, check?.detail]).toEqual(['warn', expect.stringContaining('PackedPolicyTooLarge')]);
});

it('a connection that does not ask for it is not tried', async () => {
  const world = createWorld();
  world.setUserPolicy(ALL, federation);
  await createValidator(world)({ row: keyRow(world.userKey), uses: [useOf(parameters)] });
  expect(world.sandbox.calls.count({ operation: 'GetFederationToken' })).toBe(0);
});

it('SSM is called through the session and cannot leave the path; STS and IAM are called with the key itself', async () => {
  const world = createWorld();
  world.setUserPolicy(ALL, federation);
  const { session, calls } = open(world);
  await session().ssm.send(put('/app/prod/A'));
  await expect(session().ssm.send(put('/other/A'))).rejects.toMatchObject({ code: 'AWS_ACCESS_DENIED' });
  await session().iam.send(new GetUserCommand({ UserName: 'deployer' }));
  await session().sts.send(new GetCallerIdentityCommand({}));
  expect((await session().identity()).arn).toContain(':user/deployer');
  expect(calledBy(world, 'PutParameter')).toEqual(['ASIA', 'ASIA']);
  expect(calledBy(world, 'GetUser')).toEqual(['AKIA']);
  expect(new Set(calledBy(world, 'GetCallerIdentity'))).toEqual(new Set(['AKIA']));
  expect(calls.counts['sts.GetFederationToken']).toBe(1);
});

it('a session lasts an hour at most, belongs to one revision, and is asked for again when AWS no longer takes it', async () => {
  const world = createWorld();
  world.setUserPolicy(ALL, federation);
  const { session } = open(world);
  const read = (revision?: number) => session(revision).ssm.send(new GetParametersCommand({ Names: ['/app/prod/A'] }));
  const asked = () => world.sandbox.calls.count({ operation: 'GetFederationToken' });
  await read();
  await read();
  expect(asked()).toBe(1);
  expect(world.sandbox.calls.list({ operation: 'GetFederationToken' })[0]?.parameters.DurationSeconds).toBe(3_600);
  await read(2);
  expect(asked()).toBe(2);
  world.sandbox.clock.advance(HOUR_MS);
  await read();
  expect(asked()).toBe(3);
  world.sandbox.faults.add({
    operation: 'GetParameters',
    times: 1,
    action: { error: { code: 'ExpiredTokenException' } },
  });
  await read();
  expect(asked()).toBe(4);
});

it('a refusal on the way is reported and the key is used as it is, for ten minutes; on trial it is thrown', async () => {
  const world = createWorld();
  world.setUserPolicy(ALL);
  const { session, refusals } = open(world);
  await session().ssm.send(put('/app/prod/A'));
  await session().ssm.send(put('/app/prod/B'));
  expect([calledBy(world, 'PutParameter'), refusals]).toEqual([['AKIA', 'AKIA'], ['AWS_ACCESS_DENIED']]);
  world.setUserPolicy(ALL, federation);
  world.sandbox.clock.advance(HOUR_MS / 6);
  await session().ssm.send(put('/app/prod/C'));
  expect(calledBy(world, 'PutParameter').at(-1)).toBe('ASIA');
  world.setUserPolicy(ALL);
  const tried = open(world, { narrowing: 'required' });
  await expect(tried.session().ssm.send(put('/app/prod/D'))).rejects.toMatchObject({ code: 'AWS_ACCESS_DENIED' });
});

it('a narrowed session is as small as the policy of its sync', () => {
  const printed = policyFor(parameters, place);
  const actions = new Set(printed.Statement.flatMap(({ Action }) => [Action ?? []].flat()));
  const session = sessionPolicyFor([parameters], place).Statement.flatMap(({ Action }) => [Action ?? []].flat());
  expect(session.filter((action) => !actions.has(action) && !action.startsWith('kms:'))).toEqual([]);
});
