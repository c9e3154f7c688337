import { describe, expect, it } from 'vitest';
import { findUnsafeVariables, sandboxEnvironment } from '../../../src/sandbox/environment.ts';
import { hostileEnvironment } from '../../support/environment.ts';

describe('sandboxEnvironment', () => {
  it('drops every variable that leads to a real system', () => {
    const clean = sandboxEnvironment(hostileEnvironment());
    const hostile = Object.entries(clean).filter(([, value]) => /hostile|192\.0\.2\.1/.test(value));
    expect(hostile).toEqual([]);
    expect(findUnsafeVariables(clean)).toEqual([]);
  });

  it('finds what is unsafe in an environment that is not clean', () => {
    const unsafe = findUnsafeVariables(hostileEnvironment());
    expect(unsafe).toEqual(expect.arrayContaining(['AWS_PROFILE', 'AWS_CONFIG_FILE', 'DATABASE_URL', 'PGHOST']));
    expect(findUnsafeVariables({})).toContain('AWS_EC2_METADATA_DISABLED');
  });

  it('points the shared configuration of the AWS SDK at nothing', () => {
    const clean = sandboxEnvironment({ AWS_CONFIG_FILE: '/home/someone/.aws/config' });
    expect(clean['AWS_CONFIG_FILE']).toMatch(/^\/dev\/null\/|^NUL/);
    expect(clean['AWS_SHARED_CREDENTIALS_FILE']).toBe(clean['AWS_CONFIG_FILE']);
    expect(clean['AWS_EC2_METADATA_DISABLED']).toBe('true');
  });

  it('keeps what programs need to run and what tests are given', () => {
    const kept = { PATH: '/usr/bin', HOME: '/home/someone', KEYFERRY_TEST_REDIS_URL: 'redis://127.0.0.1' };
    expect(sandboxEnvironment({ ...kept, KEYFERRY_ORG: 'other' })).toMatchObject(kept);
    expect(sandboxEnvironment({ KEYFERRY_ORG: 'other' })).not.toHaveProperty('KEYFERRY_ORG');
  });

  it('drops proxies however they are written', () => {
    const clean = sandboxEnvironment({ http_proxy: 'a', Https_Proxy: 'b', NO_PROXY: 'c' });
    expect(Object.keys(clean).filter((name) => /proxy/i.test(name))).toEqual([]);
  });

  it('leaves the given environment as it is', () => {
    const environment = { AWS_PROFILE: 'production' };
    sandboxEnvironment(environment);
    expect(environment).toEqual({ AWS_PROFILE: 'production' });
  });
});
