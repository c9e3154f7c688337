/** `keyferry rotation …` */
import { type Command, Option } from 'commander';

import { defined } from '../../domain/defined.ts';
import { parseDuration } from '../../domain/duration.ts';
import { JobError } from '../../errors.ts';
import { findRotationChangeProblems, findRotationProblems } from '../../client/rotations.ts';
import { collect, done, leaf, runWithClient, text, type ClientInvocation, type Options } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { readSecret } from '../input.ts';
import { saidOf } from '../flags.ts';
import { rotationTime, timeOfDay, toDays, wholeDays } from '../options.ts';
import { indent, table, upcoming } from '../output.ts';
import { describeRotation, describeRun } from '../reports.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { waitForRun, withWaiting } from '../waiting.ts';
import { addDelete, hintsOf } from './rotation-delete.ts';
import { placeOf, withPlace } from './secrets.ts';
import type { CreatedRotation, CreateRotation } from '../../client/types/rotation.ts';
import type { RunRecord } from '../../client/types/run.ts';

export function addRotationCommands(noun: Command): void {
  addCreate(noun);
  addUpdate(noun);
  addRun(noun);
  addOrders(noun);
  addShowing(noun);
  addDelete(noun);
}

function withTimes(command: Command): Command {
  return command
    .option('--at <hh:mm>', 'time of day, UTC', timeOfDay)
    .option('--grace <duration>', 'how long the old key stays active at least (default 24h)', rotationTime)
    .option('--quiet <duration>', 'how long the old key must show no use (default 24h)', rotationTime)
    .option('--hold <duration>', 'how long the old key stays inactive before it is deleted (default 7d)', rotationTime)
    .option('--description <text>', 'for people')
    .addOption(
      new Option(
        '--on-existing <what>',
        'adopt: take over a key that a deleted rotation of another folder left',
      ).choices(['fail', 'adopt']),
    );
}

function addCreate(noun: Command): void {
  const command = withTimes(
    withPlace(leaf(noun, 'create', 'rotate the access key of an IAM user and publish it into a folder'))
      .requiredOption('--name <name>', 'unique within the project')
      .requiredOption('--connection <connection>', 'name or id')
      .requiredOption('--user <user>', 'the IAM user, without its path')
      .requiredOption('--access-key-id-as <key>', 'the secret that holds the key id')
      .requiredOption('--secret-access-key-as <key>', 'the secret that holds the secret access key')
      .requiredOption('--every <days>', 'how often to rotate, as 30d', wholeDays),
  )
    .option('--adopt-key <id>', 'the key in use today; its secret access key comes from stdin or a hidden prompt')
    .option('--no-auto', 'rotate only when asked');
  const create = async (invocation: ClientInvocation) => {
    const { client, options } = invocation;
    const adoptKey = await readAdopted(options);
    return showCreated(invocation, await client.rotations.create(toInput(options, adoptKey)));
  };
  runWithClient(withWaiting(command), create, (options) => {
    const accessKeyId = text(options, 'adoptKey');
    const adoptKey = accessKeyId === undefined ? undefined : { accessKeyId, secretAccessKey: UNREAD };
    return findRotationProblems(toInput(options, adoptKey));
  });
}

/** In place of a secret that is read once everything else is right. */
const UNREAD = 'x'.repeat(40);

function toInput(options: Options, adoptKey: CreateRotation['adoptKey']): CreateRotation {
  return {
    name: text(options, 'name') ?? '',
    connection: text(options, 'connection') ?? '',
    target: placeOf(options),
    userName: text(options, 'user') ?? '',
    secretsMapping: {
      accessKeyId: text(options, 'accessKeyIdAs') ?? '',
      secretAccessKey: text(options, 'secretAccessKeyAs') ?? '',
    },
    isAutoRotationEnabled: options.auto !== false,
    rotationIntervalDays: Number.NaN,
    ...toTimes(options),
    ...defined({ adoptKey }),
  };
}

/**
 * Reports now what would block it: a foreign key, a missing permission, an adopted key that does
 * not work.
 */
