/** The live lane's own rules, tried on the sandbox: what it refuses, what it holds back, what its recordings catch. */
import { readdir, readFile } from 'node:fs/promises';

import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { afterEach, expect, test } from 'vitest';

import { LEFT_OUT, LIVE_CASES } from '../../aws-live/cases.ts';
import { isAllowed } from '../../aws-live/guard.ts';
import { createLiveTarget, type LiveTarget } from '../../aws-live/live-target.ts';
import { openPlace, SANDBOX_ACCOUNT, type Place } from '../../aws-live/place.ts';
import { findRefusals } from '../../aws-live/preflight.ts';
import type { Recording } from '../../aws-live/recorder.ts';
import { findDifferences, recordSandbox } from '../../aws-live/replay.ts';
import { sweep } from '../../aws-live/sweep.ts';
import { CONTRACT_CASES, caseId } from '../../contract/suites.ts';
import { allow } from '../../contract/target.ts';
import { runProcess } from '../../support/processes.ts';

const RECORDED = new URL('../../contract/recorded/', import.meta.url);
const PREFIX = 'keyferry-live-0123abcd';

let place: Place | undefined;
afterEach(async () => {
  await place?.close();
  place = undefined;
});

async function openTarget(): Promise<LiveTarget> {
  place = await openPlace('sandbox');
  return createLiveTarget({ place, region: 'eu-west-1', accountId: SANDBOX_ACCOUNT, prefix: PREFIX, observer: {} });
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
  const [refusal = ''] = await refusalsOf(target);
  expect(refusal).toContain(`${PREFIX}-left`);
  const input = { clients: target.admin, people: target.people, prefix: PREFIX, iamPath: target.iamPath };
  expect(await sweep(input)).toEqual({ parameters: 1, secrets: 1, identities: 0 });
  expect(await refusalsOf(target)).toEqual([]);
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

test('without a named account nothing starts', async () => {
  const program = new URL('../../aws-live/run.ts', import.meta.url).pathname;
  const exit = await runProcess(process.execPath, { arguments: ['--import', 'tsx', program] }, 60_000);
  expect(exit.code).toBe(2);
  expect(exit.stdout).toContain('--account');
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
