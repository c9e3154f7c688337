/**
 * The live lane's own rules, tried on the sandbox: what it refuses, what it holds back, what its
 * recordings catch.
 */
import { readdir, readFile } from 'node:fs/promises';

import type { IAMClient } from '@aws-sdk/client-iam';
import { CreateSecretCommand, DescribeSecretCommand, ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { DescribeParametersCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { afterEach, expect, test } from 'vitest';

import { LEFT_OUT, LIVE_CASES } from '../../aws-live/cases.ts';
import type { AwsSandboxOptions } from '../../../src/sandbox/aws/index.ts';
import { FAMILY, isAllowed } from '../../aws-live/guard.ts';
import { createLiveTarget, type LiveTarget } from '../../aws-live/live-target.ts';
import { createIamPeople, IAM_PATH } from '../../aws-live/people.ts';
import { openPlace, SANDBOX_ACCOUNT, type Place } from '../../aws-live/place.ts';
import { findRefusals } from '../../aws-live/preflight.ts';
import { QUESTIONS } from '../../aws-live/questions.ts';
import type { Recording } from '../../aws-live/recorder.ts';
import { findDifferences, recordSandbox } from '../../aws-live/replay.ts';
import { sweep, sweepTwice } from '../../aws-live/sweep.ts';
import { CONTRACT_CASES, caseId } from '../../contract/suites.ts';
import { allow, createClients, type ClientConfig, type Credentials } from '../../contract/target.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { runProcess } from '../../support/processes.ts';

const RECORDED = new URL('../../contract/recorded/', import.meta.url);
const PREFIX = 'keyferry-live-0123abcd';

let place: Place | undefined;
afterEach(async () => {
  await place?.close();
  place = undefined;
});

async function openTarget(sandbox: AwsSandboxOptions = {}): Promise<LiveTarget> {
  place = await openPlace('sandbox', sandbox);
  return createLiveTarget({ place, region: 'eu-west-1', accountId: SANDBOX_ACCOUNT, prefix: PREFIX, observer: {} });
}

/** Of somebody else in the same account. */
function unguardedClients() {
  const { credentials, endpoint } = place ?? {};
  return createClients({ region: 'eu-west-1', credentials, endpoint } as ClientConfig);
}

async function refusalsOf(target: LiveTarget, more: Partial<Parameters<typeof findRefusals>[0]> = {}) {
  const { admin: clients, people } = target;
  return findRefusals({
    clients,
    people,
    accountId: SANDBOX_ACCOUNT,
    mayHoldObjects: false,
    canSimulate: true,
    ...more,
  });
}

test('an account of its own, with every permission and nothing in it, is accepted', async () => {
  expect(await refusalsOf(await openTarget())).toEqual([]);
});

test('another account than the named one is refused', async () => {
  const refusals = await refusalsOf(await openTarget(), { accountId: '999999999999' });
  expect(refusals).toEqual([expect.stringContaining(`account ${SANDBOX_ACCOUNT}, not to 999999999999`)]);
});

test('credentials of the root user are refused', async () => {
  const target = await openTarget();
  const identity = { Account: SANDBOX_ACCOUNT, Arn: `arn:aws:iam::${SANDBOX_ACCOUNT}:root` };
  const clients = { ...target.admin, sts: { send: async () => identity } } as unknown as LiveTarget['admin'];
  expect(await refusalsOf(target, { clients })).toEqual([expect.stringContaining('root user')]);
});

test('all missing permissions are named at once', async () => {
  const target = await openTarget();
  const { userName } = await target.createUser(allow(['iam:Simulate*', 'iam:Get*', 'ssm:*', 'sts:*']));
  const clients = target.clientsFor(await target.createKey(userName));
  const [refusal = ''] = await refusalsOf(target, { clients });
  expect(refusal).toContain('iam:CreateUser');
  expect(refusal).toContain('secretsmanager:CreateSecret');
  expect(refusal).not.toContain('ssm:PutParameter');
});

test('an account that holds objects of an earlier run is refused, and a sweep removes exactly these', async () => {
  const target = await openTarget();
  const { ssm, secrets } = target.admin;
  await ssm.send(new PutParameterCommand({ Name: `/${PREFIX}-left`, Value: 'v', Type: 'String' }));
  await secrets.send(new CreateSecretCommand({ Name: `${PREFIX}-left`, SecretString: 'v' }));
  const others = unguardedClients();
  await others.ssm.send(new PutParameterCommand({ Name: '/theirs/keyferry-live-not', Value: 'v', Type: 'String' }));
  await others.secrets.send(new CreateSecretCommand({ Name: 'not-keyferry-live-theirs', SecretString: 'v' }));
  const [refusal = ''] = await refusalsOf(target);
  expect(refusal).toContain(`: ${PREFIX}-left, ${PREFIX}-left.`);
  expect(refusal).not.toContain('theirs');
  expect(await refusalsOf(target, { mayHoldObjects: true })).toEqual([]);
  const input = { clients: target.admin, people: target.people, prefix: FAMILY, iamPath: IAM_PATH };
  expect(await sweep(input)).toEqual({ parameters: 1, secrets: 1, identities: 0 });
  expect(await refusalsOf(target)).toEqual([]);
  const { Parameters = [] } = await others.ssm.send(new DescribeParametersCommand({}));
  const { SecretList = [] } = await others.secrets.send(new ListSecretsCommand({}));
  expect([...Parameters, ...SecretList].map(({ Name }) => Name)).toEqual([
    '/theirs/keyferry-live-not',
    'not-keyferry-live-theirs',
  ]);
});

test('a sweep finds what lists show late, and what they still show is no obstacle', async () => {
  const target = await openTarget({ timing: { listSecretsMs: [1_000, 1_000] } });
  const { secrets } = target.admin;
  await secrets.send(new CreateSecretCommand({ Name: `${PREFIX}-late`, SecretString: 'v' }));
  const input = { clients: target.admin, people: target.people, prefix: FAMILY, iamPath: IAM_PATH };
  expect(await sweepTwice({ ...input, listLagMs: 1_100 })).toEqual({ parameters: 0, secrets: 1, identities: 0 });
  await expect(secrets.send(new DescribeSecretCommand({ SecretId: `${PREFIX}-late` }))).rejects.toThrow();
  await expect(sweep(input)).resolves.toBeDefined();
});

test('a sweep deletes users and roles under the IAM path only', async () => {
  const deleted: string[] = [];
  const identity = (name: string, Path: string) => ({ UserName: name, RoleName: name, Path });
  const all = [
    identity('ours', `${IAM_PATH}${PREFIX}/`),
    identity('theirs', '/'),
    identity('near', '/keyferry-lively/'),
  ];
  const answers: Readonly<Record<string, object>> = {
    ListUsersCommand: { Users: all },
    ListRolesCommand: { Roles: all },
  };
  const send = async (command: { readonly input: Readonly<Record<string, unknown>> }) => {
    const name = command.constructor.name;
    if (name.startsWith('Delete'))
      deleted.push(`${name} ${String(command.input['UserName'] ?? command.input['RoleName'])}`);
    return answers[name] ?? {};
  };
  const people = createIamPeople({ send } as unknown as IAMClient, IAM_PATH);
  expect(await people.sweep(IAM_PATH)).toBe(2);
  expect(deleted).toEqual(['DeleteUserCommand ours', 'DeleteRoleCommand ours']);
});

test('a call that changes something outside of the prefix is not sent', async () => {
  const { admin } = await openTarget();
  const put = admin.ssm.send(new PutParameterCommand({ Name: '/somebody/elses', Value: 'v', Type: 'String' }));
  await expect(put).rejects.toThrow('held back');
});

test('every case that the lane runs keeps to the prefix', async () => {
  const target = await openTarget();
  const strays: string[] = [];
  for (const contractCase of LIVE_CASES) {
    const problem = await contractCase.run(target).catch((error: unknown) => error);
    if (problem instanceof Error) strays.push(`${caseId(contractCase)}: ${problem.message}`);
  }
  expect(strays).toEqual([]);
}, 120_000);

test('the cases that are left out exist', () => {
  const ids = new Set(CONTRACT_CASES.map(caseId));
  expect(Object.keys(LEFT_OUT).filter((id) => !ids.has(id))).toEqual([]);
});

test.each([
  ['PutParameter', { Name: `/${PREFIX}-a` }, true],
  ['PutParameter', { Name: '/other' }, false],
  ['DeleteParameters', { Names: [`/${PREFIX}-a`, '/other'] }, false],
  ['DeleteSecret', { SecretId: `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${PREFIX}-a-AbCdEf` }, true],
  ['DeleteSecret', { SecretId: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-AbCdEf' }, false],
  ['AddTagsToResource', { ResourceId: `/${PREFIX}-a` }, true],
  ['UpdateAccessKey', { AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' }, false],
  ['GetParameter', { Name: '/other' }, true],
  ['DeleteEverything', {}, false],
])('%s %j is sent: %s', (operation, input, isSent) => {
  expect(isAllowed(operation, input, PREFIX)).toBe(isSent);
});

/** `npm run test:aws -- …`, with a sandbox in AWS's place. */
async function runLane(lane: readonly string[], input = '') {
  const program = new URL('../../aws-live/run.ts', import.meta.url).pathname;
  const { accessKeyId, secretAccessKey } = (place?.credentials ?? {}) as Partial<Credentials>;
  const environment = cleanEnvironment({
    AWS_ACCESS_KEY_ID: accessKeyId ?? '',
    AWS_SECRET_ACCESS_KEY: secretAccessKey ?? '',
    AWS_ENDPOINT_URL: place?.endpoint ?? '',
  });
  return runProcess(process.execPath, { arguments: ['--import', 'tsx', program, ...lane], environment, input }, 60_000);
}

test('without a named account nothing starts', async () => {
  const exit = await runLane([]);
  expect(exit.code).toBe(2);
  expect(exit.stdout).toContain('--account');
});

test('another account than that of the credentials ends the lane at once', async () => {
  await openTarget();
  const exit = await runLane(['--account', '999999999999', '--sweep'], '999999999999\n');
  expect(exit.code).toBe(1);
  expect(exit.stdout).toContain(`account ${SANDBOX_ACCOUNT}, not to 999999999999`);
});

test('a wrong confirmation changes nothing', async () => {
  const target = await openTarget();
  await target.admin.ssm.send(new PutParameterCommand({ Name: `/${PREFIX}-left`, Value: 'v', Type: 'String' }));
  const exit = await runLane(['--account', SANDBOX_ACCOUNT, '--sweep'], '111122223334\n');
  expect(exit.code).toBe(1);
  expect(exit.stdout).toContain(`Everything named ${FAMILY}… will be deleted.`);
  expect(exit.stdout).toContain('Not confirmed; nothing was done.');
  const { Parameters = [] } = await target.admin.ssm.send(new DescribeParametersCommand({}));
  expect(Parameters.map(({ Name }) => Name)).toEqual([`${PREFIX}-left`]);
});

test.each([
  ['type-change', 'type change by overwriting'],
  ['key-on-string', 'KeyId on a String'],
  ['root-names', 'names at the root'],
  ['describe-filters', 'DescribeParameters by name and tag'],
  ['rates', 'rates of PutParameter and tags'],
  ['last-use', 'delay of last uses'],
  ['propagation', 'propagation of keys and roles'],
  ['recreation', 'deletion and re-creation'],
])('the open question %s is asked: %s', async (id) => {
  const target = await openTarget();
  const question = QUESTIONS.find((one) => one.id === id);
  const answer = await question?.ask(target, place?.patienceMs ?? 0);
  expect({ ...answer?.facts, ...answer?.timings }).not.toEqual({});
});

const sample = {
  region: 'eu-west-1',
  cases: { 'ssm: PutParameter creates version 1 in the standard tier': [] },
  questions: { 'type-change': {} },
};

test('a recording of the sandbox holds no id, name or value, and the sandbox keeps to it', async () => {
  const recording = await recordSandbox(sample);
  expect(Object.values(recording.cases).flat().length).toBeGreaterThan(0);
  expect(JSON.stringify(recording)).not.toMatch(/111122223333|keyferry-live|"value"/);
  expect(await findDifferences(recording)).toEqual([]);
});

test('a recorded answer that the sandbox does not give is reported', async () => {
  const recording = await recordSandbox(sample);
  const changed = JSON.parse(JSON.stringify(recording).replaceAll('"Version":1', '"Version":2')) as Recording;
  expect(await findDifferences(changed)).toEqual([expect.stringContaining('recorded')]);
});

const files = (await readdir(RECORDED)).filter((name) => name.endsWith('.json'));
if (files.length === 0) {
  test('no answer of AWS is recorded yet, so nothing here shows that the sandbox answers as AWS does', async () => {
    expect(await readFile(new URL('README.md', RECORDED), 'utf8')).toContain('has been recorded yet');
  });
}

test.for(files)('the sandbox answers as AWS did: %s', async (name) => {
  const recording = JSON.parse(await readFile(new URL(name, RECORDED), 'utf8')) as Recording;
  expect(await findDifferences(recording)).toEqual([]);
});