async function showCreated(invocation: ClientInvocation, created: CreatedRotation): Promise<ExitCode> {
  const { client, options, output } = invocation;
  if (options.wait === false) {
    output.result(created, () => describeRotation(created));
    return done;
  }
  const run = await waitForRun(invocation, created.requestId, hintsOf(created.name));
  const rotation = await client.rotations.get(created.id);
  output.result({ ...rotation, requestId: created.requestId }, () => describeRotation(rotation));
  return run.status === 'failed' || run.status === 'blocked' ? exitCodes.failed : done;
}

async function readAdopted(options: Options) {
  const accessKeyId = text(options, 'adoptKey');
  if (accessKeyId === undefined) return undefined;
  return { accessKeyId, secretAccessKey: await readSecret(`Secret access key of ${accessKeyId}`) };
}

function toTimes(options: Options) {
  const at = text(options, 'at');
  const every = text(options, 'every');
  return {
    ...(every === undefined ? {} : { rotationIntervalDays: toDays(every) ?? Number.NaN }),
    ...(at === undefined ? {} : { rotateAtUtc: toTimeOfDay(at) }),
    ...defined({
      description: text(options, 'description'),
      onExisting: text(options, 'onExisting') as 'fail' | 'adopt' | undefined,
    }),
    ...seconds(options, 'grace', 'graceSeconds'),
    ...seconds(options, 'quiet', 'quietSeconds'),
    ...seconds(options, 'hold', 'holdSeconds'),
  };
}

function seconds<P extends string>(options: Options, option: string, property: P): Partial<Record<P, number>> {
  const value = text(options, option);
  if (value === undefined) return {};
  return { [property]: Math.round((parseDuration(value) ?? Number.NaN) / 1_000) } as Partial<Record<P, number>>;
}

/** Checked as an option. */
function toTimeOfDay(at: string): { hours: number; minutes: number } {
  const [hours, minutes] = at.split(':');
  return { hours: Number(hours), minutes: Number(minutes) };
}

function addUpdate(noun: Command): void {
  const command = withTimes(leaf(noun, 'update <name>', 'change a rotation'))
    .option('--every <days>', 'how often to rotate, as 30d', wholeDays)
    .option('--rename <name>', 'the new name')
    .option(
      '--adopt-key <id>',
      'before the first rotation: the key in use today; its secret comes from stdin or a hidden prompt',
    )
    .option('--auto', 'rotate on schedule')
    .option('--no-auto', 'rotate only when asked');
  const update = async ({ args: [name = ''], client, options, output }: ClientInvocation) => {
    const adoptKey = await readAdopted(options);
    const changes = toChanges(options);
    // First: a change makes the rotation due, and a running rotation adopts nothing.
    const adopted = adoptKey && (await client.rotations.adoptKey(name, adoptKey));
    const rotation =
      adopted && Object.keys(changes).length === 0 ? adopted : await client.rotations.update(name, changes);
    output.result(rotation, () => describeRotation(rotation));
    return done;
  };
  runWithClient(command, update, (options) => {
    const accessKeyId = text(options, 'adoptKey');
    const adoptKey = accessKeyId === undefined ? undefined : { accessKeyId, secretAccessKey: UNREAD };
    return findRotationChangeProblems({ ...toChanges(options), ...defined({ adoptKey }) });
  });
}

function toChanges(options: Options) {
  const { auto } = options;
  return {
    ...defined({ name: text(options, 'rename') }),
    ...(typeof auto === 'boolean' ? { isAutoRotationEnabled: auto } : {}),
    ...toTimes(options),
  };
}

function addRun(noun: Command): void {
  const command = leaf(noun, 'run <name>', 'rotate now; waits until the new key is published and confirmed')
    .option('--emergency', 'retire the old key without quiet time and hold')
    .option('--revoke-now <name>', 'with --emergency: cut consumers off at once; repeat the rotation’s name to confirm')
    .option('--skip-sync <name>', 'do not wait for this dependent sync; repeatable', collect);
  runWithClient(withConfirmation(withWaiting(command)), async (invocation) => {
    const {
      args: [name = ''],
      client,
      options,
    } = invocation;
    const rotation = await client.rotations.get(name);
    const wish = toWish(options, rotation.name);
    if (options.emergency === true)
      await confirm(invocation, `The present key of ${rotation.userName} is retired without its quiet time and hold.`);
    const requestId = await client.rotations.request(name, wish);
    return answer(invocation, name, requestId);
  });
}

