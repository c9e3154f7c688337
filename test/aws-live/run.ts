/**
 * `npm run test:aws`: asks AWS itself. Opt-in: it needs an account that is named, and its id typed
 * once more. Everything that it makes has one random prefix and one IAM path, and is deleted at the
 * end; `--sweep` deletes what a crash left.
 *
 *   npm run test:aws -- --account ID [--region REGION] [--sweep] [--questions-only]
 *   npm run test:aws -- --emulator sandbox|moto      shows that the lane works; needs no account
 */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { DEFAULT_ACCOUNT } from '../witness/aws/proxy.ts';
import { MOTO_DIFFERENCES } from '../contract/moto-differences.ts';
import { caseId } from '../contract/suites.ts';
import { LEFT_OUT, LIVE_CASES } from './cases.ts';
import { FAMILY } from './guard.ts';
import { createLiveTarget, type LiveTarget } from './live-target.ts';
import { IAM_PATH } from './people.ts';
import { openPlace, SANDBOX_ACCOUNT, type Place, type PlaceName } from './place.ts';
import { findRefusals } from './preflight.ts';
import { tellProductStory } from './product.ts';
import { QUESTIONS } from './questions.ts';
import { createRecorder, type Recorder, type Recording } from './recorder.ts';
import { sweepTwice } from './sweep.ts';

const RECORDED = fileURLToPath(new URL('../contract/recorded/', import.meta.url));

const PLAN = `This run makes, under one random prefix and IAM path, and deletes at its end:
  parameters   about 700, all standard but a few advanced ones for minutes     below $0.01
  secrets      about 60, for minutes, a few with a replica in another region   below $0.05
  users, roles about 40, with up to two access keys each                      free
  calls        about 3,000; the key aws/ssm or aws/secretsmanager encrypts    below $0.02
It takes about an hour, most of it spent waiting for AWS's rates. What it makes is found again by its name: after a crash
run it with --sweep. Secrets are deleted without a recovery window.`;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

interface Options {
  readonly placeName: PlaceName;
  readonly accountId: string;
  readonly region: string;
  readonly isSweep: boolean;
  readonly isQuestionsOnly: boolean;
}

/** A sentence instead where the command line is not enough to start. */
function readOptions(): Options | string {
  const { values } = parseArgs({
    options: {
      account: { type: 'string' },
      region: { type: 'string' },
      emulator: { type: 'string' },
      sweep: { type: 'boolean' },
      'questions-only': { type: 'boolean' },
    },
  });
  const rest = {
    region: values.region ?? 'eu-west-1',
    isSweep: values.sweep === true,
    isQuestionsOnly: values['questions-only'] === true,
  };
  if (values.emulator === 'sandbox' || values.emulator === 'moto') {
    const own = values.emulator === 'sandbox' ? SANDBOX_ACCOUNT : DEFAULT_ACCOUNT;
    return { placeName: values.emulator, accountId: values.account ?? own, ...rest };
  }
  if (values.emulator !== undefined) return '--emulator must be sandbox or moto.';
  if (values.account === undefined || !/^\d{12}$/.test(values.account))
    return 'Name the account: --account and its twelve digits. Use an account that holds nothing else.';
  return { placeName: 'aws', accountId: values.account, ...rest };
}

async function isConfirmed(accountId: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await lines.question(`Type the id of the account to start: `)).trim() === accountId;
  } finally {
    lines.close();
  }
}

let failures = 0;

function report(name: string, problem: string | undefined): void {
  if (problem === undefined) return;
  failures += 1;
  print(`FAILED ${name}\n       ${problem.slice(0, 600)}`);
}

async function answerQuestions(target: LiveTarget, place: Place, recorder: Recorder): Promise<Recording['questions']> {
  const facts: Record<string, unknown> = {};
  for (const { id, text, ask } of QUESTIONS) {
    try {
      const answer = await ask(target, place.patienceMs);
      facts[id] = answer.facts;
      print(`${text}\n    ${JSON.stringify({ ...answer.facts, ...answer.timings })}`);
    } catch (error) {
      report(`question ${id}`, error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    }
  }
  recorder.take();
  return facts;
}

async function runCases(target: LiveTarget, place: Place, recorder: Recorder): Promise<Recording['cases']> {
  const recorded: Record<string, Recording['cases'][string]> = {};
  for (const contractCase of LIVE_CASES) {
    const id = caseId(contractCase);
    recorder.take();
    let problem: string | undefined;
    try {
      await contractCase.run(target);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    recorded[id] = recorder.take();
    if (place.name !== 'moto' || !(id in MOTO_DIFFERENCES)) report(`case ${id}`, problem);
  }
  print(`${String(LIVE_CASES.length)} contract cases ran; left out:`);
  for (const [id, reason] of Object.entries(LEFT_OUT)) print(`  ${id}: ${reason}`);
  return recorded;
}

async function save(recording: Recording, name: string): Promise<void> {
  await mkdir(RECORDED, { recursive: true });
  await writeFile(`${RECORDED}${name}.json`, `${JSON.stringify(recording, null, 2)}\n`);
  print(`recorded in test/contract/recorded/${name}.json; look through it before you commit it`);
}

async function run(options: Options, place: Place): Promise<void> {
  const { accountId, region, isSweep } = options;
  const prefix = isSweep ? FAMILY : `${FAMILY}${randomBytes(4).toString('hex')}`;
  const recorder = createRecorder();
  const target = createLiveTarget({ place, region, accountId, prefix, observer: recorder });
  const { admin: clients, people } = target;
  const canSimulate = place.name !== 'moto';
  const refusals = await findRefusals({ clients, people, accountId, mayHoldObjects: isSweep, canSimulate });
  if (refusals.length > 0) {
    refusals.forEach(print);
    failures += refusals.length;
    return;
  }
  if (place.name === 'aws') print(isSweep ? `Everything named ${FAMILY}… will be deleted.` : PLAN);
  if (place.name === 'aws' && !(await isConfirmed(accountId))) {
    print('Not confirmed; nothing was done.');
    failures += 1;
    return;
  }
  const iamPath = isSweep ? IAM_PATH : target.iamPath;
  const { listLagMs } = place;
  const clean = async () => {
    if (listLagMs > 0) print('deleting; lists of AWS are up to five minutes late, so it looks again after that');
    print(`deleted: ${JSON.stringify(await sweepTwice({ clients, people, prefix, iamPath, listLagMs }))}`);
  };
  process.once('SIGINT', () => void clean().finally(() => process.exit(130)));
  try {
    if (!isSweep) await ask(options, { place, target, recorder });
  } finally {
    await clean();
  }
}

interface Parts {
  readonly place: Place;
  readonly target: LiveTarget;
  readonly recorder: Recorder;
}

async function ask(options: Options, { place, target, recorder }: Parts): Promise<void> {
  const questions = await answerQuestions(target, place, recorder);
  if (options.isQuestionsOnly) return;
  const cases = await runCases(target, place, recorder);
  await tellProductStory(target, place, report);
  const recordedOn = new Date().toISOString().slice(0, 10);
  const recording: Recording = { recordedOn, region: target.region, cases, questions };
  if (place.name === 'aws') await save(recording, `${recordedOn}-${target.region}`);
}

const options = readOptions();
if (typeof options === 'string') {
  print(options);
  process.exitCode = 2;
} else {
  const place = await openPlace(options.placeName);
  try {
    await run(options, place);
  } finally {
    await place.close();
  }
  print(`live: ${place.name}, ${String(failures)} failures`);
  process.exitCode = failures === 0 ? 0 : 1;
}
