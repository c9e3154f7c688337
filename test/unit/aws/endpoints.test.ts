import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import {
  checkEndpointOverrides,
  findEndpointOverrides,
  loadProfileFiles,
  toServiceEndpoints,
} from '../../../src/aws/endpoints.ts';
import { JobError } from '../../../src/errors.ts';

const noFiles = { configFile: {}, credentialsFile: {} };
const strict = { areCustomAllowed: false };
const judge = (url: string, options = strict) => {
  checkEndpointOverrides(findEndpointOverrides({ AWS_ENDPOINT_URL: url }, noFiles), options);
};
const refusal = (act: () => void): JobError => {
  try {
    act();
  } catch (error) {
    if (error instanceof JobError) return error;
  }
  throw new Error('nothing was refused');
};

describe('an endpoint', () => {
  it.each([
    'http://127.0.0.1:4566',
    'http://localhost:4566',
    'http://[::1]:4566',
    'http://127.8.9.1',
    'https://sts.eu-west-1.amazonaws.com',
    'https://ssm.cn-north-1.amazonaws.com.cn',
    'https://iam.us-gov.amazonaws.com',
    'https://secretsmanager.eusc-de-east-1.amazonaws.eu',
    'https://ssm.eu-west-1.api.aws',
    'https://vpce-0123456789abcdef0-abcdefgh.ssm.eu-west-1.vpce.amazonaws.com',
  ])('may be %s', (url) => {
    expect(() => {
      judge(url);
    }).not.toThrow();
  });

  it.each([
    ['another host', 'https://aws.example.com'],
    ['AWS’s name in front of another', 'https://sts.amazonaws.com.evil.example'],
    ['AWS’s name as the end of another', 'https://evilamazonaws.com'],
    ['a loopback address in front of another name', 'http://127.0.0.1.evil.example'],
    ['localhost in front of another name', 'http://localhost.evil.example'],
    ['an address that is not loopback', 'http://128.0.0.1'],
    ['the metadata service', 'http://169.254.169.254'],
    ['AWS without TLS', 'http://sts.eu-west-1.amazonaws.com'],
    ['a host of an AWS customer', 'https://abc123.execute-api.eu-west-1.amazonaws.com'],
    ['a load balancer of an AWS customer', 'https://sts-1234.eu-west-1.elb.amazonaws.com'],
    ['a machine of an AWS customer', 'https://ec2-1-2-3-4.eu-west-1.compute.amazonaws.com'],
    ['a bucket of an AWS customer', 'https://sts.s3.eu-west-1.amazonaws.com'],
  ])('is refused when it is %s, unless custom ones are allowed', (_name, url) => {
    const error = refusal(() => {
      judge(url);
    });
    expect(error.code).toBe('CONFIG_ENDPOINT_REFUSED');
    expect(error.publicMessage).toContain('AWS_ENDPOINT_URL');
    expect(error.publicMessage).toContain('KEYFERRY_ALLOW_CUSTOM_ENDPOINTS');
    expect(() => {
      judge(url, { areCustomAllowed: true });
    }).not.toThrow();
  });

  it.each([
    ['hides its host behind a user name', 'https://sts.amazonaws.com@evil.example/'],
    ['hides its host behind a user and password', 'https://sts.amazonaws.com:443@evil.example/'],
    ['is no URL', 'sts.amazonaws.com'],
    ['is no web address', 'ftp://sts.amazonaws.com'],
  ])('is always refused when it %s', (_name, url) => {
    expect(
      refusal(() => {
        judge(url, { areCustomAllowed: true });
      }).code,
    ).toBe('CONFIG_ENDPOINT_REFUSED');
  });

  it('never shows the credentials that a URL carries', () => {
    const error = refusal(() => {
      judge('https://user:canary@evil.example/');
    });
    expect(error.publicMessage).not.toContain('canary');
  });
});

describe('endpoint settings', () => {
  it('are found in the environment, for one service and for all', () => {
    const found = findEndpointOverrides(
      {
        AWS_ENDPOINT_URL: 'http://localhost:1',
        AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://localhost:2',
        AWS_ENDPOINT_URL_SSO: 'http://localhost:3',
        AWS_ENDPOINT_URL_IAM: '',
      },
      noFiles,
    );
    expect(found.map(({ source, service }) => [source, service])).toEqual([
      ['AWS_ENDPOINT_URL', 'all'],
      ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'secretsmanager'],
      ['AWS_ENDPOINT_URL_SSO', 'sso'],
    ]);
    expect(toServiceEndpoints(found)).toEqual({
      sts: 'http://localhost:1',
      iam: 'http://localhost:1',
      ssm: 'http://localhost:1',
      secretsmanager: 'http://localhost:2',
      kms: 'http://localhost:1',
    });
  });

  it('are found in the profile and its services section, below the environment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-endpoints-'));
    const file = join(folder, 'config');
    writeFileSync(
      file,
      '[profile work]\nendpoint_url = http://localhost:1\nservices = local\n[services local]\nssm =\n  endpoint_url = http://localhost:2\n',
    );
    const env = {
      AWS_PROFILE: 'work',
      AWS_CONFIG_FILE: file,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
      AWS_ENDPOINT_URL_STS: 'http://localhost:3',
    };
    const found = findEndpointOverrides(env, await loadProfileFiles(env));
    rmSync(folder, { recursive: true });
    expect(toServiceEndpoints(found)).toEqual({
      sts: 'http://localhost:3',
      iam: 'http://localhost:1',
      ssm: 'http://localhost:2',
      secretsmanager: 'http://localhost:1',
      kms: 'http://localhost:1',
    });
  });

  it('of another profile do not count', () => {
    const files = { configFile: { other: { endpoint_url: 'https://evil.example' } }, credentialsFile: {} };
    expect(findEndpointOverrides({}, files)).toEqual([]);
  });

  it('do not count when they are switched off', () => {
    const env = { AWS_ENDPOINT_URL: 'https://evil.example', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' };
    expect(findEndpointOverrides(env, noFiles)).toEqual([]);
  });
});
