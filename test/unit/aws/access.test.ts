import { GetParametersCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { CreateAccessKeyCommand, GetUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { describe, expect, it, vi } from 'vitest';

import { createAwsAccess, type AwsAccessOptions } from '../../../src/aws/access.ts';
import type { ConnectionCredentials } from '../../../src/domain/connection/credentials.ts';
import { JobError } from '../../../src/errors.ts';
import {
  assumedRole,
  baseUser,
  callerIdentityIs,
  createScope,
  createScriptedAws,
  jsonError,
  networkError,
  REQUEST_ID,
  type ScriptedAnswer,
  type SentRequest,
  xmlError,
} from './scripted-aws.ts';

const role: ConnectionCredentials = {
  connectionId: '11111111-1111-4111-8111-111111111111',
  orgId: 'acme',
  credentialsRevision: 1,
  method: 'assume-role',
  roleArn: 'arn:aws:iam::111122223333:role/app',
  externalId: 'acme',
};
const key: ConnectionCredentials = {
  connectionId: '22222222-2222-4222-8222-222222222222',
  orgId: 'acme',
  credentialsRevision: 1,
  method: 'access-key',
  accessKeyId: 'AKIAEXAMPLE000000001',
  secretAccessKey: 'not-a-secret',
};
const put = () => new PutParameterCommand({ Name: '/a', Value: 'v', Type: 'SecureString' });
const read = () => new GetParametersCommand({ Names: ['/a'] });

const complete: Readonly<Record<string, unknown>> = {
  'ssm.PutParameter': { Version: 1 },
  'ssm.GetParameters': { Parameters: [], InvalidParameters: ['/a'] },
};

function accessWith(
  answers: Partial<Record<string, (request: SentRequest, index: number) => ScriptedAnswer>>,
  options: Partial<AwsAccessOptions> = {},
) {
  const aws = createScriptedAws((request, index) => {
    const answer = answers[request.operation];
    if (answer) return answer(request, index);
    if (request.operation === 'sts.GetCallerIdentity') return baseUser;
    if (request.operation === 'sts.AssumeRole') return assumedRole(index);
    return { body: complete[request.operation] };
  });
  const access = createAwsAccess({
    baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' },
    region: 'eu-west-1',
    requestHandler: aws.requestHandler,
    random: () => 0.5,
    ...options,
  });
  return { aws, access };
}

const failure = async (promise: Promise<unknown>): Promise<JobError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(JobError);
  return error as JobError;
};

describe('a session', () => {
  it('assumes the role once for many calls, services and regions', async () => {
    const { aws, access } = accessWith({});
    const scope = createScope();
    const sessions = ['eu-west-1', 'us-east-1'].map((region) => access.session({ credentials: role, region, scope }));
    await Promise.all(
      sessions.flatMap((session) => [session.ssm.send(read()), session.ssm.send(put()), session.identity()]),
    );
    expect(aws.operations().filter((operation) => operation === 'sts.AssumeRole')).toHaveLength(1);
    expect(scope.calls.counts).toEqual({
      'sts.GetCallerIdentity': 1,
      'sts.AssumeRole': 1,
      'ssm.GetParameters': 2,
      'ssm.PutParameter': 2,
    });
    expect(
      aws.sent.filter((request) => request.operation.startsWith('ssm')).map((request) => request.accessKeyId),
    ).toEqual(Array(4).fill('ASIASESSION1'));
  });

  it('sends the external ID, a stable session name and the compact session policy', async () => {
    const { aws, access } = accessWith({});
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'ssm:GetParameters', Resource: '*' }],
    } as const;
    await access.session({ credentials: role, region: 'eu-west-1', policy, scope: createScope() }).identity();
    const form = new URLSearchParams(aws.sent.find((request) => request.operation === 'sts.AssumeRole')?.body);
    expect(form.get('ExternalId')).toBe('acme');
    expect(form.get('RoleSessionName')).toBe(`keyferry-${role.connectionId}`);
    expect(form.get('Policy')).toBe(JSON.stringify(policy));
    expect(form.get('DurationSeconds')).toBe('3600');
  });

  it('is not shared across connections, revisions or policies', async () => {
    const { aws, access } = accessWith({});
    const other = { ...role, connectionId: '33333333-3333-4333-8333-333333333333' };
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'ssm:GetParameters', Resource: '*' }],
    } as const;
    for (const credentials of [role, other, { ...role, credentialsRevision: 2 }]) {
      await access.session({ credentials, region: 'eu-west-1', scope: createScope() }).identity();
    }
    await access.session({ credentials: role, region: 'eu-west-1', policy, scope: createScope() }).identity();
    expect(aws.operations().filter((operation) => operation === 'sts.AssumeRole')).toHaveLength(4);
  });

  it('is renewed in the background before it expires, while calls go on', async () => {
    let nowMs = 0;
    const { aws, access } = accessWith({}, { nowMs: () => nowMs });
    const session = access.session({ credentials: role, region: 'eu-west-1', scope: createScope() });
    await session.ssm.send(read());
    nowMs = 50 * 60_000;
    await session.ssm.send(read());
    await session.ssm.send(read());
    expect(aws.operations().filter((operation) => operation === 'sts.AssumeRole')).toHaveLength(2);
    expect(
      aws.sent.filter((request) => request.operation === 'ssm.GetParameters').map((request) => request.accessKeyId),
    ).toEqual(['ASIASESSION1', 'ASIASESSION1', 'ASIASESSION2']);
  });

  it('keeps the valid session when a renewal fails', async () => {
    let nowMs = 0;
    const { access } = accessWith(
      { 'sts.AssumeRole': (_request, index) => (index === 1 ? assumedRole(1) : xmlError('AccessDenied', 'no')) },
      { nowMs: () => nowMs },
    );
    const session = access.session({ credentials: role, region: 'eu-west-1', scope: createScope() });
    await session.ssm.send(read());
    nowMs = 50 * 60_000;
    await session.ssm.send(read());
    await expect(session.ssm.send(read())).resolves.toBeDefined();
    nowMs = 60 * 60_000;
    expect((await failure(session.ssm.send(read()))).code).toBe('CONNECTION_ACCESS_DENIED');
  });

  it('is taken anew once when AWS calls it expired, also for many calls at a time', async () => {
    let nowMs = 1;
    const { aws, access } = accessWith(
      {
        'ssm.PutParameter': (request) =>
          request.accessKeyId === 'ASIASESSION1'
            ? jsonError('ExpiredTokenException', 'expired')
            : { body: { Version: 1 } },
      },
      { nowMs: () => (nowMs += 1) },
    );
    const session = access.session({ credentials: role, region: 'eu-west-1', scope: createScope() });
    await session.identity();
    await Promise.all([1, 2, 3].map(() => session.ssm.send(put())));
    expect(aws.operations().filter((operation) => operation === 'sts.AssumeRole')).toHaveLength(2);
    expect(aws.operations().filter((operation) => operation === 'ssm.PutParameter')).toHaveLength(6);
  });

  it('refuses a session policy that AWS would refuse', async () => {
    const { access } = accessWith({});
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'ssm:GetParameters', Resource: 'x'.repeat(2_048) }],
    } as const;
    expect(() => access.session({ credentials: role, region: 'eu-west-1', policy, scope: createScope() })).toThrow(
      /session policy/,
    );
  });

  it('works with a static key without asking who it is', async () => {
    const { aws, access } = accessWith({});
    await access.session({ credentials: key, region: 'eu-west-1', scope: createScope() }).ssm.send(read());
    expect(aws.operations()).toEqual(['ssm.GetParameters']);
    expect(aws.sent[0]?.accessKeyId).toBe('AKIAEXAMPLE000000001');
  });
});

