/**
 * An endpoint that answers every call with status 200 and nothing of use, as proxies, portals and
 * cut connections do.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { createAccessKeys } from '../../../src/aws/access-keys.ts';
import { createAwsAccess } from '../../../src/aws/access.ts';
import { openParameterStore } from '../../../src/aws/parameter-store.ts';
import { openSecretsManager } from '../../../src/aws/secrets-manager.ts';
import type { AwsSession } from '../../../src/aws/session.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import type { JobError } from '../../../src/errors.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import { createEmptyAnswers } from '../../support/empty-answers.ts';
import { createValidator, createWorld, parameters, rotation, secrets as secretsUse, useOf } from './world.ts';

type Answer = (response: ServerResponse, action: string) => void;

const write = { name: '/a', value: 'v', keyId: null, tier: 'standard', tags: {} } as const;
const tag = { key: 'k', values: ['v'] };
const secret = { name: 'a', value: 'v', token: 'token' };
const ssm = (session: AwsSession) => openParameterStore(session);
const secrets = (session: AwsSession) => openSecretsManager(session);
const keys = (session: AwsSession) => createAccessKeys(session, 'robot');

async function pages<T>(answers: AsyncIterable<T>): Promise<void> {
  for await (const _page of answers);
}

const calls: Readonly<Record<string, (session: AwsSession) => Promise<unknown>>> = {
  GetCallerIdentity: (session) => session.identity(),
  PutParameter: (session) => ssm(session).create(write),
  DescribeParameters: (session) => ssm(session).describe(['/a'], tag),
  GetParameters: (session) => ssm(session).inspect(['/a']),
  GetParametersByPath: (session) => pages(ssm(session).readPath('/')),
  ListTagsForResource: (session) => ssm(session).tagsOf('/a'),
  AddTagsToResource: (session) => ssm(session).addTags('/a', {}),
  RemoveTagsFromResource: (session) => ssm(session).removeTags('/a', ['k']),
  DeleteParameters: (session) => ssm(session).delete(['/a']),
  CreateSecret: (session) => secrets(session).create({ ...secret, keyId: null, tags: {}, replicas: [] }),
  UpdateSecret: (session) => secrets(session).update(secret),
  DescribeSecret: (session) => secrets(session).describe('a'),
  ListSecrets: (session) => pages(secrets(session).list({ prefix: '' })),
  GetSecretValue: (session) => secrets(session).value('a'),
  BatchGetSecretValue: (session) => secrets(session).values(['a']),
  DeleteSecret: (session) => secrets(session).delete('a', 7),
  RestoreSecret: (session) => secrets(session).restore('a'),
  TagResource: (session) => secrets(session).addTags('a', {}),
  UntagResource: (session) => secrets(session).removeTags('a', ['k']),
  PutSecretValue: (session) => secrets(session).stage(secret),
  UpdateSecretVersionStage: (session) => secrets(session).promote({ name: 'a', from: '1', to: '2' }),
  ReplicateSecretToRegions: (session) => secrets(session).replicate('a', [{ region: 'us-east-1', keyId: null }]),
  RemoveRegionsFromReplication: (session) => secrets(session).unreplicate('a', ['us-east-1']),
  ListAccessKeys: (session) => keys(session).list(new Date()),
  CreateAccessKey: (session) => keys(session).create(),
  UpdateAccessKey: (session) => keys(session).setStatus('AKIAEXAMPLE000000001', 'Inactive'),
  DeleteAccessKey: (session) => keys(session).delete('AKIAEXAMPLE000000001'),
  GetAccessKeyLastUsed: (session) => keys(session).lastUsed('AKIAEXAMPLE000000001'),
  GetUser: (session) => keys(session).userId(),
};

/** AWS answers these with the id of the request alone. */
const withoutFields = /^(AddTagsToResource|RemoveTagsFromResource|TagResource|UntagResource|(Update|Delete)AccessKey)$/;
const isQuery = (action: string) => /AccessKey|CallerIdentity|^GetUser$/.test(action);
const reply = (body: string) => (response: ServerResponse) => response.end(body);

