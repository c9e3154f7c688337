/**
 * Sessions against the sandbox's clock, budget and policies: what a run that lasts longer than its
 * session sees.
 */
import { GetParametersCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import type { CallScope } from '../../../src/aws/session.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import { sessionPolicyFor } from '../../../src/domain/policy/session.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import { createWorld, parameters, place, REGION, ROLE_ARN, type World } from './world.ts';

const credentials = {
  connectionId: '11111111-1111-4111-8111-111111111111',
  orgId: 'acme',
  credentialsRevision: 1,
  method: 'assume-role',
  roleArn: ROLE_ARN,
  externalId: 'acme',
} as const;
const scopeOf = (subjectId: string): CallScope => ({
  signal: new AbortController().signal,
  calls: createCallLog(),
  beforeMutation: () => Promise.resolve(),
  subjectId,
});
const put = (name: string) =>
  new PutParameterCommand({ Name: `/app/prod/${name}`, Value: 'v', Type: 'SecureString', Overwrite: true });
const read = () => new GetParametersCommand({ Names: ['/app/prod/A'] });

function openAccess(world: World, nowMs: () => number) {
  return createAwsAccess({
    baseCredentials: world.baseKey,
    region: REGION,
    requestHandler: createSandboxRequestHandler(world.sandbox),
    nowMs,
  });
}

const assumed = (world: World) => world.sandbox.calls.count({ service: 'sts', operation: 'AssumeRole' });

describe('a session', () => {
  it('outlives its hour: a long run writes on, with one AssumeRole per 50 minutes', async () => {
    const world = createWorld();
    const access = openAccess(world, () => world.sandbox.clock.now().getTime());
    const session = access.session({ credentials, region: REGION, scope: scopeOf('sync') });
    for (let minute = 0; minute < 240; minute += 2) {
      await session.ssm.send(put('A'));
      world.sandbox.clock.advance(2 * 60_000);
    }
    expect(world.sandbox.calls.count({ outcome: 'ExpiredTokenException' })).toBe(0);
    expect(assumed(world)).toBeLessThanOrEqual(6);
  });

  it('is taken anew when AWS’s clock says that it expired, for all calls in flight at once', async () => {
    const world = createWorld();
    // This machine's clock stands still: only AWS notices.
    const access = openAccess(world, () => performance.now());
    const session = access.session({ credentials, region: REGION, scope: scopeOf('sync') });
    await session.ssm.send(put('A'));
    world.sandbox.clock.advance(2 * 3_600_000);
    await Promise.all(['A', 'B', 'C', 'D'].map((name) => session.ssm.send(put(name))));
    expect(assumed(world)).toBe(2);
  });

  it('is one for many jobs and regions of a use', async () => {
    const world = createWorld();
    const access = openAccess(world, () => world.sandbox.clock.now().getTime());
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        access
          .session({
            credentials,
            region: index % 2 === 0 ? REGION : 'us-east-1',
            scope: scopeOf(`job-${String(index)}`),
          })
          .identity(),
      ),
    );
    expect(assumed(world)).toBe(1);
  });

  it('may do what its session policy names, and no more than that', async () => {
    const world = createWorld();
    const access = openAccess(world, () => world.sandbox.clock.now().getTime());
    const session = access.session({
      credentials,
      region: REGION,
      policy: sessionPolicyFor([parameters], place),
      scope: scopeOf('sync'),
    });
    await session.ssm.send(put('A'));
    await session.ssm.send(read());
    await expect(session.ssm.send(new GetParametersCommand({ Names: ['/other/A'] }))).rejects.toMatchObject({
      code: 'AWS_ACCESS_DENIED',
      context: { deniedAction: 'ssm:GetParameters' },
    });
  });

  it('stays in memory when the role is taken away, and ends with its hour', async () => {
    const world = createWorld();
    const access = openAccess(world, () => world.sandbox.clock.now().getTime());
    const session = access.session({ credentials, region: REGION, scope: scopeOf('sync') });
    await session.ssm.send(read());
    world.setTrust({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }],
    });
    world.sandbox.clock.advance(50 * 60_000);
    await session.ssm.send(read());
    world.sandbox.clock.advance(10 * 60_000);
    await expect(session.ssm.send(read())).rejects.toMatchObject({ code: 'CONNECTION_ACCESS_DENIED' });
  });
});