describe('the region that IAM requests are signed for', () => {
  const regions = ['eu-west-1', 'us-gov-east-1', 'cn-northwest-1', 'eusc-de-east-1', 'us-iso-west-1', 'us-isob-east-1'];

  it.each([
    ['of AWS', {}],
    ['of one’s own', { endpoints: { iam: 'http://127.0.0.1:9' } }],
  ])('is the one that AWS’s own endpoint rules name, with an endpoint %s', async (_name, options) => {
    const { aws, access } = accessWith({ 'iam.GetUser': () => xmlError('NoSuchEntity', 'no user', 404) }, options);
    for (const region of regions) {
      const session = access.session({ credentials: key, region, scope: createScope() });
      await session.iam.send(new GetUserCommand({ UserName: 'robot' })).catch(() => undefined);
    }
    const signed = aws.sent.filter((request) => request.operation === 'iam.GetUser').map((one) => one.signedRegion);
    expect(signed).toEqual(regions.map(signingRegionOf));
  });
});

function signingRegionOf(region: string): unknown {
  const { endpointProvider } = new IAMClient({ region }).config;
  const { properties } = endpointProvider({ Region: region, UseFIPS: false, UseDualStack: false });
  const [scheme] = (properties?.['authSchemes'] ?? []) as readonly { readonly signingRegion?: string }[];
  return scheme?.signingRegion;
}

