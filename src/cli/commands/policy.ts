/**
 * `keyferry policy …`: the IAM policies that keyferry needs, as JSON to paste. Needs no database.
 */
import { type Command, Option } from 'commander';

import { awsConfigOf } from '../../config/config.ts';
import { processEnvironment } from '../../config/environment.ts';
import { baseUserPolicy, policyFor, trustPolicy, type Trusted } from '../../domain/policy/policies.ts';
import type { PolicyTarget } from '../../domain/policy/target.ts';
import { type AnyKind, allKinds, destinations, type DestinationScope } from '../../domain/destinations/registry.ts';
import { partitionNames } from '../../domain/partitions.ts';
import { regionProblem } from '../../domain/regions.ts';
import type { PolicyDocument } from '../../domain/policy/document.ts';
import { formatPermissions, formatRole, type PolicyFormat, policyFormats } from '../../domain/policy/formats.ts';
import { JobError } from '../../errors.ts';
import { collect, done, leaf, run, text, type Invocation, type Options } from '../command.ts';
import { findEnvironment } from '../environment.ts';
import type { ExitCode } from '../exit.ts';
import { accountId, orgOption, regionName } from '../options.ts';

export function addPolicyCommands(noun: Command): void {
  run(
    withPlaceOptions(leaf(noun, 'base-user', 'for the identity that assumes roles'))
      .option('--role-name <pattern>', 'of the roles that it may assume, as keyferry* (default: any)')
      .option('--key-age', 'also to read the age of its own access key')
      .option('--kms-key <arn>', 'also to use a key of KEYFERRY_KMS_KEY_ARN (repeatable)', collect),
    printBaseUser,
  );
  for (const [cliName, kinds] of kindsByUse()) {
    const command = useCommand(noun, cliName);
    for (const { policyOption } of kinds) command.option(policyOption.flags, policyOption.description);
    if (kinds.some((kind) => kind.settings.hasReplicas))
      command.option('--replica-key <region=key>', 'KMS key of the replicas in a region (repeatable)', collect);
    run(command, (invocation) => printUse(invocation, scopeIn(kinds, invocation.options)));
  }
  run(useCommand(noun, 'access-key-rotation').requiredOption('--user <user>', 'the IAM user'), (invocation) => {
    const { options } = invocation;
    const userName = required(options, 'user');
    return printUse(invocation, { use: 'access-key-rotation', kmsKey: text(options, 'kmsKey'), userName });
  });
  run(
    withPlaceOptions(leaf(noun, 'trust', 'trust policy of a connection’s role, with this org’s external ID'))
      .addOption(orgOption())
      .option('--external-id <id>', 'of a connection with one of its own')
      .option('--also <account=external-id>', 'who else keeps using the role (repeatable)', collect),
    printTrust,
  );
  run(
    leaf(noun, 'servers', 'least-privilege roles of PostgreSQL, views for reports, and a user of Redis').addHelpText(
      'after',
      '\nRun the SQL as an administrator; set passwords first. The views want the tables: run them after `keyferry migrate`.',
    ),
    printServers,
  );
}

async function printServers({ output }: Invocation): Promise<ExitCode> {
  const [{ databaseStatements, reportingStatements }, { redisStatements }] = await Promise.all([
    import('../../db/least-privilege.ts'),
    import('../../queues/redis-user.ts'),
  ]);
  const printed = { postgres: databaseStatements, reporting: reportingStatements, redis: redisStatements };
  output.result(printed, () =>
    [
      ...databaseStatements,
      '',
      ...reportingStatements,
      '',
      '-- Redis, in redis-cli:',
      ...redisStatements.map((one) => `-- ${one}`),
    ].join('\n'),
  );
  return done;
}

