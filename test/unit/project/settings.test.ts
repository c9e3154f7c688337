/**
 * Settings that are wrong: each is named with what to do, all at once, and none of a secret's value
 * is shown.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { awsConfigOf, loadConfig, serversOf } from '../../../src/config/config.ts';
import type { Environment } from '../../../src/config/environment.ts';
import { printPasswordHash } from '../../../src/domain/password-hash.ts';
import { JobError } from '../../../src/errors.ts';

const key = `k1:${Buffer.alloc(32).toString('base64')}`;
const right = { DATABASE_URL: 'postgres://localhost/app', KEYFERRY_ENCRYPTION_KEYS: key };
const operatorLine = (name: string) =>
  `${name}:${printPasswordHash({ salt: Buffer.alloc(16, 1), hash: Buffer.alloc(32, 2) })}`;

function problemsOf(environment: Environment, read: (given: Environment) => unknown = loadConfig): readonly string[] {
  try {
    read(environment);
    return [];
  } catch (error) {
    if (!(error instanceof JobError) || error.code !== 'CONFIG_INVALID') throw error;
    return error.context.problems ?? [];
  }
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-settings-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('a setting', () => {
  it.each<readonly [string, Environment, RegExp]>([
    ['no database', { DATABASE_URL: '' }, /^DATABASE_URL is not set: .*keyferry up/],
    [
      'a database of another kind',
      { DATABASE_URL: 'mysql://canary@h/d' },
      /^DATABASE_URL must be a URL such as postgres/,
    ],
    [
      'an unknown parameter',
      { DATABASE_URL: 'postgres://h/d?sslmod=x' },
      /^DATABASE_URL has the unknown parameter sslmod; did you mean sslmode/,
    ],
    [
      'a parameter that cannot be honoured',
      { DATABASE_URL: 'postgres://h/d?schema=x' },
      /^DATABASE_URL has the parameter schema, which is not supported/,
    ],
    ['several hosts', { DATABASE_URL: 'postgres://a,b/d' }, /^DATABASE_URL names several hosts/],
    [
      'a pooler under the queue',
      { DATABASE_URL: 'postgres://h/d?pgbouncer=true' },
      /the queue in PostgreSQL needs whole sessions/,
    ],
    ['a Redis of another kind', { REDIS_URL: 'amqp://h' }, /^REDIS_URL must be redis:/],
    ['a Redis parameter', { REDIS_URL: 'redis://h?db=1' }, /^REDIS_URL has the unknown parameter db/],
    ['a database of a cluster', { REDIS_URL: 'redis://a/1,redis://b/1' }, /^REDIS_URL names a database number/],
    ['no encryption key', { KEYFERRY_ENCRYPTION_KEYS: '' }, /^KEYFERRY_ENCRYPTION_KEYS is not set: make one/],
    ['a short encryption key', { KEYFERRY_ENCRYPTION_KEYS: 'k1:Y2FuYXJ5' }, /entry 1 is not `id:base64/],
    ['a key id twice', { KEYFERRY_ENCRYPTION_KEYS: `${key},${key}` }, /names the same key id twice/],
    ['half a base key pair', { INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: 'AKIAX' }, /set both or neither/],
    [
      'a base role that is none',
      { KEYFERRY_BASE_ROLE_ARN: 'arn:aws:iam::1:user/x' },
      /^KEYFERRY_BASE_ROLE_ARN must be the ARN of a role/,
    ],
    ['an org that is no external ID', { KEYFERRY_ORG: 'a b' }, /^KEYFERRY_ORG must be 2 to 128/],
    ['a boolean', { KEYFERRY_ALLOW_CUSTOM_ENDPOINTS: 'yes' }, /^KEYFERRY_ALLOW_CUSTOM_ENDPOINTS /],
    ['a region', { AWS_REGION: 'eu-wst-1' }, /^AWS_REGION is not an AWS region; did you mean eu-west-1\?/],
    ['no region at all', { AWS_REGION: 'europe' }, /^AWS_REGION /],
    ['concurrency', { KEYFERRY_CONCURRENCY: 'sync=0' }, /^KEYFERRY_CONCURRENCY must be like/],
    ['concurrency of nothing', { KEYFERRY_CONCURRENCY: 'email=2' }, /^KEYFERRY_CONCURRENCY must be like/],
    ['a duration', { KEYFERRY_REVALIDATE_EVERY: '1 hour' }, /^KEYFERRY_REVALIDATE_EVERY must be a duration/],
    ['a duration of nothing', { KEYFERRY_RECONCILE_EVERY: '0s' }, /^KEYFERRY_RECONCILE_EVERY must be a duration/],
    ['a history', { KEYFERRY_KEEP_HISTORY: 'forever' }, /^KEYFERRY_KEEP_HISTORY must be a duration/],
    ['a port', { KEYFERRY_HTTP_PORT: '70000' }, /^KEYFERRY_HTTP_PORT must be a port number/],
    ['a port in words', { KEYFERRY_WORKER_HTTP_PORT: 'http' }, /^KEYFERRY_WORKER_HTTP_PORT must be a port number/],
    ['half a login', { KEYFERRY_BOARD_USER: 'ann' }, /KEYFERRY_BOARD_USER and KEYFERRY_BOARD_PASSWORD: set both/],
    ['a short password', { KEYFERRY_BOARD_USER: 'a', KEYFERRY_BOARD_PASSWORD: 'canary' }, /at least 12 characters/],
    [
      'a line that is no operator',
      { KEYFERRY_BOARD_PASSWORD: `${operatorLine('ann')}\nbob:$scrypt$canary` },
      /^KEYFERRY_BOARD_PASSWORD line 2 is not `name:\$scrypt\$…`; make one with `keyferry keys generate --operator NAME`$/,
    ],
    [
      'an operator of another cost',
      { KEYFERRY_BOARD_PASSWORD: operatorLine('ann').replace('ln=14', 'ln=4') },
      /^KEYFERRY_BOARD_PASSWORD line 1 is not/,
    ],
    [
      'a password among operators without its user',
      { KEYFERRY_BOARD_PASSWORD: `canary-canary\n${operatorLine('ann')}` },
      /^KEYFERRY_BOARD_PASSWORD line 1 is not/,
    ],
    [
      'a user whose password is missing above the operators',
      { KEYFERRY_BOARD_USER: 'root', KEYFERRY_BOARD_PASSWORD: operatorLine('ann') },
      /^KEYFERRY_BOARD_PASSWORD line 1 must be the password of KEYFERRY_BOARD_USER/,
    ],
    [
      'a short password above the operators',
      { KEYFERRY_BOARD_USER: 'root', KEYFERRY_BOARD_PASSWORD: `canary\n${operatorLine('ann')}` },
      /at least 12 characters/,
    ],
    [
      'an operator twice',
      { KEYFERRY_BOARD_PASSWORD: `${operatorLine('ann')}\n\n${operatorLine('ann')}` },
      /^KEYFERRY_BOARD_PASSWORD line 3 has the name of an earlier login/,
    ],
    [
      'an operator with the name of the user',
      { KEYFERRY_BOARD_USER: 'ann', KEYFERRY_BOARD_PASSWORD: `canary-canary\n${operatorLine('ann')}` },
      /^KEYFERRY_BOARD_PASSWORD line 2 has the name of an earlier login/,
    ],
    ['a short token', { KEYFERRY_METRICS_TOKEN: 'canary' }, /^KEYFERRY_METRICS_TOKEN must have at least 16/],
    ['an API token', { KEYFERRY_API_TOKENS: 'canary' }, /^KEYFERRY_API_TOKENS entry 1 is not/],
    [
      'an issuer of JWTs',
      { KEYFERRY_JWT_ISSUERS: '[{"name":"canary canary"}]' },
      /^KEYFERRY_JWT_ISSUERS entry 1: name must be /,
    ],
    ['issuers that are no JSON', { KEYFERRY_JWT_ISSUERS: 'canary' }, /^KEYFERRY_JWT_ISSUERS must be a JSON list/],
    ['a webhook without a secret', { KEYFERRY_WEBHOOK_URL: 'https://h' }, /set both or neither/],
    [
      'a webhook that is no URL',
      { KEYFERRY_WEBHOOK_URL: 'h', KEYFERRY_WEBHOOK_SECRET: 'canary-canary-canary' },
      /^KEYFERRY_WEBHOOK_URL must be an http or https URL/,
    ],
    ['a source host with a scheme', { KEYFERRY_SOURCE_HOSTS: 'http://h' }, /^KEYFERRY_SOURCE_HOSTS entry 1/],
    ['a webhook host with a scheme', { KEYFERRY_WEBHOOK_HOSTS: 'http://h' }, /^KEYFERRY_WEBHOOK_HOSTS entry 1/],
    ['a log level', { KEYFERRY_LOG_LEVEL: 'loud' }, /^KEYFERRY_LOG_LEVEL /],
    [
      'a trace collector',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'h' },
      /^OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL/,
    ],
    [
      'a misspelt setting',
      { KEYFERRY_ENCRYPTION_KEY: 'canary' },
      /^KEYFERRY_ENCRYPTION_KEY is not a setting of keyferry; did you mean KEYFERRY_ENCRYPTION_KEYS\?/,
    ],
    [
      'another misspelt setting',
      { KEYFERRY_LOGLEVEL: 'debug' },
      /^KEYFERRY_LOGLEVEL is not a setting of keyferry; did you mean KEYFERRY_LOG_LEVEL\?/,
    ],
    [
      'a setting of something else',
      { KEYFERRY_QUANTUM_MODE: 'canary' },
      /^KEYFERRY_QUANTUM_MODE is not a setting of keyferry; unset it/,
    ],
    ['a file for what is no secret', { KEYFERRY_ORG_FILE: '/org' }, /^KEYFERRY_ORG_FILE is not a setting of keyferry/],
    [
      'a file that is not there',
      { REDIS_URL_FILE: '/nonexistent' },
      /^REDIS_URL_FILE names a file that cannot be read: \/nonexistent/,
    ],
    [
      'a value and a file',
      { REDIS_URL: 'redis://h', REDIS_URL_FILE: '/nonexistent' },
      /REDIS_URL and REDIS_URL_FILE: set only one/,
    ],
  ])('is refused by name: %s', (_name, environment, expected) => {
    const problems = problemsOf({ ...right, ...environment });
    expect(
      problems.some((problem) => expected.test(problem)),
      problems.join('\n'),
    ).toBe(true);
    expect(problems.join()).not.toContain('canary');
  });

  it.each<readonly [string, Environment]>([
    ['nothing more', {}],
    ['empty variables', { REDIS_URL: '', KEYFERRY_ORG: '', AWS_REGION: '' }],
    ['settings of tests', { KEYFERRY_TEST_REDIS_URL: 'redis://h' }],
    ['settings of other programs', { KEYFERRYX: '1', NODE_ENV: 'production' }],
  ])('is accepted: %s', (_name, environment) => {
    expect(problemsOf({ ...right, ...environment })).toEqual([]);
  });

  it('is told with all others at once', () => {
    expect(problemsOf({ KEYFERRY_HTTP_PORT: 'x', KEYFERRY_LOGLEVEL: 'x', AWS_REGION: 'x' })).toHaveLength(5);
  });
});

describe('the settings of a migration', () => {
  it('read Redis as the worker does: an empty one is none, and a file counts', () => {
    const file = join(folder, 'redis-url');
    writeFileSync(file, 'redis://cache:6379\n');
    for (const environment of [{ REDIS_URL: '' }, { REDIS_URL_FILE: file }, { REDIS_URL: 'redis://h' }]) {
      const { redisUrl } = loadConfig({ ...right, ...environment });
      expect(serversOf({ DATABASE_URL: right.DATABASE_URL, ...environment })).toEqual({
        databaseUrl: right.DATABASE_URL,
        redisUrl,
      });
    }
    expect(serversOf({ ...right, REDIS_URL: '' }).redisUrl).toBeUndefined();
    expect(serversOf({ ...right, REDIS_URL_FILE: file }).redisUrl).toBe('redis://cache:6379');
  });

  it('are refused like the worker’s', () => {
    const environment = { DATABASE_URL: 'postgres://h/d?schema=x', REDIS_URL: 'redis://h?db=1' };
    expect(problemsOf(environment, serversOf)).toHaveLength(2);
  });
});

describe('the settings of a command that only calls AWS', () => {
  const pair = { INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: 's' };

  it('need no database, and are the worker’s otherwise', async () => {
    const environment = { ...pair, AWS_REGION: 'eu-west-1', KEYFERRY_ALLOW_CUSTOM_ENDPOINTS: 'true' };
    const { baseCredentials, ...own } = awsConfigOf({ ...environment, DATABASE_URL: 'nonsense' });
    const { baseRoleArn, allowCustomEndpoints, awsRegion } = loadConfig({ ...right, ...environment });
    expect(own).toMatchObject({ baseRoleArn, allowCustomEndpoints, awsRegion });
    expect(await baseCredentials?.()).toEqual({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 's' });
  });

  it('are refused like the worker’s', () => {
    const environment = { ...pair, INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: '', KEYFERRY_BASE_ROLE_ARN: 'role' };
    expect(problemsOf(environment, awsConfigOf)).toHaveLength(2);
  });
});