describe('a call', () => {
  it.each([
    ['a reset connection', networkError('ECONNRESET')],
    ['a server error', { status: 500, body: { __type: 'InternalServerError' } }],
    ['an HTML page of a proxy', { status: 503, body: '<html>' }],
  ])('repeats a read once after %s and then gives up', async (_name, answer) => {
    const { aws, access } = accessWith({ 'ssm.GetParameters': () => answer });
    const error = await failure(
      access.session({ credentials: key, region: 'eu-west-1', scope: createScope() }).ssm.send(read()),
    );
    expect(['AWS_UNAVAILABLE', 'AWS_UNREACHABLE']).toContain(error.code);
    expect(error.context.isAmbiguous).toBeUndefined();
    expect(aws.sent).toHaveLength(2);
  });

  it.each([
    ['a reset connection', networkError('ECONNRESET'), true],
    ['a server error', { status: 500, body: { __type: 'InternalServerError' } }, true],
    ['a refused connection', networkError('ECONNREFUSED'), undefined],
    ['a missing address', networkError('ENOTFOUND'), undefined],
  ])('never repeats a mutation after %s, and says whether the outcome is open', async (_name, answer, isAmbiguous) => {
    const { aws, access } = accessWith({ 'iam.CreateAccessKey': () => answer });
    const error = await failure(
      access
        .session({ credentials: key, region: 'eu-west-1', scope: createScope() })
        .iam.send(new CreateAccessKeyCommand({ UserName: 'u' })),
    );
    expect(error.context.isAmbiguous).toBe(isAmbiguous);
    expect(aws.sent).toHaveLength(1);
  });

  it('does not take an exhausted key quota for throttling', async () => {
    const { aws, access } = accessWith({
      'iam.CreateAccessKey': () => xmlError('LimitExceeded', 'Cannot exceed quota for AccessKeysPerUser: 2', 409),
    });
    const error = await failure(
      access
        .session({ credentials: key, region: 'eu-west-1', scope: createScope() })
        .iam.send(new CreateAccessKeyCommand({ UserName: 'u' })),
    );
    expect(error.code).toBe('AWS_LIMIT_EXCEEDED');
    expect(aws.sent).toHaveLength(1);
  });

  it('repeats a write in place while AWS updates the same parameter', async () => {
    const { aws, access } = accessWith({
      'ssm.PutParameter': (_request, index) =>
        index < 3 ? jsonError('TooManyUpdates', 'busy') : { body: { Version: 3 } },
    });
    const answer = await access
      .session({ credentials: key, region: 'eu-west-1', scope: createScope() })
      .ssm.send(put());
    expect(answer.Version).toBe(3);
    expect(aws.sent).toHaveLength(3);
  });

  it('ends at its deadline and calls an unanswered write ambiguous', async () => {
    const { access } = accessWith({ 'ssm.PutParameter': () => ({ isSilent: true }) }, { deadlineMs: 20 });
    const error = await failure(
      access.session({ credentials: key, region: 'eu-west-1', scope: createScope() }).ssm.send(put()),
    );
    expect(error).toMatchObject({
      code: 'AWS_UNREACHABLE',
      context: { isAmbiguous: true, operation: 'ssm.PutParameter' },
    });
  });

  it('ends at once when its run is stopped, with the run’s own reason', async () => {
    const controller = new AbortController();
    const { access } = accessWith({ 'ssm.PutParameter': () => ({ isSilent: true }) });
    const sending = failure(
      access
        .session({ credentials: key, region: 'eu-west-1', scope: createScope({ signal: controller.signal }) })
        .ssm.send(put()),
    );
    setTimeout(() => {
      controller.abort(new JobError('LEASE_SHUTDOWN'));
    }, 20);
    expect(await sending).toMatchObject({ code: 'LEASE_SHUTDOWN', context: { isAmbiguous: true } });
  });

  it('is stopped with its own run only, of many that share a client', async () => {
    const runs = ['/a', '/b', '/c'].map((name) => ({ name, controller: new AbortController() }));
    const signals = new Map<string, { readonly aborted: boolean }>();
    const requestHandler: AwsAccessOptions['requestHandler'] = {
      handle(request: never, options?: never) {
        const { body } = request as { readonly body: string };
        const { abortSignal } = options as unknown as { readonly abortSignal: { readonly aborted: boolean } };
        signals.set((JSON.parse(body) as { Name: string }).Name, abortSignal);
        return new Promise(() => undefined);
      },
    };
    const { access } = accessWith({}, { requestHandler });
    const ends = runs.map(({ name, controller }) => {
      const scope = createScope({ signal: controller.signal });
      const { ssm } = access.session({ credentials: key, region: 'eu-west-1', scope });
      return failure(ssm.send(new PutParameterCommand({ Name: name, Value: 'v', Type: 'SecureString' })));
    });
    await vi.waitUntil(() => signals.size === runs.length);
    const aborted = () => runs.filter(({ name }) => signals.get(name)?.aborted).map(({ name }) => name);
    runs[1]?.controller.abort(new JobError('LEASE_SHUTDOWN'));
    expect(await ends[1]).toMatchObject({ code: 'LEASE_SHUTDOWN', context: { isAmbiguous: true } });
    expect(aborted()).toEqual(['/b']);
    for (const { controller } of runs) controller.abort(new JobError('LEASE_LOST'));
    expect((await Promise.all(ends)).map(({ code }) => code)).toEqual(['LEASE_LOST', 'LEASE_SHUTDOWN', 'LEASE_LOST']);
  });

  it('is not sent when the lease is too short for it', async () => {
    const scope = createScope({
      beforeMutation: () => Promise.reject(new JobError('LEASE_LOST')),
    });
    const { aws, access } = accessWith({});
    const session = access.session({ credentials: key, region: 'eu-west-1', scope });
    expect((await failure(session.ssm.send(put()))).code).toBe('LEASE_LOST');
    await session.ssm.send(read());
    expect(aws.operations()).toEqual(['ssm.GetParameters']);
    expect(scope.calls.counts).toEqual({ 'ssm.GetParameters': 1 });
  });

  it('never repeats AWS’s text in its message', async () => {
    const { access } = accessWith({
      'ssm.PutParameter': () => jsonError('ValidationException', "Value 'the-value' at 'value' failed"),
    });
    const error = await failure(
      access.session({ credentials: key, region: 'eu-west-1', scope: createScope() }).ssm.send(put()),
    );
    expect(error.code).toBe('AWS_REJECTED');
    expect(JSON.stringify([error.publicMessage, error.context])).not.toContain('the-value');
    expect(error.publicMessage).toContain(REQUEST_ID);
  });
});