const answers: Readonly<Record<string, Answer>> = {
  'no body': reply(''),
  'an empty object': (response, action) => response.end(isQuery(action) ? `<${action}Response/>` : '{}'),
  'an empty object with the id of a request': (response, action) => {
    if (!withoutFields.test(action)) response.setHeader('x-amzn-requestid', 'r');
    response.end(isQuery(action) ? `<${action}Response><${action}Result/></${action}Response>` : '{}');
  },
  'a page': reply('<html><body>Please log in</body></html>'),
  'half an answer': reply('{"Parameters":[{"Name":"/a","Ver'),
  'an answer that ends early': (response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('{"Parameters":[]');
    setImmediate(() => response.destroy());
  },
  'a list without names': (response, action) => {
    if (!withoutFields.test(action)) response.setHeader('x-amzn-requestid', 'r');
    response.end(isQuery(action) ? '<a/>' : '{"Parameters":[{}],"SecretList":[{}],"SecretValues":[{}],"TagList":[{}]}');
  },
  'other types': (response, action) => {
    if (!withoutFields.test(action)) response.setHeader('x-amzn-requestid', 'r');
    response.end(isQuery(action) ? '{"a":1}' : '["Parameters", null, 7]');
  },
};

let server: Server;
let answer: Answer = reply('');
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const target = request.headers['x-amz-target'];
      const named = typeof target === 'string' ? target.split('.')[1] : new URLSearchParams(body).get('Action');
      answer(response, named ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => server.close());

function openSession(): AwsSession {
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const access = createAwsAccess({
    baseCredentials: { accessKeyId: 'AKIAEXAMPLE000000000', secretAccessKey: 'not-a-secret' },
    region: 'eu-west-1',
    endpoints: { sts: url, iam: url, ssm: url, secretsmanager: url },
    random: () => 0,
  });
  const scope = {
    signal: new AbortController().signal,
    calls: createCallLog(),
    beforeMutation: () => Promise.resolve(),
    subjectId: 's',
  };
  const pair = { accessKeyId: 'AKIAEXAMPLE000000001', secretAccessKey: 'not-a-secret' };
  return access.keySession({ ...pair, region: 'eu-west-1', scope });
}

const reads = /^(Get|List|Describe|BatchGet)/;

it.each(Object.keys(answers))('%s proves nothing, whatever was asked', async (name) => {
  answer = answers[name] ?? answer;
  const found = await Promise.all(
    Object.entries(calls).map(async ([action, call]) => {
      const failure = await call(openSession()).then(
        (value): Partial<JobError> => ({ publicMessage: `answered ${JSON.stringify(value)}` }),
        (error: unknown) => error as JobError,
      );
      const { code, disposition, publicMessage = '', context } = failure;
      const isRight =
        code === 'AWS_UNREACHABLE' && disposition === 'retry' && (reads.test(action) || context?.isAmbiguous === true);
      return isRight ? [] : [`${action}: ${code ?? ''} ${publicMessage}`];
    }),
  );
  expect(found.flat()).toEqual([]);
});

const probed = {
  AssumeRole: parameters,
  GetParameters: parameters,
  DescribeParameters: parameters,
  DeleteParameters: parameters,
  ListTagsForResource: parameters,
  ListSecrets: secretsUse,
  DescribeSecret: secretsUse,
  DeleteSecret: secretsUse,
  ListAccessKeys: rotation,
  UpdateAccessKey: rotation,
  GetUser: rotation,
} as const;

it.each(Object.entries(probed))('a validation concludes nothing from an empty answer to %s', async (operation, use) => {
  const world = createWorld();
  const empty = createEmptyAnswers();
  const handler = createSandboxRequestHandler({ handle: empty.wrapHandle(world.sandbox.handle) });
  const validate = createValidator(world, { requestHandler: handler });
  empty.empty(operation);

  const failure = await validate({ uses: [useOf(use)] }).then(
    ({ outcome }) => outcome,
    (error: unknown) => error,
  );

  expect(empty.count()).toBeGreaterThan(0);
  expect(failure).toMatchObject({ code: 'AWS_UNREACHABLE', disposition: 'retry' });
  empty.repair();
  expect((await validate({ uses: [useOf(use)] })).outcome).toMatchObject({ status: 'succeeded' });
});
