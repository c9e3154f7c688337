/**
 * The worker's own credentials: whatever fails while they are obtained is a fault of the
 * installation, and a repair needs no restart.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createAwsAccess, type AwsAccessOptions } from '../../../src/aws/access.ts';
import type { ConnectionCredentials } from '../../../src/domain/connection/credentials.ts';
import { JobError } from '../../../src/errors.ts';
import {
  assumedRole,
  baseUser,
  createScope,
  createScriptedAws,
  networkError,
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

let folder: string;
const before = { ...process.env };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-base-'));
  Object.assign(process.env, {
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    HOME: folder,
  });
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  for (const name of Object.keys(process.env)) if (!(name in before)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, before);
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

type Answers = Partial<Record<string, (request: SentRequest, index: number) => ScriptedAnswer>>;

function open(answers: Answers = {}, options: Partial<AwsAccessOptions> = {}) {
  const aws = createScriptedAws((request, index) => {
    const answer = answers[request.operation];
    if (answer) return answer(request, index);
    return request.operation === 'sts.AssumeRole' ? assumedRole(index) : baseUser;
  });
  let nowMs = 1_700_000_000_000;
  const access = createAwsAccess({
    baseCredentials: undefined,
    region: 'eu-west-1',
    requestHandler: aws.requestHandler,
    nowMs: () => nowMs,
    random: () => 0.5,
    ...options,
  });
  const verify = (connectionId = role.connectionId) =>
    access.verify({ credentials: { ...role, connectionId }, region: 'eu-west-1', scope: createScope() });
  return { aws, verify, wait: (ms: number) => (nowMs += ms) };
}

async function fault(promise: Promise<unknown>): Promise<JobError> {
  const error: unknown = await promise.then(
    () => 'it worked',
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof JobError)) throw new Error(`not a JobError: ${String(error)}`);
  return error;
}

const webIdentity = () => {
  process.env['AWS_ROLE_ARN'] = 'arn:aws:iam::999988887777:role/worker';
  process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = file('token', 'header.body.signature');
};

interface Case {
  readonly name: string;
  prepare(): void;
  readonly answers?: Answers;
  readonly options?: Partial<AwsAccessOptions>;
  readonly code?: string;
  readonly says: RegExp;
}

const refuse = (code: string) => () => xmlError(code, 'a canary of AWS', 403);

const cases: readonly Case[] = [
  {
    name: 'a web identity that AWS refuses',
    prepare: webIdentity,
    answers: { 'sts.AssumeRoleWithWebIdentity': refuse('AccessDenied') },
    code: 'CONNECTION_BASE_REFUSED',
    says: /AccessDenied/,
  },
  {
    name: 'a web identity token that has expired',
    prepare: webIdentity,
    answers: { 'sts.AssumeRoleWithWebIdentity': refuse('ExpiredTokenException') },
    code: 'CONNECTION_BASE_REFUSED',
    says: /ExpiredTokenException/,
  },
  {
    name: 'a web identity while STS is unreachable',
    prepare: webIdentity,
    answers: { 'sts.AssumeRoleWithWebIdentity': () => networkError('ECONNREFUSED') },
    says: /cannot be reached \(ECONNREFUSED\)/,
  },
  {
    name: 'a token file that is not there',
    prepare() {
      webIdentity();
      rmSync(join(folder, 'token'));
    },
    says: /the file .*token cannot be read \(ENOENT\)/,
  },
  { name: 'no source at all', prepare: () => undefined, says: /gave any/ },
  {
    name: 'a profile that is not there',
    prepare() {
      process.env['AWS_PROFILE'] = 'nobody';
    },
    says: /the profile that AWS_PROFILE names/,
  },
  {
    name: 'a chain of profiles whose role is denied',
    prepare() {
      process.env['AWS_PROFILE'] = 'app';
      file(
        'config',
        '[profile app]\nrole_arn=arn:aws:iam::999988887777:role/app\nsource_profile=key\nregion=eu-west-1\n[profile key]\naws_access_key_id=AKIAPROFILE000000001\naws_secret_access_key=canary-of-the-file\n',
      );
    },
    answers: { 'sts.AssumeRole': refuse('AccessDenied') },
    code: 'CONNECTION_BASE_REFUSED',
    says: /AccessDenied/,
  },
  {
    name: 'a chain of profiles that refer to each other',
    prepare() {
      process.env['AWS_PROFILE'] = 'a';
      const part = (name: string, source: string) =>
        `[profile ${name}]\nrole_arn=arn:aws:iam::999988887777:role/${name}\nsource_profile=${source}\n`;
      file('config', part('a', 'b') + part('b', 'a'));
    },
    says: /circle/,
  },
  {
    name: 'an SSO session that was never begun',
    prepare() {
      process.env['AWS_PROFILE'] = 'sso';
      file(
        'config',
        '[profile sso]\nsso_start_url=https://example.awsapps.com/start\nsso_region=eu-west-1\nsso_account_id=999988887777\nsso_role_name=worker\n',
      );
    },
    says: /aws sso login/,
  },
  {
    name: 'a credential process that fails',
    prepare() {
      process.env['AWS_PROFILE'] = 'process';
      const script = file('tool.sh', '#!/bin/sh\necho canary-on-stderr >&2\nexit 1\n');
      chmodSync(script, 0o700);
      file('config', `[profile process]\ncredential_process=${script} --canary-argument\n`);
    },
    says: /credential_process/,
  },
  {
    name: 'a base role that may not be assumed',
    prepare: () => undefined,
    options: {
      baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' },
      baseRoleArn: 'arn:aws:iam::999988887777:role/base',
    },
    answers: { 'sts.AssumeRole': refuse('AccessDenied') },
    code: 'CONNECTION_BASE_REFUSED',
    says: /AccessDenied|base role/,
  },
  {
    name: 'a region that is off where the worker runs',
    prepare: () => undefined,
    options: { baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' } },
    answers: { 'sts.AssumeRole': refuse('RegionDisabledException') },
    code: 'CONNECTION_BASE_REFUSED',
    says: /RegionDisabledException/,
  },
  {
    name: 'a key pair that is no more',
    prepare: () => undefined,
    options: { baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' } },
    answers: { 'sts.AssumeRole': refuse('InvalidClientTokenId') },
    code: 'CONNECTION_BASE_REFUSED',
    says: /InvalidClientTokenId/,
  },
];

describe('a fault of the base identity', () => {
  it.each(cases)('is the installation’s: $name', async ({ prepare, answers, options, code, says }) => {
    prepare();
    const error = await fault(open(answers, options).verify());
    expect(error.code).toBe(code ?? 'CONNECTION_NO_BASE_IDENTITY');
    expect(error.disposition).toBe('snooze');
    expect(error.publicMessage).toMatch(says);
    expect(error.publicMessage).not.toContain('canary');
  });

  it('costs one call in five seconds, however many runs meet it', async () => {
    webIdentity();
    const { aws, verify, wait } = open({ 'sts.AssumeRoleWithWebIdentity': refuse('AccessDenied') });
    for (const id of ['a', 'b', 'c']) await fault(verify(id));
    expect(aws.operations()).toEqual(['sts.AssumeRoleWithWebIdentity']);
    wait(6_000);
    await fault(verify());
    expect(aws.operations()).toHaveLength(2);
  });

  it('is over as soon as its source is repaired, without a restart', async () => {
    webIdentity();
    rmSync(join(folder, 'token'));
    const { verify, wait } = open({
      'sts.AssumeRoleWithWebIdentity': () => ({
        body: String(assumedRole(50, '999988887777').body).replaceAll('AssumeRole', 'AssumeRoleWithWebIdentity'),
      }),
    });
    await fault(verify());
    file('token', 'header.body.signature');
    wait(6_000);
    expect((await verify()).accountId).toBe('111122223333');
  });
});

const profile = (key: string) =>
  `[default]\naws_access_key_id=${key}\naws_secret_access_key=not-a-secret\naws_session_token=t\n`;

describe('credentials in a file', () => {
  it('are read again when AWS calls them expired, and the call succeeds', async () => {
    file('credentials', profile('ASIAOLD0000000000001'));
    const { aws, verify } = open({
      'sts.AssumeRole': (request, index) => {
        if (request.accessKeyId !== 'ASIAOLD0000000000001') return assumedRole(index);
        file('credentials', profile('ASIANEW0000000000001'));
        return xmlError('ExpiredToken', 'no');
      },
    });
    expect((await verify()).accountId).toBe('111122223333');
    expect(aws.sent.filter((one) => one.operation === 'sts.AssumeRole').map((one) => one.accessKeyId)).toEqual([
      'ASIAOLD0000000000001',
      'ASIANEW0000000000001',
    ]);
  });

  it('are read again after a minute, before anything fails', async () => {
    file('credentials', profile('ASIAOLD0000000000001'));
    const { aws, verify, wait } = open();
    await verify('a');
    file('credentials', profile('ASIANEW0000000000001'));
    wait(61_000);
    // This one starts the reading and still uses what it has.
    await verify('b');
    await expect
      .poll(async () => {
        await verify('c');
        return aws.sent.at(-1)?.accessKeyId;
      })
      .toBe('ASIANEW0000000000001');
  });

  it('that are refused and unchanged are not tried twice at once', async () => {
    file('credentials', profile('ASIAOLD0000000000001'));
    const { aws, verify } = open({ 'sts.AssumeRole': refuse('ExpiredToken') });
    for (const id of ['a', 'b', 'c']) await fault(verify(id));
    expect(aws.operations().filter((one) => one === 'sts.AssumeRole')).toHaveLength(1);
  });

  it('that belong to another account now are asked for their identity again', async () => {
    let key = 'AKIAONE0000000000001';
    const { aws, verify, wait } = open(
      {},
      { baseCredentials: () => Promise.resolve({ accessKeyId: key, secretAccessKey: 'not-a-secret' }) },
    );
    await verify('a');
    key = 'AKIATWO0000000000001';
    wait(61_000);
    await verify('b');
    await verify('c');
    const asked = aws.sent.filter((one) => one.operation === 'sts.GetCallerIdentity').map((one) => one.accessKeyId);
    expect(asked).toEqual(['AKIAONE0000000000001', 'AKIATWO0000000000001']);
  });
});

describe('the alarm of the base identity', () => {
  it('is raised once per failure and once per repair, however many runs meet it', async () => {
    webIdentity();
    rmSync(join(folder, 'token'));
    const changes: unknown[] = [];
    const { verify, wait } = open(
      {
        'sts.AssumeRoleWithWebIdentity': () => ({
          body: String(assumedRole(50, '999988887777').body).replaceAll('AssumeRole', 'AssumeRoleWithWebIdentity'),
        }),
      },
      { onBaseChange: (found) => changes.push(found?.code) },
    );
    for (const id of ['a', 'b']) await fault(verify(id));
    wait(6_000);
    await fault(verify('c'));
    file('token', 'header.body.signature');
    wait(6_000);
    for (const id of ['a', 'b']) await verify(id);
    expect(changes).toEqual(['CONNECTION_NO_BASE_IDENTITY', undefined]);
  });
});
