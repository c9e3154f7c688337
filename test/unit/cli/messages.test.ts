/**
 * What a person reads when a command is refused: flags, not fields; each remedy once; the object's
 * name in commands to paste.
 */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { reportError, type CommandInput } from '../../../src/cli/exit.ts';
import { inFlags, saidOf, withFlag } from '../../../src/cli/flags.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { describeCheck, describePlan, describeRun } from '../../../src/cli/reports.ts';
import { withListBelow } from '../../../src/cli/sync-report.ts';
import type { RunRecord } from '../../../src/client/types/run.ts';
import { isSaid } from '../../../src/domain/advice.ts';
import { errorTable, JobError } from '../../../src/errors.ts';

const program = await createProgram();

function read(error: JobError, asked?: CommandInput): readonly string[] {
  const lines: string[] = [];
  reportError({ isJson: false, result: () => undefined, note: (text) => lines.push(text) }, error, asked);
  return lines;
}

const invalid = (...problems: readonly string[]) =>
  new JobError('PAYLOAD_INVALID', { message: `${problems.join('; ')}.`, context: { problems } });
const create: CommandInput = { flags: new Set(['--name', '--prefix', '--tag']), of: undefined };

describe('a refused command', () => {
  it('names the flag of the field that is wrong, and no step that the message has already', () => {
    expect(read(invalid('destinationConfig.path must start and end with /'), create)).toEqual([
      'keyferry: --prefix must start and end with /.',
      '  [PAYLOAD_INVALID]',
    ]);
  });

  it('lists several problems once', () => {
    expect(read(invalid('name must be short', 'syncOptions.tags.0.value must be text'), create)).toEqual([
      'keyferry: 2 options are wrong.',
      '  - --name must be short',
      '  - --tag must be text',
      '  [PAYLOAD_INVALID]',
    ]);
  });

  it('says the remedy once, with the name of the object', () => {
    const of = { kind: 'sync', name: 'api' } as const;
    const owned =
      'It owns 1 object at AWS: delete the sync with `removeSecrets: true`, or leave it at AWS with `abandon: true`.';
    expect(read(new JobError('SYNC_STILL_OWNED', { message: owned }), { flags: new Set(), of })).toEqual([
      'keyferry: It owns 1 object at AWS: run `keyferry sync delete api --remove-secrets`, or leave it at AWS with --abandon.',
      '  [SYNC_STILL_OWNED]',
    ]);
    const [, step] = read(new JobError('SYNC_DELETIONS_UNCONFIRMED'), { flags: new Set(), of });
    expect(step).toBe(
      '  Check `keyferry sync plan api`, then run `keyferry sync run api --confirm-deletions N`. [SYNC_DELETIONS_UNCONFIRMED]',
    );
  });

  it('adds to the cause of an outage what it means for the work, and no second advice', () => {
    const message = 'PostgreSQL at db:5432 refused the password (28P01). Correct DATABASE_URL.';
    expect(read(new JobError('DB_UNAVAILABLE', { message }))).toEqual([
      `keyferry: ${message}`,
      '  Runs wait, keep their status, and resume when it responds. [DB_UNAVAILABLE]',
    ]);
    expect(read(new JobError('DB_UNAVAILABLE'))[1]).toContain('Check DATABASE_URL');
  });

  it('keeps the step that its message lacks', () => {
    expect(read(new JobError('SYNC_NOT_FOUND', { message: 'There is no sync api.' }))[1]).toBe(
      '  List them with `keyferry sync list`. [SYNC_NOT_FOUND]',
    );
  });
});

it('`sync show` does not send its reader to `sync show`', () => {
  const report = 'status  failed: A: denied. And 15 more: see `keyferry sync show api`.';
  expect(withListBelow(report)).toBe('status  failed: A: denied. And 15 more, listed below.');
});

describe('a plan that the brake would stop', () => {
  it('gives the command to paste, and does not send the reader to the plan again', () => {
    const message =
      'The source is empty. Look at `keyferry sync plan`; if meant: run the sync with `confirmDeletions: 2`.';
    const plan = { changes: [], unchanged: 0, blockedBy: { message } };
    expect(describePlan(plan, { kind: 'sync', name: 'api' })).toContain(
      'blocked: The source is empty. If meant: run `keyferry sync run api --confirm-deletions 2`.',
    );
  });
});