/** Path and name, with IAM's wildcards. */
const ROLE_PATTERN = /^[\w+=,.@/*?-]{1,512}$/;

function printBaseUser({ options, output }: Invocation): Promise<ExitCode> {
  const roleName = text(options, 'roleName')?.replace(/^\//, '');
  if (roleName !== undefined && !ROLE_PATTERN.test(roleName))
    throw new JobError('PAYLOAD_INVALID', {
      message: '--role-name must be the name of a role, with * and ? as wildcards and with its path if it has one.',
    });
  const place = text(options, 'partition') ?? 'aws';
  const { keyAge, kmsKey: kmsKeys = [] } = options as { keyAge?: boolean; kmsKey?: readonly string[] };
  const permissions = baseUserPolicy(place, { roleName, canReadOwnKey: keyAge === true, kmsKeys });
  return print(output, permissions, formatPermissions(formatOf(options), { of: 'user', name: NAME, permissions }));
}

/** Kinds by the name that `sync create --to` has for them. */
function kindsByUse(): ReadonlyMap<string, readonly AnyKind[]> {
  const names = allKinds.map((kind) => destinations[kind.destination].cliName);
  return new Map(names.map((name) => [name, allKinds.filter((_, index) => names[index] === name)]));
}

function useCommand(noun: Command, use: string): Command {
  return withPlaceOptions(leaf(noun, use, `for the role or user of a connection used for ${use}`))
    .option('--least', 'only what the use cannot do without')
    .option('--region <region>', 'AWS region (default: any)', regionName)
    .option('--kms-key <arn>', 'a customer managed key');
}

function printUse({ options, output }: Invocation, target: PolicyTarget): Promise<ExitCode> {
  const place = { partition: text(options, 'partition') ?? 'aws', accountId: text(options, 'account') ?? '*' };
  const permissions = policyFor(target, place, options.least === true ? 'least' : 'complete');
  return print(output, permissions, formatPermissions(formatOf(options), { of: 'role', name: NAME, permissions }));
}

/** Of the role, user and policy in templates: to be changed there. */
const NAME = 'keyferry';

function formatOf(options: Options): PolicyFormat {
  return policyFormats.find((format) => format === options.format) ?? 'json';
}

/** The kind whose own option is given, or the one that can do without. */
function scopeIn(kinds: readonly AnyKind[], options: Options): DestinationScope {
  const replicaKeys = toReplicaKeys(options.replicaKey);
  const place = { region: text(options, 'region') ?? '*', kmsKey: text(options, 'kmsKey'), replicaKeys };
  const scopes = kinds.flatMap((kind) => {
    const { name, fallback } = kind.policyOption;
    const value = text(options, name) ?? fallback;
    return value === undefined ? [] : [{ scope: kind.scope(value, place), isOwn: fallback === undefined }];
  });
  const found = scopes.find((one) => one.isOwn) ?? scopes[0];
  if (!found) throw new JobError('PAYLOAD_INVALID', { message: 'Say what the policy is for.' });
  return found.scope;
}

function toReplicaKeys(given: unknown): Readonly<Record<string, string>> {
  if (!Array.isArray(given)) return {};
  const pairs = given.map((one) => {
    const [region = '', ...key] = String(one).split('=');
    if (regionProblem(region) !== undefined || key.join('=') === '')
      throw new JobError('PAYLOAD_INVALID', {
        message: `--replica-key ${String(one)} must be a region and its key, as us-east-1=alias/app.`,
      });
    return [region, key.join('=')] as const;
  });
  return Object.fromEntries(pairs);
}

function withPlaceOptions(command: Command): Command {
  return command
    .option('--account <id>', 'AWS account (trust: the base identity’s; default: asked of AWS)', accountId)
    .addOption(new Option('--partition <partition>', 'of AWS').choices(partitionNames).default('aws'))
    .addOption(
      new Option('--format <format>', 'how it is put into AWS; --json prints the policy alone')
        .choices(policyFormats)
        .default('json'),
    );
}

function print(output: Invocation['output'], policy: PolicyDocument, formatted: string): Promise<ExitCode> {
  output.result(policy, () => formatted);
  return Promise.resolve(done);
}

function required(options: Options, name: string): string {
  const value = text(options, name);
  if (value === undefined) throw new JobError('PAYLOAD_INVALID', { message: `--${name} is missing.` });
  return value;
}

async function printTrust({ options, output }: Invocation): Promise<ExitCode> {
  const externalId =
    text(options, 'externalId') ?? text(options, 'org') ?? processEnvironment().KEYFERRY_ORG ?? 'default';
  const account = text(options, 'account');
  const also = alsoTrusted(options);
  if (account !== undefined) {
    const partition = text(options, 'partition') ?? 'aws';
    return printRole({ options, output }, trustPolicy({ partition, baseAccountId: account, externalId, also }));
  }
  const { findBaseIdentity } = await import('../../aws-settings.ts');
  const { partition, accountId: baseAccountId } = await findBaseIdentity(awsConfigOf(await findEnvironment(output)));
  return printRole({ options, output }, trustPolicy({ partition, baseAccountId, externalId, also }));
}

function printRole(
  { options, output }: Pick<Invocation, 'options' | 'output'>,
  trust: PolicyDocument,
): Promise<ExitCode> {
  return print(output, trust, formatRole(formatOf(options), { roleName: NAME, trust }));
}

function alsoTrusted({ also = [] }: Options): readonly Trusted[] {
  return (also as readonly string[]).map((text) => {
    const [, accountId, externalId] = /^(\d{12})=([\w+=,.@:/-]{2,1224})$/.exec(text) ?? [];
    if (accountId !== undefined && externalId !== undefined) return { accountId, externalId };
    throw new JobError('PAYLOAD_INVALID', {
      message: '--also must be an account and its external ID, such as 381492033652=ORGANIZATION-ID.',
    });
  });
}
