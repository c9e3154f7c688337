/**
 * What a person reads when a command is refused: flags, not fields; each remedy once; the object's
 * name in commands to paste.
 */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { reportError, type CommandInput } from '../../../src/cli/exit.ts';
import { withFlag } from '../../../src/cli/flags.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { describePlan } from '../../../src/cli/reports.ts';
import { isSaid } from '../../../src/domain/advice.ts';
import { JobError } from '../../../src/errors.ts';

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
      'It owns 1 object at AWS: delete it with `keyferry sync delete api --remove-secrets`, or leave it at AWS with --abandon.';
    expect(read(new JobError('SYNC_STILL_OWNED', { message: owned }), { flags: new Set(), of })).toEqual([
      `keyferry: ${owned}`,
      '  [SYNC_STILL_OWNED]',
    ]);
    const [, step] = read(new JobError('SYNC_DELETIONS_UNCONFIRMED'), { flags: new Set(), of });
    expect(step).toContain('`keyferry sync plan api`');
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

describe('a plan that the brake would stop', () => {
  it('gives the command to paste, and does not send the reader to the plan again', () => {
    const message =
      'The source is empty. Look at `keyferry sync plan`; if meant: `keyferry sync run --confirm-deletions 2`.';
    const plan = { changes: [], unchanged: 0, blockedBy: { message } };
    expect(describePlan(plan, { kind: 'sync', name: 'api' })).toContain(
      'blocked: The source is empty. If meant: `keyferry sync run api --confirm-deletions 2`.',
    );
  });
});

describe('an advice', () => {
  it.each([
    ['Create it with `keyferry secrets set`.', 'There is no folder. Create it with `keyferry secrets set`.', true],
    ['Choose another prefix or delete the other sync.', 'Taken. Choose another prefix, or delete that sync.', true],
    ['Check `keyferry sync plan`.', 'The source is empty.', false],
    ['Wait until AWS answers again.', 'AWS does not answer.', false],
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
