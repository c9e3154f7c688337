/** `keyferry connection …` */
import { type Command, Option } from 'commander';

import { findConnectionChangeProblems, findConnectionProblems } from '../../client/connections.ts';
import { defined } from '../../domain/defined.ts';
import { done, leaf, runWithClient, text, type ClientInvocation, type Options } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { readSecret } from '../input.ts';
import { saidOf } from '../flags.ts';
import { regionName } from '../options.ts';
import { table, upcoming } from '../output.ts';
import { describeConnection } from '../reports.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { waitForRun, withTimeout, withWaiting, type Hints } from '../waiting.ts';
import type { Connection, CreateConnection, NewConnectionCredentials } from '../../client/types/connection.ts';
import type { RunRecord } from '../../client/types/run.ts';

export function addConnectionCommands(noun: Command): void {
  addCreate(noun);
  addUpdate(noun);
  runWithClient(withWaiting(leaf(noun, 'validate <name>', 'validate now, and show what is missing')), validate);
  runWithClient(
    leaf(noun, 'show <name>', 'everything known about a connection'),
    async ({ args: [name = ''], client, output }) => {
      const connection = await client.connections.get(name);
      const dependents = await client.connections.dependents(name);
      output.result(connection, () => describeConnection(connection, dependents));
      return done;
    },
  );
  runWithClient(leaf(noun, 'list', 'all connections'), async ({ client, output }) => {
    const connections = await client.connections.list();
    output.result(connections, () =>
      table(
        ['NAME', 'METHOD', 'STATUS', 'ACCOUNT', 'VALIDATED', 'NEXT', 'MESSAGE'],
        connections.map((one) => [
          one.name,
          one.method,
          one.status,
          one.accountId,
          one.lastValidatedAt,
          upcoming(one.nextDueAt),
          saidOf('connection', one, one.statusMessage),
        ]),
      ),
    );
    return done;
  });
  addDelete(noun);
}

function addDelete(noun: Command): void {
  runWithClient(
    withConfirmation(leaf(noun, 'delete <name>', 'delete a connection that nothing uses')),
    async (invocation) => {
      const {
        args: [name = ''],
        client,
        output,
      } = invocation;
      await confirm(invocation, `The connection ${name} and its stored credentials are deleted.`);
      await client.connections.delete(name);
      output.result({ deleted: name }, () => `Deleted ${name}.`);
      return done;
    },
  );
}

function addCreate(noun: Command): void {
  const command = leaf(noun, 'create', 'record a connection and validate it')
    .requiredOption('--name <name>', 'unique within the project')
    .addOption(
      new Option('--method <method>', 'assume-role, with --role-arn, or access-key, with --access-key-id')
        .choices(['assume-role', 'access-key'])
        .makeOptionMandatory(),
    )
    .option('--role-arn <arn>', 'the role to assume')
    .option('--external-id <id>', 'operators only: another external ID than the org’s id')
    .option(...exceptionOption)
    .option('--access-key-id <id>', 'AKIA…; the secret access key comes from stdin or a hidden prompt')
    .option(...narrowOption)
    .option('--region <region>', 'where checks are made', regionName)
    .option('--description <text>', 'for people');
  const create = async (invocation: ClientInvocation) => {
    const { client, options, output } = invocation;
    const credentials = await readCredentials(options, text(options, 'method'));
    const { connection, requestId } = await client.connections.create(toInput(options, credentials));
    if (options.wait === false) {
      output.result({ id: connection.id, requestId }, () => `Recorded ${connection.name}; request ${requestId}.`);
      return done;
    }
    await waitForRun(invocation, requestId, hintsOf(connection.name));
    return showConnection(invocation, connection.id);
  };
  runWithClient(withWaiting(command), create, (options) => [
    ...idleCredentials(options),
    ...findConnectionProblems(toInput(options, credentialsOf(options, text(options, 'method')))),
  ]);
}

function toInput(options: Options, credentials: NewConnectionCredentials): CreateConnection {
  return {
    name: text(options, 'name') ?? '',
    ...pick(options, { description: 'description', region: 'region' }),
    ...exceptionOf(options),
    ...narrowingOf(options),
    credentials,
  };
}

/** Options of the other method. */
function idleCredentials(options: Options): readonly string[] {
  const method = text(options, 'method');
  const [of, idle] =
    method === 'access-key'
      ? ['a role', ['roleArn', 'externalId', 'allowMissingExternalId']]
      : ['an access key', ['accessKeyId', 'narrowAccessKey']];
  if (method !== 'access-key' && method !== 'assume-role')
    return options.roleArn === undefined && options.accessKeyId === undefined
      ? ['--role-arn is missing, or --access-key-id where the method is access-key']
      : [];
  return idle
    .filter((option) => options[option] !== undefined)
    .map((option) => `${flagOf(option)} has no effect: it is for ${of}`);
}

