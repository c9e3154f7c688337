import { describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { createProbes } from '../../../src/aws/probes.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import type { SignInCredentials } from '../../../src/domain/connection/credentials.ts';
import { tryCandidate } from '../../../src/workers/validate/candidate.ts';
import type { Trials } from '../../../src/db/trials.ts';
import { connectionRow, createWorld, ORG, parameters, REGION, ROLE_ARN, useOf } from './world.ts';

/** Keeps what is recorded of a trial. */
function createRecords(log: string[]): Trials {
  return {
    open: async ({ requestedBy }) => void log.push(`open for ${requestedBy ?? 'nobody'}`),
    end: async ({ status, awsCalls }) => void log.push(`${status} with ${Object.keys(awsCalls).join()}`),
    storeCalls: () => Promise.resolve({ passedOver: [], cancelled: [], awaited: [] }),
  };
}

function createCheck(uses = [useOf(parameters)]) {
  const world = createWorld();
  const requestHandler = createSandboxRequestHandler(world.sandbox);
  const aws = createAwsAccess({ baseCredentials: world.baseKey, region: REGION, requestHandler });
  const records: string[] = [];
  const tools = {
    aws,
    trials: createRecords(records),
    probes: createProbes(),
    status: { usesOf: () => Promise.resolve(uses) },
    isShared: () => Promise.resolve(true),
    isForeignExternalId: () => Promise.resolve(false),
  };
  return {
    world,
    records,
    check: (credentials: SignInCredentials) =>
      tryCandidate(tools, connectionRow(), { credentials, via: 'api', requestedBy: 'ada' }),
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
    const { check, records, world } = createCheck();
    const { verdict } = await check({ method: 'access-key', ...world.userKey, secretAccessKey: 'not-the-secret' });
    expect(verdict).toMatchObject({ status: 'invalid', code: 'CONNECTION_SECRET_WRONG' });
    expect(records).toEqual(['open for ada', 'failed with sts.GetCallerIdentity']);
  });

  it('are short of something when a use lacks a permission', async () => {
    const { check, world } = createCheck();
    const { verdict } = await check({ method: 'access-key', ...world.userKey });
    expect(verdict).toMatchObject({ status: 'degraded', code: 'AWS_ACCESS_DENIED' });
  });
});