describe('what is refused locally', () => {
  const roleOf = (roleArn: string): ConnectionCredentials => ({ ...role, roleArn });

  it.each([
    [
      'a role of another partition',
      { credentials: roleOf('arn:aws-cn:iam::111122223333:role/app'), region: 'cn-north-1' },
    ],
    ['something that is no role', { credentials: roleOf('arn:aws:iam::111122223333:user/app'), region: 'eu-west-1' }],
    ['a role of the own account', { credentials: roleOf('arn:aws:iam::999988887777:role/app'), region: 'eu-west-1' }],
    ['a region of another partition', { credentials: role, region: 'cn-north-1' }],
    ['a region that does not exist', { credentials: role, region: 'nowhere-1' }],
    ['a temporary key', { credentials: { ...key, accessKeyId: 'ASIAEXAMPLE000000001' }, region: 'eu-west-1' }],
  ])('is %s, without a session', async (_name, request) => {
    const { aws, access } = accessWith({});
    const error = await failure(access.verify({ ...request, scope: createScope() }));
    expect(error.code).toMatch(/^CONNECTION_(ROLE_REFUSED|KEY_REFUSED|REGION_DISABLED)$/);
    expect(aws.operations()).not.toContain('sts.AssumeRole');
  });

  it('is not a listed role of the own account', async () => {
    const { access } = accessWith({}, { ownAccountRoles: ['arn:aws:iam::999988887777:role/app'] });
    await expect(
      access.verify({
        credentials: roleOf('arn:aws:iam::999988887777:role/app'),
        region: 'eu-west-1',
        scope: createScope(),
      }),
    ).resolves.toBeDefined();
  });

  it('is a root user’s key', async () => {
    const { access } = accessWith({
      'sts.GetCallerIdentity': () => callerIdentityIs('arn:aws:iam::111122223333:root'),
    });
    expect((await failure(access.verify({ credentials: key, region: 'eu-west-1', scope: createScope() }))).code).toBe(
      'CONNECTION_KEY_REFUSED',
    );
  });
});