describe('a message of the domain at the terminal', () => {
  const of = { kind: 'sync', name: 'api' } as const;

  it.each([
    ['Run the sync with `acceptSource: true`.', 'Run `keyferry sync run api --accept-source`.'],
    ['To stop, delete the sync and abandon them.', 'To stop, run `keyferry sync delete api --abandon`.'],
    ['Set `tier: advanced` or intelligent.', 'Set --tier advanced or intelligent.'],
    ['Run the rotation with `skipSync: SYNC`.', 'Run `keyferry rotation run --skip-sync SYNC`.'],
    [
      'run the source of web, prod, /api with `confirmDeletions: 4`.',
      'run `keyferry source run --project web --env prod --path /api --confirm-deletions 4`.',
    ],
    ['Check `keyferry sync list` and `unknown: 3`.', 'Check `keyferry sync list` and `unknown: 3`.'],
  ])('%s names flags and the object', (message, expected) => {
    expect(inFlags(message, of)).toBe(expected);
  });

  it('has a flag that its command knows, for every field that it advises', () => {
    const flags = new Set(commandsOf(program).flatMap((command) => command.options.map(({ long }) => long)));
    const advised = Object.values(errorTable).flatMap(({ message, nextStep }) => [message, nextStep]);
    const named = advised.flatMap((text) => inFlags(text).match(/--[a-z-]+/g) ?? []);
    expect(named.length).toBeGreaterThan(10);
    for (const flag of named) expect(flags).toContain(flag);
    for (const text of advised) expect(inFlags(text)).not.toMatch(/`[a-z]+[A-Z]\w+(: \w+)?`/);
  });
});

describe('a list or report', () => {
  it('names the object in the commands of its messages', () => {
    expect(saidOf('sync', { name: 'api' }, 'Look at `keyferry sync plan`.')).toBe('Look at `keyferry sync plan api`.');
    expect(saidOf('sync', { name: null }, 'Look at `keyferry sync plan`.')).toContain('`keyferry sync plan`');
    expect(saidOf('rotation', { name: 'ci' }, null)).toBeNull();
  });

  it('names the connection in the fixes of its checks', () => {
    const advice = 'Correct the connection with `keyferry connection update`.';
    const check = { name: 'identity', verdict: 'fail', detail: 'refused', fix: { advice } } as const;
    expect(describeCheck(check, { kind: 'connection', name: 'prod' })).toContain('`keyferry connection update prod`');
  });

  it('names the sync in what a check of it found', () => {
    const detail = 'was changed. To write the folder’s value, run the sync with `acceptSource: true`.';
    const run = { kind: 'sync', status: 'succeeded', id: '1', errorMessage: null, progress: null, counts: null };
    const found = { ...run, awsCalls: {}, result: { drift: [{ remoteName: '/a', detail }] } } as unknown as RunRecord;
    expect(describeRun(found, { kind: 'sync', name: 'api' })).toContain('run `keyferry sync run api --accept-source`');
  });
});

describe('an advice', () => {
  it.each([
    ['Create it with `keyferry secrets set`.', 'There is no folder. Create it with `keyferry secrets set`.', true],
    ['Choose another prefix or delete the other sync.', 'Taken. Choose another prefix, or delete that sync.', true],
    ['Check `keyferry sync plan`.', 'The source is empty.', false],
    ['Wait until AWS answers again.', 'AWS does not answer.', false],
    ['Repair with `keyferry sync run`, or `drift: repair`.', 'To keep it, run the sync with `acceptSource`.', true],
    ['Let it take over with `onExisting: adopt`.', 'It exists and is managed by an owner.', false],
  ])('%s beside "%s" is said already: %s', (advice, message, isThere) => {
    expect(isSaid(message, advice)).toBe(isThere);
  });
});

function commandsOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(commandsOf);
}

it('has a flag of the command for every field that it can be told of', () => {
  const fields: Readonly<Record<string, readonly string[]>> = {
    'sync create': [
      'name',
      'description',
      'source.projectId',
      'destinationConfig.region',
      'syncOptions.keySchema',
      'syncOptions.tags.3.key',
    ],
    'sync update': [
      'name',
      'destinationConfig.secretName',
      'syncOptions.replicaRegions.0',
      'syncOptions.replicaKeys.us-east-1',
    ],
    'connection create': ['name', 'region', 'credentials.method', 'credentials.roleArn', 'credentials.secretAccessKey'],
    'connection update': ['name', 'credentials.accessKeyId'],
    'rotation create': ['userName', 'secretsMapping.accessKeyId', 'rotationIntervalDays', 'target.secretPath'],
    'webhook create': ['name', 'url', 'events', 'namePattern'],
    'identity create': ['name', 'projects', 'expiresAt'],
  };
  const commands = commandsOf(program);
  for (const [path, given] of Object.entries(fields)) {
    const [noun = '', verb = ''] = path.split(' ');
    const command = commands.find((one) => one.name() === verb && one.parent?.name() === noun);
    const flags = new Set([
      ...(command?.options ?? []).map(({ long }) => long ?? ''),
      ...(command?.registeredArguments ?? []).map((one) => `<${one.name()}>`),
    ]);
    for (const field of given)
      expect(withFlag(`${field} is wrong`, flags), path).toMatch(/^(--[\w-]+|<name>|the secret on stdin) is wrong$/);
  }
});