const flagOf = (option: string): string => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function addUpdate(noun: Command): void {
  const command = leaf(
    noun,
    'update <name>',
    'change a connection; changed credentials are validated before they replace the old ones',
  )
    .option('--role-arn <arn>', 'another role to assume')
    .option('--access-key-id <id>', 'the secret access key comes from stdin or a hidden prompt')
    .option('--external-id <id>', 'operators only')
    .option(...exceptionOption)
    .option('--no-allow-missing-external-id', 'take that permission back')
    .option(...narrowOption)
    .option('--no-narrow-access-key', 'use the access key as it is')
    .option('--region <region>', 'where checks are made', regionName)
    .option('--rename <name>', 'the new name')
    .option('--description <text>', 'for people')
    .option('--force', 'replace the credentials even if they are refused');
  const update = async (invocation: ClientInvocation) => {
    const {
      args: [name = ''],
      client,
      options,
    } = invocation;
    const method = methodGiven(options);
    const hasCredentials = method !== undefined;
    const credentials = hasCredentials ? await readCredentials(options, method) : undefined;
    const updated = await client.connections.update(name, toChanges(options, credentials), {
      force: options.force === true,
    });
    if (hasCredentials || options.allowMissingExternalId !== undefined || options.narrowAccessKey !== undefined)
      await waitForRun(invocation, await client.connections.requestValidation(updated.id), hintsOf(updated.name));
    return showConnection(invocation, updated.id);
  };
  runWithClient(withTimeout(command), update, (options) => {
    const method = methodGiven(options);
    const credentials = method && credentialsOf(options, method);
    return [...idleChanges(options), ...findConnectionChangeProblems(toChanges(options, credentials))];
  });
}

function toChanges(options: Options, credentials: NewConnectionCredentials | undefined) {
  return {
    ...pick(options, { rename: 'name', region: 'region', description: 'description' }),
    ...exceptionOf(options),
    ...narrowingOf(options),
    ...defined({ credentials }),
  };
}

/** Undefined: the credentials stay. */
function methodGiven({ roleArn, accessKeyId }: Options): 'assume-role' | 'access-key' | undefined {
  if (roleArn !== undefined) return 'assume-role';
  return accessKeyId === undefined ? undefined : 'access-key';
}

/** Options of other credentials than the new ones. */
function idleChanges(options: Options): readonly string[] {
  const method = methodGiven(options);
  const problems: string[] = [];
  if (method === 'assume-role' && options.accessKeyId !== undefined)
    problems.push('--role-arn and --access-key-id exclude each other: give one of them');
  if (options.externalId !== undefined && method !== 'assume-role')
    problems.push('--external-id has no effect without --role-arn');
  if (options.force === true && method === undefined)
    problems.push('--force has no effect without --role-arn or --access-key-id');
  if (options.narrowAccessKey === true && method === 'assume-role')
    problems.push('--narrow-access-key has no effect: it is for an access key');
  return problems;
}

const hintsOf = (name: string): Hints => ({ follow: `keyferry connection show ${name}` });

const exceptionOption = [
  '--allow-missing-external-id <reason>',
  'operators only: accept a role that does not insist on an external ID; the reason is kept on record',
] as const;

const narrowOption = [
  '--narrow-access-key',
  'syncs use the key only through sessions that are narrowed to their path; the user needs sts:GetFederationToken',
] as const;

function narrowingOf({ narrowAccessKey }: Options): { narrowAccessKey?: boolean } {
  return typeof narrowAccessKey === 'boolean' ? { narrowAccessKey } : {};
}

function exceptionOf(options: Options): { allowMissingExternalId?: string | null } {
  const { allowMissingExternalId: reason } = options;
  if (reason === false) return { allowMissingExternalId: null };
  return typeof reason === 'string' ? { allowMissingExternalId: reason } : {};
}

function pick(options: Options, names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([option, property]) => {
      const value = text(options, option);
      return value === undefined ? [] : [[property, value]];
    }),
  );
}

/** What the options say; the client names what is missing. */
function credentialsOf(
  options: Options,
  method: string | undefined,
  secretAccessKey = UNREAD,
): NewConnectionCredentials {
  const accessKeyId = text(options, 'accessKeyId');
  const role = defined({ roleArn: text(options, 'roleArn'), externalId: text(options, 'externalId') });
  const given = method === 'access-key' ? { ...defined({ accessKeyId }), secretAccessKey } : role;
  return { ...given, method } as unknown as NewConnectionCredentials;
}

/** In place of a secret that is read once everything else is right. */
const UNREAD = 'x'.repeat(40);

async function readCredentials(options: Options, method: string | undefined): Promise<NewConnectionCredentials> {
  if (method !== 'access-key') return credentialsOf(options, method);
  return credentialsOf(options, method, await readSecret(`Secret access key of ${text(options, 'accessKeyId') ?? ''}`));
}

async function showConnection({ client, output }: ClientInvocation, name: string): Promise<ExitCode> {
  const connection = await client.connections.get(name);
  output.result(connection, () => describeConnection(connection, []));
  return verdict(connection);
}

function verdict(connection: Connection): ExitCode {
  return connection.status === 'valid' ? exitCodes.done : exitCodes.failed;
}

async function validate(invocation: ClientInvocation): Promise<ExitCode> {
  const {
    args: [name = ''],
    client,
    options,
    output,
  } = invocation;
  const requestId = await client.connections.requestValidation(name);
  if (options.wait === false) {
    output.result({ requestId }, () => `Request ${requestId}.`);
    return done;
  }
  const run: RunRecord = await waitForRun(invocation, requestId, hintsOf(name));
  const connection = await client.connections.get(name);
  output.result(run, () => describeConnection(connection, []));
  return verdict(connection);
}
