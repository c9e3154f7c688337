/**
 * AWS's FIPS endpoints: every service is called there when the operator asks for it, and a setting
 * that the SDK would choke on stops the start.
 */
import { GetUserCommand } from '@aws-sdk/client-iam';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { GetParametersCommand } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { findFips } from '../../../src/aws/endpoints.ts';
import { createScope, createScriptedAws } from './scripted-aws.ts';

const noFiles = { configFile: {}, credentialsFile: {} };

async function hostsCalled(isFips: boolean): Promise<readonly string[]> {
  const aws = createScriptedAws(() => ({
    failure: Object.assign(new Error('nobody answers'), { code: 'ECONNRESET' }),
  }));
  const access = createAwsAccess({
    baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' },
    region: 'us-east-1',
    requestHandler: aws.requestHandler,
    isFips,
  });
  const session = access.session({
    credentials: {
      connectionId: '22222222-2222-4222-8222-222222222222',
      orgId: 'acme',
      credentialsRevision: 1,
      method: 'access-key',
      accessKeyId: 'AKIAEXAMPLE000000001',
      secretAccessKey: 'not-a-secret',
    },
    region: 'us-east-1',
    scope: createScope(),
  });
  const calls = [
    () => session.sts.send(new GetCallerIdentityCommand({})),
    () => session.iam.send(new GetUserCommand({})),
    () => session.ssm.send(new GetParametersCommand({ Names: ['/a'] })),
    () => session.secretsManager.send(new GetSecretValueCommand({ SecretId: 'a' })),
    () => access.dataKeys.generate('arn:aws:kms:us-east-1:111122223333:key/1', { keyferry: 'test', org: 'acme' }),
  ];
  for (const call of calls) await expect(call()).rejects.toThrow();
  return [...new Set(aws.sent.map(({ host }) => host))];
}

describe('FIPS endpoints', () => {
  it('are called for all services', async () => {
    expect(await hostsCalled(true)).toEqual([
      'sts-fips.us-east-1.amazonaws.com',
      'iam-fips.amazonaws.com',
      'ssm-fips.us-east-1.amazonaws.com',
      'secretsmanager-fips.us-east-1.amazonaws.com',
      'kms-fips.us-east-1.amazonaws.com',
    ]);
  });

  it('are not called without being asked for', async () => {
    const hosts = await hostsCalled(false);
    expect(hosts).toHaveLength(5);
    expect(hosts.filter((host) => host.includes('fips'))).toEqual([]);
  });

  it.each([
    [{}, {}, false],
    [{ AWS_USE_FIPS_ENDPOINT: 'true' }, {}, true],
    [{}, { use_fips_endpoint: 'true' }, true],
    [{ AWS_USE_FIPS_ENDPOINT: 'false' }, { use_fips_endpoint: 'true' }, false],
  ])('are asked for by %o and the profile %o: %s', (env, profile, expected) => {
    expect(findFips(env, { ...noFiles, configFile: { default: profile } }, {})).toBe(expected);
  });

  it('need true or false', () => {
    expect(() => findFips({ AWS_USE_FIPS_ENDPOINT: 'yes' }, noFiles, {})).toThrow(
      /AWS_USE_FIPS_ENDPOINT must be true or false/,
    );
  });

  it('exclude an endpoint of one’s own', () => {
    const env = { AWS_USE_FIPS_ENDPOINT: 'true' };
    expect(() => findFips(env, noFiles, { ssm: 'https://ssm.us-east-1.amazonaws.com' })).toThrow(/is set for ssm/);
  });
});
