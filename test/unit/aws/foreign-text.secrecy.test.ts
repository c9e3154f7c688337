import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { toAsked, toAskedResource } from '../../../src/aws/foreign-text.ts';
import { JobError } from '../../../src/errors.ts';
import { describeError } from '../../../src/observe/log.ts';
import { assumedRole, baseUser, createScope, createScriptedAws, type ScriptedAnswer } from './scripted-aws.ts';

/** Values that look like what AWS says in one place or another. */
const values = [
  '7d444840-9dc0-41d1-b245-5ffdce74fad2',
  'CanaryValueException',
  'CERT_CANARY_VALUE',
  'canary:Value',
  'arn:aws:ssm:eu-west-1:111122223333:parameter/canary-value',
  'arn:aws:kms:eu-west-1:111122223333:key/7d444840-9dc0-41d1-b245-5ffdce74fad2',
  'canary\n    at canary (file:///canary.js:1:1)',
];

type Echo = (value: string) => ScriptedAnswer;

const json = (body: object, headers: Readonly<Record<string, string>> = {}, status = 400): ScriptedAnswer => ({
  status,
  body,
  headers,
});

/** Every place of an answer that could repeat what was sent. */
const echoes: Readonly<Record<string, Echo>> = {
  'the error name': (value) => json({ __type: value, message: 'x' }),
  'the error name of a header': (value) => json({ message: 'x' }, { 'x-amzn-errortype': value.replaceAll('\n', ' ') }),
  'the request id': (value) =>
    json({ __type: 'ValidationException' }, { 'x-amzn-requestid': value.replaceAll('\n', ' ') }),
  'the message': (value) => json({ __type: 'ValidationException', message: value }),
  'the denied action': (value) =>
    json({ __type: 'AccessDeniedException', message: `x is not authorized to perform: ${value} because` }),
  'the denied resource': (value) =>
    json({
      __type: 'AccessDeniedException',
      message: `x is not authorized to perform: ssm:PutParameter on resource: ${value}`,
    }),
  'the key of a denial': (value) =>
    json({
      __type: 'AccessDeniedException',
      message: `x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/${value}`,
    }),
  'a code of the body': (value) => json({ __type: 'ValidationException', code: value, Code: value }),
  'a cause of the body': (value) => json({ __type: 'ValidationException', cause: { name: value, code: value } }),
  'a field that keyferry’s own errors have': (value) =>
    json({ __type: 'IncompleteAnswer', missing: value, isProxied: value, $response: { headers: value } }),
  'text that is no JSON': (value) => ({ status: 400, body: value, headers: { 'content-type': 'text/plain' } }),
  'text of a good answer that is no JSON': (value) => ({ status: 200, body: `{"${value}` }),
  'a failure of the server': (value) => json({ __type: value, message: value }, {}, 500),
};

async function failureOf(value: string, echo: Echo): Promise<readonly JobError[]> {
  const aws = createScriptedAws((request, index) => {
    if (request.operation === 'sts.GetCallerIdentity') return baseUser;
    if (request.operation === 'sts.AssumeRole') return assumedRole(index);
    return echo(value);
  });
  const access = createAwsAccess({
    baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' },
    region: 'eu-west-1',
    requestHandler: aws.requestHandler,
    random: () => 0.5,
  });
  const { ssm, secretsManager } = access.session({
    credentials: {
      connectionId: '11111111-1111-4111-8111-111111111111',
      orgId: 'acme',
      credentialsRevision: 1,
      method: 'assume-role',
      roleArn: 'arn:aws:iam::111122223333:role/app',
      externalId: 'acme',
    },
    region: 'eu-west-1',
    scope: createScope(),
  });
  const text = JSON.stringify({ A: value });
  const errors = [
    await ssm.send(new PutParameterCommand({ Name: '/a', Value: value, Type: 'SecureString' })).catch(toError),
    await secretsManager.send(new CreateSecretCommand({ Name: 'a', SecretString: text })).catch(toError),
  ];
  return errors.filter((error) => error instanceof JobError);
}

const toError = (error: unknown) => error;

describe('an answer that repeats a value', () => {
  it.each(Object.entries(echoes))('in %s leaves nothing of it in message, context or log', async (_place, echo) => {
    for (const value of values) {
      const errors = await failureOf(value, echo);
      expect(errors).not.toHaveLength(0);
      for (const error of errors) {
        const kept = [error.publicMessage, error.operatorMessage, JSON.stringify(error.context)];
        const said = [...kept, JSON.stringify(describeError(error)), (error.cause as Error).message].join('\n');
        expect(said.toLowerCase()).not.toContain('canary');
        expect(said).not.toContain('7d444840');
      }
    }
  });
});

describe('the resource of a refusal', () => {
  const asked = toAsked({ Name: '/app/prod/A', Value: 'hunter2', KeyId: 'alias/app' });
  const account = 'eu-west-1:111122223333';

  it.each([
    [`arn:aws:ssm:${account}:parameter/app/prod/A`, asked],
    [`arn:aws:ssm:${account}:*`, asked],
    ['*', asked],
    [`arn:aws:kms:${account}:alias/app`, asked],
    [`arn:aws:kms:${account}:key/7d444840-9dc0-41d1-b245-5ffdce74fad2`, asked],
    [`arn:aws:secretsmanager:${account}:secret:app/A-x1Y2z3`, toAsked({ SecretId: 'app/A' })],
    [`arn:aws-cn:ssm:${account}:parameter/app/prod/`, toAsked({ Path: '/app/prod/' })],
    ['arn:aws:iam::111122223333:user/teams/app', toAsked({ UserName: 'app' })],
    ['arn:aws:iam::111122223333:role/app', toAsked({ RoleArn: 'arn:aws:iam::111122223333:role/app' })],
  ])('is kept when the call asked for it: %s', (resource, question) => {
    expect(toAskedResource(resource, question)).toBe(resource);
  });

  it.each([
    `arn:aws:ssm:${account}:parameter/app/prod/B`,
    `arn:aws:ssm:${account}:parameter/hunter2`,
    `arn:aws:sns:${account}:app`,
    'arn:hunter2',
  ])('is dropped when it did not: %s', (resource) => {
    expect(toAskedResource(resource, asked)).toBeUndefined();
  });
});
