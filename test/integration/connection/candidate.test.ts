import { describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { createProbes } from '../../../src/aws/probes.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import { tryCandidate, type CandidateCredentials } from '../../../src/workers/validate/candidate.ts';
import { connectionRow, createWorld, ORG, parameters, REGION, ROLE_ARN, useOf } from './world.ts';

function createCheck(uses = [useOf(parameters)]) {
  const world = createWorld();
  const requestHandler = createSandboxRequestHandler(world.sandbox);
  const aws = createAwsAccess({ baseCredentials: world.baseKey, region: REGION, requestHandler });
  const tools = {
    aws,
    probes: createProbes(),
    status: { usesOf: () => Promise.resolve(uses) },
    isShared: () => Promise.resolve(true),
  };
  return {
    world,
    check: (credentials: CandidateCredentials) => tryCandidate(tools, connectionRow(), { credentials, via: 'api' }),
  };
}

describe('credentials that are to replace others', () => {
  it('are good when they pass the checks of the connection’s uses', async () => {
    const { check } = createCheck();
    const { verdict, checks } = await check({ method: 'assume-role', roleArn: ROLE_ARN, externalId: ORG });
    expect(verdict.status).toBe('valid');
    expect(checks.map((one) => one.name)).toContain('permission');
  });

  it('are refused when AWS refuses them', async () => {
    const { check, world } = createCheck();
    const { verdict } = await check({ method: 'access-key', ...world.userKey, secretAccessKey: 'not-the-secret' });
    expect(verdict).toMatchObject({ status: 'invalid', code: 'CONNECTION_SECRET_WRONG' });
  });

  it('are short of something when a use lacks a permission', async () => {
    const { check, world } = createCheck();
    const { verdict } = await check({ method: 'access-key', ...world.userKey });
    expect(verdict).toMatchObject({ status: 'degraded', code: 'AWS_ACCESS_DENIED' });
  });
});