describe('the base identity', () => {
  it('is blamed for its own bad key, not the connection', async () => {
    const { access } = accessWith({ 'sts.AssumeRole': () => xmlError('InvalidClientTokenId', 'no') });
    expect((await failure(access.verify({ credentials: role, region: 'eu-west-1', scope: createScope() }))).code).toBe(
      'CONNECTION_BASE_REFUSED',
    );
  });

  it('goes through the base role, whose session is taken once', async () => {
    const { aws, access } = accessWith(
      {
        'sts.AssumeRole': (request, index) =>
          request.body.includes('base-role') ? assumedRole(99, '999988887777') : assumedRole(index),
      },
      { baseRoleArn: 'arn:aws:iam::999988887777:role/base-role' },
    );
    const others = ['a', 'b', 'c'].map((id) => ({ ...role, connectionId: id }));
    await Promise.all(
      others.map((credentials) => access.verify({ credentials, region: 'eu-west-1', scope: createScope() })),
    );
    const assumed = aws.sent.filter((request) => request.operation === 'sts.AssumeRole');
    expect(assumed.map((request) => request.accessKeyId)).toEqual([
      'AKIABASE000000000001',
      'ASIASESSION99',
      'ASIASESSION99',
      'ASIASESSION99',
    ]);
    expect(aws.operations()).not.toContain('sts.GetCallerIdentity');
  });

  it('probes external IDs under a policy that denies everything', async () => {
    const { aws, access } = accessWith({
      'sts.AssumeRole': (request) =>
        request.body.includes('ExternalId') ? xmlError('AccessDenied', 'no') : assumedRole(1),
    });
    const request = { credentials: role, region: 'eu-west-1', scope: createScope() };
    expect(await access.refusesExternalId(request, 'random')).toBe(true);
    expect(await access.refusesExternalId(request, undefined)).toBe(false);
    for (const probe of aws.sent.filter((one) => one.operation === 'sts.AssumeRole'))
      expect(new URLSearchParams(probe.body).get('Policy')).toContain('"Deny"');
  });
});