function toWish(options: Options, name: string) {
  const confirmed = text(options, 'revokeNow');
  if (confirmed !== undefined && (confirmed !== name || options.emergency !== true)) {
    throw new JobError('PAYLOAD_INVALID', {
      message: `--revoke-now cuts consumers off: give it with --emergency and the rotation’s own name, ${name}.`,
    });
  }
  return {
    ...(options.emergency === true ? { emergency: true } : {}),
    ...(confirmed === undefined ? {} : { revokeNow: true }),
    ...(Array.isArray(options.skipSync) ? { skipSync: options.skipSync.map(String) } : {}),
  };
}

async function answer(invocation: ClientInvocation, name: string, requestId: string | undefined): Promise<ExitCode> {
  const { client, options, output } = invocation;
  if (requestId === undefined || options.wait === false) {
    output.result({ requestId: requestId ?? null }, () =>
      requestId === undefined ? 'Nothing was under way.' : `Request ${requestId}.`,
    );
    return done;
  }
  const run = await waitForRun(invocation, requestId, hintsOf(name));
  const rotation = await client.rotations.get(name);
  output.result(run, () => `${describeRun(run)}${goesOn(run)}\n\n${describeRotation(rotation)}`);
  return run.status === 'succeeded' || run.status === 'continued' ? exitCodes.done : exitCodes.failed;
}

/** Most runs of a rotation end with something to wait for; the rotation says what. */
function goesOn({ status, errorMessage }: RunRecord): string {
  if (status !== 'continued' || errorMessage !== null) return '';
  return '\n\nThis step is done; the rotation continues by itself.';
}

function addOrders(noun: Command): void {
  for (const verb of ['pause', 'resume'] as const) {
    runWithClient(
      leaf(noun, `${verb} <name>`, `${verb} a rotation at its next safe point; keys stay as they are`),
      async ({ args: [name = ''], client, output }) => {
        const rotation = await client.rotations[verb](name);
        output.result(rotation, () => describeRotation(rotation));
        return done;
      },
    );
  }
  for (const [verb, description] of [
    ['cancel', 'before the publication: the new key goes, the old one stays'],
    ['reactivate', 'during the hold: the old key becomes active again'],
  ] as const) {
    runWithClient(withWaiting(leaf(noun, `${verb} <name>`, description)), async (invocation) => {
      const [name = ''] = invocation.args;
      return answer(invocation, name, await invocation.client.rotations[verb](name));
    });
  }
}

function addShowing(noun: Command): void {
  runWithClient(
    leaf(noun, 'show <name>', 'everything known about a rotation, with its timeline'),
    async ({ args: [name = ''], client, output }) => {
      const [rotation, keys, timeline] = await Promise.all([
        client.rotations.get(name),
        client.rotations.keys(name),
        client.rotations.timeline(name),
      ]);
      output.result({ ...rotation, keys, timeline }, () => {
        const keyRows = keys.map((key) => [
          key.accessKeyId,
          key.state,
          key.createdAt,
          key.publishedAt,
          key.retireAfter,
          key.lastUsedAt,
        ]);
        const stepRows = timeline.map((step) => [step.at, step.phase, step.step, step.accessKeyId, step.detail]);
        return [
          describeRotation(rotation),
          `keys\n${indent(table(['KEY', 'STATE', 'CREATED', 'PUBLISHED', 'RETIRE AFTER', 'LAST USED'], keyRows))}`,
          `timeline\n${indent(table(['AT', 'PHASE', 'STEP', 'KEY', 'DETAIL'], stepRows))}`,
        ].join('\n\n');
      });
      return done;
    },
  );
  runWithClient(leaf(noun, 'list', 'all rotations'), async ({ client, output }) => {
    const rotations = await client.rotations.list();
    output.result(rotations, () =>
      table(
        ['NAME', 'IAM USER', 'STATUS', 'PHASE', 'ACTIVE KEY', 'ROTATED', 'NEXT', 'MESSAGE'],
        rotations.map((one) => [
          one.name,
          one.userName,
          one.rotationStatus,
          one.phase,
          one.activeAccessKeyId,
          one.lastRotatedAt,
          upcoming(one.nextRotationAt, one),
          saidOf('rotation', one, one.statusMessage),
        ]),
      ),
    );
    return done;
  });
}
